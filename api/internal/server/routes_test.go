package server_test

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/etrainer/backend/api/internal/apitest"
	"github.com/etrainer/backend/api/internal/health"
	"github.com/etrainer/backend/api/internal/openapi/openapitest"
	"github.com/etrainer/backend/api/internal/server"
	"github.com/etrainer/backend/pkg/catalog"
	"github.com/etrainer/backend/pkg/logging"
	"github.com/etrainer/backend/pkg/mongodb/mongotest"
	"github.com/etrainer/backend/pkg/queue/mongoqueue"
)

func TestPathsAreMatchedAsExpressDoes(t *testing.T) {
	t.Parallel()
	api := apitest.Start(t, mongotest.Database(t), apitest.Options{})
	token := api.Token(t, "admin@example.com")
	const id = "0123456789abcdefABCDEF01"
	tests := map[string]struct {
		method, path string
		status       int
		message      string
	}{
		"as registered":          {"GET", "/api/system/jobs/stats", 200, "Job statistics retrieved"},
		"capitals":               {"GET", "/API/System/JOBS/Stats", 200, "Job statistics retrieved"},
		"slash at the end":       {"GET", "/api/system/jobs/stats/", 200, "Job statistics retrieved"},
		"both, with a query":     {"GET", "/API/system/jobs/stats/?x=Y", 200, "Job statistics retrieved"},
		"list with a slash":      {"GET", "/api/system/jobs/", 200, ""},
		"root":                   {"GET", "/", 200, "ETrainer Backend API is running!"},
		"two slashes at the end": {"GET", "/api/system/jobs/stats//", 404, "Cannot GET /api/system/jobs/stats//"},
		"slash in the middle":    {"GET", "/api//system/jobs/stats", 404, "Cannot GET /api//system/jobs/stats"},
		"only slashes":           {"GET", "//", 404, "Cannot GET //"},
		"parameter in capitals":  {"GET", "/API/system/jobs/" + id, 404, "no job has this id; it may have been deleted"},
		"parameter is kept":      {"POST", "/Api/System/Jobs/NAMES/A%2Fb%20C/Pause/", 404, `name "A/b C" is unknown; use one of: ` + strings.Join(catalog.ETrainer("").Names(), ", ")},
		"known path, method":     {"PATCH", "/api/auth/login", 404, "Cannot PATCH /api/auth/login"},
		"unknown path":           {"POST", "/api/x?a=b&c=<d>", 404, "Cannot POST /api/x?a=b&c=<d>"},
		"no path of the old api": {"GET", "/healthxyz", 404, "Cannot GET /healthxyz"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			reply := api.Do(t, apitest.Request{Method: test.method, Path: test.path, Token: token})
			if message, _ := reply.JSON["message"].(string); reply.Status != test.status || message != test.message {
				t.Errorf("%d %s, want %d %q", reply.Status, reply.Text, test.status, test.message)
			}
			if location := reply.Header.Get("Location"); location != "" {
				t.Errorf("it is redirected to %s", location)
			}
			if test.status == 404 && test.message[:6] == "Cannot" && reply.JSON["error"] != "Route not found" {
				t.Errorf("error = %v", reply.JSON["error"])
			}
		})
	}
}

func TestHeadIsAnsweredWhereGetIs(t *testing.T) {
	t.Parallel()
	api := apitest.Start(t, mongotest.Database(t), apitest.Options{})
	for path, status := range map[string]int{"/": 200, "/Health/": 200, "/livez": 200, "/api/system/jobs": 401, "/none": 404, "/api/auth/login": 404} {
		reply := api.Do(t, apitest.Request{Method: http.MethodHead, Path: path})
		if reply.Status != status || reply.Text != "" || reply.Header.Get("Content-Type") != "application/json; charset=utf-8" || reply.Header.Get("Content-Length") == "0" {
			t.Errorf("HEAD %s: %d %q %v, want %d without a body", path, reply.Status, reply.Text, reply.Header, status)
		}
	}
}

func TestNotModified(t *testing.T) {
	t.Parallel()
	api := apitest.Start(t, mongotest.Database(t), apitest.Options{})
	token := api.Token(t, "admin@example.com")
	first := api.Get(t, "/api/system/jobs/names", token)
	again := api.Do(t, apitest.Request{Path: "/api/system/jobs/names", Token: token, Header: map[string]string{"If-None-Match": first.Header.Get("ETag")}})
	if again.Status != http.StatusNotModified || again.Text != "" {
		t.Errorf("%d %q, want 304", again.Status, again.Text)
	}
}

func TestForwardedForIsNotTrusted(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		proxies []string
		want    string
	}{"by default": {nil, "127.0.0.1"}, "unless configured": {[]string{"127.0.0.0/8"}, "1.2.3.4"}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var out bytes.Buffer
			log, err := logging.New(logging.Options{Out: &out})
			if err != nil {
				t.Fatal(err)
			}
			o := apitest.RouteOptions(log.Logger)
			o.AccessLog = log.Zap
			o.TrustedProxies = test.proxies
			handler, err := server.Starting(o, health.NewHandler(health.Parts{Now: time.Now, Draining: func() bool { return false }, Log: o.Log}))
			if err != nil {
				t.Fatal(err)
			}
			request := httptest.NewRequest(http.MethodGet, "/none", nil)
			request.RemoteAddr = "127.0.0.1:5000"
			request.Header.Set("X-Forwarded-For", "1.2.3.4")
			handler.ServeHTTP(httptest.NewRecorder(), request)
			var line struct {
				ClientIP string `json:"client_ip"`
			}
			if err := json.Unmarshal(out.Bytes(), &line); err != nil || line.ClientIP != test.want {
				t.Errorf("client_ip = %q, %v, want %s", line.ClientIP, err, test.want)
			}
		})
	}
	o := apitest.RouteOptions(slog.New(slog.DiscardHandler))
	o.TrustedProxies = []string{"everybody"}
	if _, err := server.Starting(o, health.NewHandler(health.Parts{})); err == nil {
		t.Error("a proxy that is no address is accepted")
	}
}

func TestStartingAnswersProbesOnly(t *testing.T) {
	t.Parallel()
	log := slog.New(slog.DiscardHandler)
	probes := health.NewHandler(health.Parts{Now: time.Now, StartedAt: time.Now(), Draining: func() bool { return false }, Log: log})
	handler, err := server.Starting(apitest.RouteOptions(log), probes)
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]struct {
		status int
		text   string
	}{
		"/":                {200, `"message":"ETrainer Backend API is running!"`},
		"/livez":           {200, `{"status":"alive"}`},
		"/readyz":          {503, `{"status":"unavailable","error":"Not ready","message":"the database does not answer"}`},
		"/health":          {200, `"status":"DEGRADED"`},
		"/api/auth/login":  {503, `{"error":"Database connection failed","message":"Service temporarily unavailable. Please try again."}`},
		"/api/system/jobs": {503, `{"error":"Database connection failed"`},
	} {
		recorder, request := httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, path, nil)
		handler.ServeHTTP(recorder, request)
		openapitest.CheckReply(t, request, recorder.Result(), recorder.Body.Bytes())
		if recorder.Code != want.status || !strings.Contains(recorder.Body.String(), want.text) {
			t.Errorf("%s: %d %s, want %d %s", path, recorder.Code, recorder.Body, want.status, want.text)
		}
		if retry := recorder.Header().Get("Retry-After"); want.status == 503 && retry == "" {
			t.Errorf("%s has no Retry-After", path)
		}
	}
}

// eventually polls until the condition holds.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		if time.Now().After(deadline) {
			t.Fatalf("not so in time: %s", what)
		}
		<-tick.C
	}
}

// TestDatabaseOutage cuts the connection to the database, and mends it.
func TestDatabaseOutage(t *testing.T) {
	t.Parallel()
	proxy := apitest.NewProxy(t)
	db := mongotest.Database(t, proxy.Options(), options.Client().SetServerSelectionTimeout(15*time.Second))
	api := apitest.Start(t, db, apitest.Options{})
	token := api.Token(t, "admin@example.com")
	const job = `{"name":"generate weekly reports"}`
	schedule := func() apitest.Reply { return api.Post(t, "/api/system/jobs/schedule", token, job) }
	if reply := schedule(); reply.Status != http.StatusOK {
		t.Fatalf("before: %d %s", reply.Status, reply.Text)
	}

	proxy.Cut()
	for name, ask := range map[string]func() apitest.Reply{
		"schedule": schedule,
		"login": func() apitest.Reply {
			return api.Post(t, "/api/auth/login", "", map[string]any{"email": "admin@example.com", "password": apitest.Password})
		},
		"list": func() apitest.Reply { return api.Get(t, "/api/system/jobs", token) },
	} {
		began := time.Now()
		reply := ask()
		if reply.Status != http.StatusServiceUnavailable || reply.JSON["error"] != "Database connection failed" || reply.Header.Get("Retry-After") == "" {
			t.Errorf("%s without a database: %d %s", name, reply.Status, reply.Text)
		}
		// The answer itself takes a moment when the time is over; the database
		// would have been waited for much longer.
		if took := time.Since(began); took > server.RequestTimeout+2*time.Second {
			t.Errorf("%s took %v to fail", name, took)
		}
	}
	if reply := api.Get(t, "/livez", ""); reply.Status != http.StatusOK {
		t.Errorf("/livez: %d %s", reply.Status, reply.Text)
	}
	if reply := api.Get(t, "/readyz", ""); reply.Status != http.StatusServiceUnavailable {
		t.Errorf("/readyz: %d %s", reply.Status, reply.Text)
	}
	reply := api.Get(t, "/health", "")
	if reply.Status != http.StatusOK || reply.JSON["status"] != "DEGRADED" || reply.At("services", "database", "readyState") != 0.0 {
		t.Errorf("/health: %d %s", reply.Status, reply.Text)
	}

	proxy.Restore()
	eventually(t, "the api recovers", func() bool { return api.Get(t, "/readyz", "").Status == http.StatusOK })
	if reply := schedule(); reply.Status != http.StatusOK {
		t.Errorf("after: %d %s", reply.Status, reply.Text)
	}
	if n, err := db.Collection(mongoqueue.DefaultCollection).CountDocuments(t.Context(), bson.D{}); err != nil || n != 2 {
		t.Errorf("jobs = %d, %v, want the two that were acknowledged", n, err)
	}
}
