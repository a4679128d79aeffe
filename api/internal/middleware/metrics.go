package middleware

import (
	"net/http"
	"strconv"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/prometheus/client_golang/prometheus"
)

// unknownRoute is the label of requests that no route answers: their paths are
// without number.
const unknownRoute = "none"

// Metrics measures requests, by method, route and status:
// etrainer_http_request_seconds and etrainer_http_requests_in_flight. Its label
// is the pattern of the route, never the path.
func Metrics(registerer prometheus.Registerer, now func() time.Time) (gin.HandlerFunc, error) {
	seconds := prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name:    "etrainer_http_request_seconds",
		Help:    "Time from a request's header to the end of its answer.",
		Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30},
	}, []string{"method", "route", "status"})
	inFlight := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "etrainer_http_requests_in_flight",
		Help: "Requests that are being answered.",
	})
	for _, collector := range []prometheus.Collector{seconds, inFlight} {
		if err := registerer.Register(collector); err != nil {
			return nil, err
		}
	}
	return func(c *gin.Context) {
		began := now()
		inFlight.Inc()
		defer func() {
			inFlight.Dec()
			seconds.WithLabelValues(methodOf(c), routeOf(c), strconv.Itoa(c.Writer.Status())).Observe(now().Sub(began).Seconds())
		}()
		c.Next()
	}, nil
}

func routeOf(c *gin.Context) string {
	if route := c.FullPath(); route != "" {
		return route
	}
	return unknownRoute
}

// methodOf keeps made-up methods out of the labels.
func methodOf(c *gin.Context) string {
	switch c.Request.Method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions:
		return c.Request.Method
	default:
		return "other"
	}
}
