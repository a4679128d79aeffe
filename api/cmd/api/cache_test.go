package main

import (
	"encoding/json"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/etrainer/backend/pkg/mongodb/mongotest"
)

// layers is what /api/system/cache/stats says.
type layers struct {
	Memory, Redis struct {
		Status string
		Keys   int
		Hits   int
	}
}

// ask asks as an administrator, and decodes the answer.
func (p *program) ask(t *testing.T, path, token string, into any) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, p.url+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+token)
	reply, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = reply.Body.Close() }()
	text, err := io.ReadAll(reply.Body)
	if err == nil {
		err = json.Unmarshal(text, into)
	}
	if err != nil || reply.StatusCode != http.StatusOK {
		t.Fatalf("%s: %d %s, %v", path, reply.StatusCode, text, err)
	}
}

func (p *program) cacheStats(t *testing.T, token string) (stats layers) {
	t.Helper()
	p.ask(t, "/api/system/cache/stats", token, &stats)
	return stats
}

// untilCached waits until the statistics are as they should be.
func (p *program) untilCached(t *testing.T, token, what string, good func(layers) bool) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	deadline := time.Now().Add(30 * time.Second)
	for stats := p.cacheStats(t, token); !good(stats); stats = p.cacheStats(t, token) {
		if time.Now().After(deadline) {
			t.Fatalf("%s: %+v", what, stats)
		}
		<-tick.C
	}
}

// TestACacheIsClearedEverywhere has two replicas. A clear at one empties Redis and
// the memory of the other, and leaves what others keep in the same Redis.
//
//nolint:paralleltest // it sets the environment
func TestACacheIsClearedEverywhere(t *testing.T) {
	client := redisClient(t)
	db := mongotest.Database(t)
	mongotest.Migrate(t, db)
	others := []string{"etrainer:limit:" + db.Name(), "foreign:" + db.Name()}
	for _, key := range others {
		if err := client.Set(t.Context(), key, "kept", time.Minute).Err(); err != nil {
			t.Fatal(err)
		}
	}
	var replicas [2]*program
	for i := range replicas {
		// Without a limit, since the tests that have one are the same client to Redis.
		replicas[i] = startWith(t, mongotest.URI(t)+db.Name(), map[string]string{"RATE_LIMIT_MAX_REQUESTS": "0"})
		replicas[i].until(t, "/readyz", http.StatusOK)
		replicas[i].untilShared(t, "redis redis ready")
	}
	token := replicas[0].token(t)
	for _, p := range replicas {
		p.untilCached(t, token, "nothing is cached", func(s layers) bool {
			// What another replica has stored is read from Redis, and kept in memory when
			// it is old and this one stores it anew.
			p.ask(t, "/api/system/jobs/stats", token, &struct{}{})
			return s.Memory.Keys > 0 && s.Redis.Keys > 0 && s.Redis.Status == "ready" && s.Redis.Hits > 0
		})
	}
	if status, answer := replicas[0].post(t, "/api/system/cache/clear", token, ""); status != http.StatusOK {
		t.Fatalf("%d %v", status, answer)
	}
	for _, p := range replicas {
		p.untilCached(t, token, "it is not cleared", func(s layers) bool { return s.Memory.Keys == 0 && s.Redis.Keys == 0 })
	}
	for _, key := range others {
		if value, err := client.Get(t.Context(), key).Result(); value != "kept" {
			t.Errorf("%s is %q, %v", key, value, err)
		}
	}
	for _, p := range replicas {
		p.ended(t)
	}
}
