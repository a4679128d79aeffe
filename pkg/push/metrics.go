package push

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Metrics are what senders measure. One serves all senders of a process.
type Metrics struct {
	messages  *prometheus.CounterVec
	exchanges *prometheus.HistogramVec
	open      *prometheus.GaugeVec
}

// NewMetrics registers the metrics; registerer nil = they are not exported.
func NewMetrics(registerer prometheus.Registerer) *Metrics {
	m := &Metrics{
		messages:  prometheus.NewCounterVec(prometheus.CounterOpts{Name: "etrainer_push_messages_total", Help: "Push messages by provider and outcome: accepted, or the reason why not."}, []string{"provider", "outcome"}),
		exchanges: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "etrainer_push_exchange_seconds", Help: "Time of one request to a push provider, by how it ended.", Buckets: []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30}}, []string{"provider", "outcome"}),
		open:      prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "etrainer_push_breaker_open", Help: "1 while the circuit breaker of a push provider is open."}, []string{"provider"}),
	}
	if registerer != nil {
		registerer.MustRegister(m.messages, m.exchanges, m.open)
	}
	return m
}

func outcome(reason Reason) string {
	if reason == "" {
		return "accepted"
	}
	return string(reason)
}

func (m *Metrics) count(provider string, results []Result) {
	for _, r := range results {
		m.messages.WithLabelValues(provider, outcome(r.Reason)).Inc()
	}
}

func (m *Metrics) exchanged(provider string, err error, took time.Duration) {
	var reason Reason
	if err != nil {
		reason = FailureOf(err).Reason
	}
	m.exchanges.WithLabelValues(provider, outcome(reason)).Observe(took.Seconds())
}

func (m *Metrics) breaker(provider string, open bool) {
	value := 0.0
	if open {
		value = 1
	}
	m.open.WithLabelValues(provider).Set(value)
}
