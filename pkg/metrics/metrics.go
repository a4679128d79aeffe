// Package metrics sets up the Prometheus registry of a program.
//
// Nothing here is global: main makes one [Registry] and passes it on, and
// constructors that measure something take a prometheus.Registerer.
package metrics

import (
	"log/slog"
	"net/http"
	"runtime"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/etrainer/backend/pkg/version"
)

// Namespace begins the name of every metric of ours.
const Namespace = "etrainer"

// Registry is a prometheus.Registerer and Gatherer that serves itself.
type Registry struct {
	*prometheus.Registry
	log *slog.Logger
}

// New returns a registry with the collectors of the Go runtime and of the
// process, and etrainer_build_info, which is 1 and tells the service, version,
// commit and Go version. log receives failures to collect; nil = nothing is
// logged.
func New(service string, log *slog.Logger) *Registry {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	build := prometheus.NewGauge(prometheus.GaugeOpts{
		Namespace: Namespace,
		Name:      "build_info",
		Help:      "Always 1; the labels tell which build this is.",
		ConstLabels: prometheus.Labels{
			"service": service, "version": version.Version, "commit": version.Commit, "go_version": runtime.Version(),
		},
	})
	build.Set(1)
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		build,
	)
	return &Registry{Registry: registry, log: log}
}

// Handler serves the metrics in the text or OpenMetrics format. A collector
// that fails is logged, and the others are served. Serve it on a private
// address: it is not authenticated.
func (r *Registry) Handler() http.Handler {
	return promhttp.HandlerFor(r.Registry, promhttp.HandlerOpts{
		Registry:          r.Registry,
		ErrorLog:          errorLog{r.log},
		ErrorHandling:     promhttp.ContinueOnError,
		EnableOpenMetrics: true,
	})
}

// errorLog passes what promhttp complains about to slog.
type errorLog struct{ log *slog.Logger }

func (l errorLog) Println(v ...any) {
	attrs := make([]any, 0, len(v))
	for _, each := range v {
		if err, ok := each.(error); ok {
			attrs = append(attrs, slog.Any("error", err))
		}
	}
	l.log.Error("metrics not collected", attrs...)
}
