package server_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/etrainer/backend/api/internal/health"
	"github.com/etrainer/backend/api/internal/middleware"
	"github.com/etrainer/backend/api/internal/server"
	"github.com/etrainer/backend/pkg/limit"
	"github.com/etrainer/backend/pkg/logging"
)

// mostAllocated is what a request to / may allocate in all the layers that every
// request passes: routing, request id, metrics, access log, security headers,
// CORS and limit, and its own reply. It is about 30, and some more with the race
// detector, which empties pools.
const mostAllocated = 45

// chain returns what every request passes, as it runs in production: it writes
// log lines, counts and limits.
func chain(t testing.TB) http.Handler {
	t.Helper()
	log, err := logging.New(logging.Options{Out: io.Discard, Service: "api", Version: "1"})
	if err != nil {
		t.Fatal(err)
	}
	measure, err := middleware.Metrics(prometheus.NewRegistry(), time.Now)
	if err != nil {
		t.Fatal(err)
	}
	global := limit.New(limit.NewMemory(time.Now), limit.Rule{Name: "global", Max: 1 << 30, Window: 15 * time.Minute})
	handler, err := server.Starting(server.RouteOptions{Options: middleware.Options{
		Log: log.Logger, AccessLog: log.Zap, Metrics: measure, Now: time.Now, Origins: []string{"https://app.test"}, Limits: middleware.Limits{Global: global},
	}}, health.NewHandler(health.Parts{Now: time.Now, StartedAt: time.Now(), Log: log.Logger}))
	if err != nil {
		t.Fatal(err)
	}
	return handler
}

// sink is a writer that keeps nothing, so that only what we do is counted.
type sink struct{ header http.Header }

func (s *sink) Header() http.Header            { return s.header }
func (s *sink) Write(text []byte) (int, error) { return len(text), nil }
func (s *sink) WriteHeader(int)                {}

func TestAllocationsOfARequest(t *testing.T) { //nolint:paralleltest // it counts what the process allocates
	handler, request := chain(t), httptest.NewRequest(http.MethodGet, "/", nil)
	got := testing.AllocsPerRun(200, func() { handler.ServeHTTP(&sink{http.Header{}}, request) })
	t.Logf("%.0f allocations", got)
	if got > mostAllocated {
		t.Errorf("%.0f allocations in a request, want %d at most", got, mostAllocated)
	}
}

func BenchmarkRequest(b *testing.B) {
	handler, request := chain(b), httptest.NewRequest(http.MethodGet, "/", nil)
	b.ReportAllocs()
	for b.Loop() {
		handler.ServeHTTP(&sink{http.Header{}}, request)
	}
}
