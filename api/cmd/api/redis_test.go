package main

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	neturl "net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/etrainer/backend/api/internal/openapi/openapitest"
	"github.com/etrainer/backend/pkg/lifecycle"
	"github.com/etrainer/backend/pkg/mongodb/mongotest"
	"github.com/etrainer/backend/pkg/outagetest"
)

// patience is that of the mobile app, which gives up after ten seconds.
const patience = 9 * time.Second

// post sends JSON and returns the answer, which must come while somebody waits.
func (p *program) post(t *testing.T, path, token, body string) (int, map[string]any) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), patience)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, p.url+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	reply, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(request)
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	defer func() { _ = reply.Body.Close() }()
	text, err := io.ReadAll(reply.Body)
	if err != nil {
		t.Errorf("%s: %v", path, err)
	}
	openapitest.Check(t, openapitest.Exchange{
		Method: http.MethodPost, Path: path, RequestType: "application/json", Request: []byte(body),
		Status: reply.StatusCode, Header: reply.Header, Reply: text,
	})
	var answer map[string]any
	if err := json.Unmarshal(text, &answer); err != nil && len(text) > 0 {
		t.Errorf("%s: %v", path, err)
	}
	return reply.StatusCode, answer
}

// token logs the first account in, which is an administrator's.
func (p *program) token(t *testing.T) string {
	t.Helper()
	const account = `{"name":"An","email":"an@example.com","password":"correct horse"}`
	p.post(t, "/api/auth/register", "", account)
	status, answer := p.post(t, "/api/auth/login", "", account)
	token, _ := answer["token"].(string)
	if status != http.StatusOK || token == "" {
		t.Fatalf("login: %d %v", status, answer)
	}
	return token
}

// shared is what /health says of what processes share through Redis: where the
// limits are counted, who tells of logouts, and Redis itself.
func (p *program) shared(t *testing.T) string {
	t.Helper()
	_, body := p.get(t, "/health")
	services, _ := body["services"].(map[string]any)
	text := func(path ...string) string {
		var value any = services
		for _, key := range path {
			object, _ := value.(map[string]any)
			value = object[key]
		}
		found, _ := value.(string)
		return found
	}
	said := []string{text("limits", "store"), text("sessions", "revocation"), text("cache", "redis", "status")}
	if cache, _ := services["cache"].(map[string]any); cache["degraded"] == true {
		said = append(said, "degraded")
	}
	return strings.Join(said, " ")
}

// busy asks for pages from several connections, until the returned function is
// called. None may fail.
func (p *program) busy(t *testing.T, token string, paths ...string) (quiet func()) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	t.Cleanup(stop)
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	client := &http.Client{Transport: transport, Timeout: 30 * time.Second}
	var all sync.WaitGroup
	var answered atomic.Int64
	for _, path := range paths {
		all.Go(func() {
			for ctx.Err() == nil {
				request, err := http.NewRequestWithContext(context.WithoutCancel(ctx), http.MethodGet, p.url+path, nil)
				if err != nil {
					t.Error(err)
					return
				}
				request.Header.Set("Authorization", "Bearer "+token)
				reply, err := client.Do(request)
				if err != nil {
					t.Errorf("%s: %v", path, err)
					return
				}
				text, err := io.ReadAll(reply.Body)
				_ = reply.Body.Close()
				if err != nil || reply.StatusCode != http.StatusOK {
					t.Errorf("%s: %d %v %s", path, reply.StatusCode, err, text)
					return
				}
				answered.Add(1)
			}
		})
	}
	return func() {
		t.Helper()
		stop()
		all.Wait()
		if answered.Load() < 100 {
			t.Errorf("only %d requests were answered", answered.Load())
		}
	}
}

func (p *program) untilShared(t *testing.T, want string) {
	t.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	deadline := time.Now().Add(30 * time.Second)
	for got := ""; got != want; got = p.shared(t) {
		if time.Now().After(deadline) {
			t.Fatalf("/health says %q, want %q", got, want)
		}
		<-tick.C
	}
}

func (p *program) ended(t *testing.T) {
	t.Helper()
	p.stop()
	select {
	case code := <-p.code:
		if code != lifecycle.ExitOK {
			t.Errorf("exit code %d\n%s", code, p.log)
		}
	case <-time.After(30 * time.Second):
		t.Fatal("it does not end")
	}
}

// TestRedisGoesAway schedules jobs while Redis is cut off and while it is mute, and
// asks for pages all the time: each job is acknowledged, no request fails, and
// /health says what is not shared. Afterwards all is shared again by itself.
//
//nolint:paralleltest // it sets the environment
func TestRedisGoesAway(t *testing.T) {
	address, err := neturl.Parse(mongotest.RedisURL(t))
	if err != nil {
		t.Fatal(err)
	}
	proxy := outagetest.New(t, address.Host)
	address.Host, address.Path = proxy.Address(), "/7" // so many requests are not to count in other tests
	db := mongotest.Database(t)
	mongotest.Migrate(t, db)
	p := startWith(t, mongotest.URI(t)+db.Name(), map[string]string{"REDIS_URL": address.String(), "RATE_LIMIT_MAX_REQUESTS": "100000"})
	p.until(t, "/readyz", http.StatusOK)
	token := p.token(t)
	p.untilShared(t, "redis redis ready")
	quiet := p.busy(t, token, "/", "/health", "/api/system/leaderboard", "/api/system/jobs/stats", "/api/system/cache/stats", "/api/system/cluster/status")
	jobs := 0
	for name, outage := range map[string]func(){"cut": proxy.Cut, "frozen": proxy.Freeze} {
		outage()
		for range 5 {
			status, answer := p.post(t, "/api/system/jobs/schedule", token, `{"name":"generate weekly reports","when":"in 1 hour"}`)
			if status != http.StatusOK {
				t.Errorf("%s: %d %v", name, status, answer)
			}
			jobs++
		}
		p.untilShared(t, "memory database unavailable degraded")
		proxy.Restore()
		p.untilShared(t, "redis redis ready")
	}
	quiet()
	if stored, err := db.Collection("agendaJobs").CountDocuments(t.Context(), map[string]any{}); err != nil || int(stored) != jobs {
		t.Errorf("%d jobs are stored, %v; %d were acknowledged", stored, err, jobs)
	}
	p.ended(t)
	for _, line := range []string{"limits are counted in this process alone", "limits are shared again", "Redis does not answer"} {
		if !strings.Contains(p.log.String(), `"msg":"`+line+`"`) {
			t.Errorf("the log does not say: %s", line)
		}
	}
}

func redisClient(t *testing.T) *redis.Client {
	t.Helper()
	options, err := redis.ParseURL(mongotest.RedisURL(t))
	if err != nil {
		t.Fatal(err)
	}
	client := redis.NewClient(options)
	t.Cleanup(func() { _ = client.Close() })
	return client
}

// TestALogoutIsPublished to the other replicas.
//
//nolint:paralleltest // it sets the environment
func TestALogoutIsPublished(t *testing.T) {
	client := redisClient(t)
	db := mongotest.Database(t)
	mongotest.Migrate(t, db)
	notices := client.Subscribe(t.Context(), "etrainer:cache:"+db.Name()+":forget")
	t.Cleanup(func() { _ = notices.Close() })
	if _, err := notices.Receive(t.Context()); err != nil {
		t.Fatal(err)
	}
	p := start(t, mongotest.URI(t)+db.Name())
	p.until(t, "/readyz", http.StatusOK)
	if status, answer := p.post(t, "/api/auth/logout", p.token(t), ""); status != http.StatusOK {
		t.Fatalf("logout: %d %v", status, answer)
	}
	for {
		select {
		case message := <-notices.Channel():
			if strings.Contains(message.Payload, `"account:`) && strings.Contains(message.Payload, `"session:`) {
				p.ended(t)
				return
			}
		case <-time.After(30 * time.Second):
			t.Fatal("nothing was published")
		}
	}
}
