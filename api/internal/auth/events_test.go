package auth_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/etrainer/backend/api/internal/apitest"
	"github.com/etrainer/backend/api/internal/auth"
	"github.com/etrainer/backend/pkg/limit"
	"github.com/etrainer/backend/pkg/logging"
	"github.com/etrainer/backend/pkg/mongodb/mongotest"
)

// account is how the log names an account.
func account(email string) string {
	sum := sha256.Sum256([]byte(email))
	return hex.EncodeToString(sum[:])[:16]
}

// TestTheLogTellsWhoItWas: each line of a login has the account and the session,
// and never the address.
func TestTheLogTellsWhoItWas(t *testing.T) {
	t.Parallel()
	var out written
	logged, err := logging.New(logging.Options{Level: "info", Format: logging.FormatJSON, Out: &out, Service: "api"})
	if err != nil {
		t.Fatal(err)
	}
	log := logged.Logger
	clock := newHands()
	api := apitest.Start(t, mongotest.Database(t), apitest.Options{Now: clock.now, Log: log, AccessLog: logged.Zap, Auth: []auth.Option{
		auth.WithLog(log), auth.WithThrottle(limit.NewMemory(clock.now), log), auth.WithTurns(func(pause time.Duration) <-chan time.Time {
			clock.wait(pause)
			passed := make(chan time.Time)
			close(passed)
			return passed
		}),
	}})
	// lines returns what was logged since the last time.
	lines := func() []map[string]any {
		t.Helper()
		if err := logged.Flush(); err != nil {
			t.Fatal(err)
		}
		text := out.take()
		if strings.Contains(text, "example.com") || strings.Contains(text, "eyJ") || strings.Contains(text, apitest.Password) {
			t.Errorf("the log tells a secret: %s", text)
		}
		var all []map[string]any
		for line := range strings.Lines(text) {
			var object map[string]any
			if err := json.Unmarshal([]byte(line), &object); err != nil {
				t.Fatalf("%s: %v", line, err)
			}
			all = append(all, object)
		}
		return all
	}
	want := func(what string, line, want map[string]any) {
		t.Helper()
		for key, value := range want {
			if line[key] != value {
				t.Errorf("%s: %s = %v, want %v, in %v", what, key, line[key], value, line)
			}
		}
	}
	// ask waits for the line of the access log as well, which a client does not.
	ask := func(path string, body map[string]any) apitest.Reply {
		t.Helper()
		encoded, err := json.Marshal(body)
		if err != nil {
			t.Fatal(err)
		}
		request := httptest.NewRequestWithContext(t.Context(), http.MethodPost, path, bytes.NewReader(encoded))
		request.Header.Set("Content-Type", "application/json")
		recorder := httptest.NewRecorder()
		api.Handler.ServeHTTP(recorder, request)
		reply := apitest.Reply{Status: recorder.Code}
		if err := json.Unmarshal(recorder.Body.Bytes(), &reply.JSON); err != nil {
			t.Fatal(err)
		}
		return reply
	}
	lines() // of the start
	const loginRoute = "/api/auth/login"
	ask("/api/auth/register", map[string]any{"name": "An", "email": "An@example.com", "password": apitest.Password})
	user := ask(loginRoute, map[string]any{"email": "an@example.com", "password": apitest.Password})
	id, seen := user.At("user", "_id"), lines()
	if len(seen) != 2 || text(seen[1]["session"]) == "" {
		t.Fatalf("registration and login logged %v", seen)
	}
	session := seen[1]["session"]
	want("registration", seen[0], map[string]any{"level": "info", "account": account("an@example.com"), "user_id": id})
	want("login", seen[1], map[string]any{"level": "info", "account": account("an@example.com"), "user_id": id})

	ask(loginRoute, map[string]any{"email": "AN@example.com", "password": "wrong"})
	want("failed login", lines()[0], map[string]any{"account": account("an@example.com"), "status": 401.0})

	used := text(user.JSON["refreshToken"])
	ask(refreshRoute, map[string]any{"refreshToken": used})
	want("refresh", lines()[0], map[string]any{"level": "info", "account": account("an@example.com"), "user_id": id, "session": session})
	clock.wait(auth.RefreshGrace + time.Millisecond)
	wantStatus(t, "reuse", ask(refreshRoute, map[string]any{"refreshToken": used}), http.StatusUnauthorized)
	seen = lines()
	if len(seen) != 2 {
		t.Fatalf("reuse logged %v", seen)
	}
	want("reuse", seen[0], map[string]any{"level": "warn", "account": account("an@example.com"), "user_id": id, "session": session, "client_ip": "192.0.2.1"})

	for range 65 {
		ask(loginRoute, map[string]any{"email": "nobody@example.com", "password": "wrong"})
	}
	seen = lines()
	warned := map[string]any{}
	for _, line := range seen {
		if line["level"] == "warn" {
			warned[text(line["msg"])] = line["account"]
		}
	}
	if diff := cmp.Diff(map[string]any{"a login was refused, since too many failed": account("nobody@example.com")}, refusals(warned)); diff != "" {
		t.Errorf("lock-out (-want +got):\n%s", diff)
	}

	counts := counted(t, api.Accounts.Collector())
	for event, least := range map[string]float64{"login": 1, "login_failed": 20, "lock_out": 1, "login_slowed": 1, "refresh": 1, "refresh_reuse": 1, "sessions_ended": 0} {
		if got, there := counts[event]; got < least || !there {
			t.Errorf("etrainer_auth_events_total{event=%q} = %v, want %v or more", event, got, least)
		}
	}
}

// written is what a log has written.
type written struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (w *written) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text.Write(p)
}

func (w *written) take() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	defer w.text.Reset()
	return w.text.String()
}

func refusals(warned map[string]any) map[string]any {
	found := map[string]any{}
	for message, account := range warned {
		if strings.Contains(message, "refused") {
			found[message] = account
		}
	}
	return found
}

// counted returns the counts by event.
func counted(t *testing.T, collector prometheus.Collector) map[string]float64 {
	t.Helper()
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(collector)
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	counts := map[string]float64{}
	for _, family := range families {
		for _, metric := range family.GetMetric() {
			counts[metric.GetLabel()[0].GetValue()] = metric.GetCounter().GetValue()
		}
	}
	return counts
}
