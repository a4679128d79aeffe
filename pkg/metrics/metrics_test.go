package metrics_test

import (
	"bytes"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/etrainer/backend/pkg/metrics"
)

func get(t *testing.T, r *metrics.Registry) string {
	t.Helper()
	w := httptest.NewRecorder()
	r.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	if w.Code != http.StatusOK {
		t.Fatalf("status %d: %s", w.Code, w.Body)
	}
	return w.Body.String()
}

func TestHandlerServesRuntimeProcessAndBuild(t *testing.T) {
	t.Parallel()
	body := get(t, metrics.New("worker", nil))
	for _, want := range []string{"go_goroutines ", "process_start_time_seconds ", `etrainer_build_info{`, `service="worker"`, `version="dev"`} {
		if !strings.Contains(body, want) {
			t.Errorf("no %q in:\n%s", want, body)
		}
	}
}

func TestRegistriesAreSeparate(t *testing.T) {
	t.Parallel()
	one, two := metrics.New("api", nil), metrics.New("api", nil)
	counter := prometheus.NewCounter(prometheus.CounterOpts{Namespace: metrics.Namespace, Name: "only_here_total", Help: "Test."})
	one.MustRegister(counter)
	counter.Add(3)
	if body := get(t, one); !strings.Contains(body, "etrainer_only_here_total 3") {
		t.Error("the counter is not served where it was registered")
	}
	if body := get(t, two); strings.Contains(body, "only_here") {
		t.Error("the counter is served by another registry")
	}
}

// failing is a collector that cannot collect.
type failing struct{ desc *prometheus.Desc }

func (f failing) Describe(out chan<- *prometheus.Desc) { out <- f.desc }
func (f failing) Collect(out chan<- prometheus.Metric) {
	out <- prometheus.NewInvalidMetric(f.desc, errors.New("pool is gone"))
}

func TestAFailingCollectorIsLoggedAndTheRestServed(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	r := metrics.New("api", slog.New(slog.NewTextHandler(&log, nil)))
	r.MustRegister(failing{prometheus.NewDesc("etrainer_failing", "Test.", nil, nil)})
	if body := get(t, r); !strings.Contains(body, "go_goroutines ") {
		t.Error("the healthy collectors are not served")
	}
	if !strings.Contains(log.String(), "pool is gone") {
		t.Errorf("the failure is not logged: %s", log.String())
	}
}
