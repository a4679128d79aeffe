package middleware_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/etrainer/backend/api/internal/middleware"
)

// Labels are of a bounded number, whatever paths and methods clients make up.
func TestMetricsAreByRoute(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewRegistry()
	measure, err := middleware.Metrics(registry, func() time.Time { return time.Unix(0, 0) })
	if err != nil {
		t.Fatal(err)
	}
	engine := gin.New()
	engine.Use(measure)
	engine.GET("/people/:id", func(c *gin.Context) { c.Status(http.StatusTeapot) })
	for _, request := range [][2]string{{"GET", "/people/1"}, {"GET", "/people/2"}, {"GET", "/a"}, {"GET", "/b"}, {"BREW", "/a"}, {"SPILL", "/b"}} {
		engine.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(request[0], request[1], http.NoBody))
	}
	counts := map[string]uint64{}
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		if family.GetName() == "etrainer_http_requests_in_flight" {
			if n := family.GetMetric()[0].GetGauge().GetValue(); n != 0 {
				t.Errorf("%v requests are in flight, after all of them", n)
			}
			continue
		}
		for _, metric := range family.GetMetric() {
			var labels []string
			for _, label := range metric.GetLabel() {
				labels = append(labels, label.GetValue())
			}
			counts[strings.Join(labels, " ")] = metric.GetHistogram().GetSampleCount()
		}
	}
	// By the names of the labels: method, route, status.
	want := map[string]uint64{"GET /people/:id 418": 2, "GET none 404": 2, "other none 404": 2}
	for labels, n := range want {
		if counts[labels] != n {
			t.Errorf("%s: %d requests, want %d", labels, counts[labels], n)
		}
	}
	if len(counts) != len(want) {
		t.Errorf("series: %v", counts)
	}
}
