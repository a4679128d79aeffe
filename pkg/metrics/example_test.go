package metrics_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"github.com/etrainer/backend/pkg/metrics"
)

func Example() {
	registry := metrics.New("worker", nil)
	runs := promauto.With(registry).NewCounter(prometheus.CounterOpts{
		Namespace: metrics.Namespace, Name: "runs_total", Help: "Runs that ended.",
	})
	runs.Add(2)

	w := httptest.NewRecorder()
	registry.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	for line := range strings.Lines(w.Body.String()) {
		if strings.HasPrefix(line, "etrainer_runs_total") {
			fmt.Print(line)
		}
	}
	// Output: etrainer_runs_total 2
}
