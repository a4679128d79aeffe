package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/etrainer/backend/api/internal/apitest"
	"github.com/etrainer/backend/api/internal/openapi/openapitest"
	"github.com/etrainer/backend/pkg/fleet/mongofleet"
	"github.com/etrainer/backend/pkg/lifecycle"
	"github.com/etrainer/backend/pkg/mongodb/mongotest"
)

func TestMain(m *testing.M) { mongotest.Main(m) }

// buffer is written by the log and read by the test.
type buffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// freePort returns a port where nobody listens.
func freePort(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	return strconv.Itoa(listener.Addr().(*net.TCPAddr).Port)
}

func TestCommands(t *testing.T) {
	t.Setenv("PORT", freePort(t))
	t.Setenv("API_PRIVATE_PORT", "0")
	t.Setenv("JWT_SECRET_KEY", "")
	t.Setenv("MONGODB_URI", "")
	for name, test := range map[string]struct {
		args           []string
		code           int
		stdout, stderr string
	}{
		"settings":          {[]string{"settings"}, lifecycle.ExitOK, "# Port of the listener.\n# Unit: port. Example: 80\n#PORT=8080\n", ""},
		"version":           {[]string{"version"}, lifecycle.ExitOK, "go1.", ""},
		"unknown":           {[]string{"fly"}, lifecycle.ExitBadConfig, "", `api: "fly" is unknown; use serve, admin, sessions, ping, settings or version`},
		"arguments":         {[]string{"serve", "--port=1"}, lifecycle.ExitBadConfig, "", "api: serve takes no arguments; settings are environment variables"},
		"ping of nobody":    {[]string{"ping"}, lifecycle.ExitFailed, "", "api: the api does not answer: "},
		"bad configuration": {nil, lifecycle.ExitBadConfig, "", "  - JWT_SECRET_KEY is not set"},
	} {
		t.Run(name, func(t *testing.T) {
			var stdout, stderr buffer
			if code := run(t.Context(), test.args, &stdout, &stderr); code != test.code {
				t.Errorf("exit code = %d, want %d", code, test.code)
			}
			if !strings.Contains(stdout.String(), test.stdout) || !strings.Contains(stderr.String(), test.stderr) || test.stderr == "" && stderr.String() != "" {
				t.Errorf("stdout %q, stderr %q", stdout.String(), stderr.String())
			}
		})
	}
}

// program is a running api.
type program struct {
	url  string
	stop context.CancelFunc
	code chan int
	log  *buffer
}

func start(t *testing.T, uri string) *program { t.Helper(); return startWith(t, uri, nil) }

// startWith is start with more variables.
func startWith(t *testing.T, uri string, more map[string]string) *program {
	t.Helper()
	port := freePort(t)
	for name, value := range map[string]string{
		"PORT": port, "API_PRIVATE_PORT": "0", "MONGODB_URI": uri, "REDIS_URL": mongotest.RedisURL(t), "NODE_ENV": "production",
		"JWT_SECRET_KEY": "q8Zt2vXw9Lr5Nb7Kd3Hf6Jm1Pc4Gs0YuTe", "BCRYPT_ROUNDS": "4", "LOG_LEVEL": "debug",
	} {
		t.Setenv(name, value)
	}
	for name, value := range more {
		t.Setenv(name, value)
	}
	ctx, cancel := context.WithCancel(t.Context())
	p := &program{url: "http://127.0.0.1:" + port, stop: cancel, code: make(chan int, 1), log: &buffer{}}
	go func() { p.code <- run(ctx, nil, io.Discard, p.log) }()
	return p
}

// get returns the status of a path, 0 when nobody answers, and the body.
func (p *program) get(t *testing.T, path string) (int, map[string]any) {
	t.Helper()
	request, err := http.NewRequestWithContext(context.WithoutCancel(t.Context()), http.MethodGet, p.url+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	reply, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(request)
	if err != nil {
		return 0, nil
	}
	defer func() { _ = reply.Body.Close() }()
	text, err := io.ReadAll(reply.Body)
	if err != nil {
		return 0, nil // it is stopping
	}
	openapitest.CheckReply(t, request, reply, text)
	var body map[string]any
	if err := json.Unmarshal(text, &body); err != nil {
		t.Errorf("%s: %v", path, err)
	}
	return reply.StatusCode, body
}

func (p *program) until(t *testing.T, path string, status int) {
	t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		got, _ := p.get(t, path)
		if got == status {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s: %d, want %d\n%s", path, got, status, p.log)
		}
		<-tick.C
	}
}

// untilHealthy waits until what is amiss has been mended.
func (p *program) untilHealthy(t *testing.T) {
	t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		_, body := p.get(t, "/health")
		if body["status"] == "OK" {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("/health: %v\n%s", body, p.log)
		}
		<-tick.C
	}
}

// TestServe starts while the database is away, waits for it, and stops.
//
//nolint:paralleltest // it sets the environment
func TestServe(t *testing.T) {
	proxy := apitest.NewProxy(t)
	db := mongotest.Database(t)
	proxy.Cut()
	mongotest.Migrate(t, db)
	p := startWith(t, proxy.URI()+db.Name(), map[string]string{"API_DRAIN_DELAY": "2s"})

	p.until(t, "/livez", http.StatusOK)
	for path, want := range map[string]int{"/readyz": 503, "/api/system/jobs": 503, "/health": 200, "/": 200} {
		if status, body := p.get(t, path); status != want {
			t.Errorf("%s without a database: %d %v, want %d", path, status, body, want)
		}
	}
	var stderr buffer
	if code := run(t.Context(), []string{"ping"}, io.Discard, &stderr); code != lifecycle.ExitOK {
		t.Errorf("ping = %d %s, want 0: the process is alive", code, &stderr)
	}

	proxy.Restore()
	p.until(t, "/readyz", http.StatusOK)
	if status, body := p.get(t, "/api/system/jobs"); status != http.StatusUnauthorized {
		t.Errorf("/api/system/jobs: %d %v, want 401", status, body)
	}
	p.untilShared(t, "redis redis ready")
	const ownerless = "there is no administrator; run: api admin create EMAIL"
	if _, body := p.get(t, "/health"); body["status"] != "DEGRADED" || body["message"] != ownerless {
		t.Errorf("/health without an administrator: %v", body)
	}
	var stdout buffer
	if code := run(t.Context(), []string{"admin", "create", "an@example.com"}, &stdout, &stderr); code != lifecycle.ExitOK {
		t.Errorf("admin create = %d %s, want 0", code, &stderr)
	}
	p.untilHealthy(t)
	status, body := p.get(t, "/health")
	services, _ := body["services"].(map[string]any)
	database, _ := services["database"].(map[string]any)
	if status != http.StatusOK || body["status"] != "OK" || database["name"] != db.Name() {
		t.Errorf("/health: %d %v", status, body)
	}
	registry := mongofleet.New(db, time.Now)
	if found, err := registry.Instances(t.Context()); err != nil || len(found) != 1 || !strings.HasPrefix(found[0].ID, "api-") {
		t.Errorf("instances = %+v, %v, want this one", found, err)
	}

	p.stop()
	draining := false
	for done := false; !done; {
		found, err := registry.Instances(t.Context())
		draining = draining || err == nil && len(found) == 1 && found[0].Draining
		select {
		case code := <-p.code:
			if done = true; code != lifecycle.ExitOK {
				t.Errorf("exit code = %d, want 0\n%s", code, p.log)
			}
		case <-time.After(20 * time.Millisecond):
		}
	}
	if !draining {
		t.Error("it was not listed as draining before it closed")
	}
	if found, err := registry.Instances(t.Context()); err != nil || len(found) != 0 {
		t.Errorf("instances after the stop = %+v, %v", found, err)
	}
	if !strings.Contains(p.log.String(), "THERE IS NO ADMINISTRATOR") {
		t.Error("the log does not warn of a deployment without an administrator")
	}
	if strings.Contains(p.log.String(), "q8Zt2vXw9Lr5Nb7Kd3Hf6Jm1Pc4Gs0YuTe") {
		t.Error("the log shows the secret")
	}
}

// TestServeStopsWhileItWaits stops before the database has answered.
//
//nolint:paralleltest // it sets the environment
func TestServeStopsWhileItWaits(t *testing.T) {
	proxy := apitest.NewProxy(t)
	proxy.Cut()
	p := start(t, proxy.URI())
	p.until(t, "/livez", http.StatusOK)
	p.stop()
	if code := <-p.code; code != lifecycle.ExitOK {
		t.Errorf("exit code = %d, want 0\n%s", code, p.log)
	}
	if status, _ := p.get(t, "/livez"); status != 0 {
		t.Errorf("/livez after the stop: %d", status)
	}
}

// TestADatabaseThatWasNeverMigratedIsRefused with the exit code that keeps a
// supervisor from trying again, and with the command that mends it.
//
//nolint:paralleltest // it sets the environment
func TestADatabaseThatWasNeverMigratedIsRefused(t *testing.T) {
	p := start(t, mongotest.URI(t)+mongotest.Database(t).Name())
	select {
	case code := <-p.code:
		if code != lifecycle.ExitBadConfig || !strings.Contains(p.log.String(), "run: migrate up") {
			t.Errorf("exit code %d with the log\n%s", code, p.log)
		}
	case <-time.After(30 * time.Second):
		t.Fatalf("it does not end\n%s", p.log)
	}
}
