package runner

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/etrainer/backend/pkg/job"
	"github.com/etrainer/backend/pkg/queue"
)

// Metrics are what a Runner measures about itself.
type Metrics struct {
	leases   prometheus.Counter
	rescues  prometheus.Counter
	outcomes *prometheus.CounterVec
	pickup   *prometheus.HistogramVec
	duration *prometheus.HistogramVec
}

// NewMetrics registers the metrics; registerer nil = they are not exported.
func NewMetrics(registerer prometheus.Registerer) *Metrics {
	buckets := []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 300, 1800}
	m := &Metrics{
		leases:   prometheus.NewCounter(prometheus.CounterOpts{Name: "etrainer_worker_leases_total", Help: "Jobs leased."}),
		rescues:  prometheus.NewCounter(prometheus.CounterOpts{Name: "etrainer_worker_rescued_jobs_total", Help: "Jobs of dead workers that this one made due again."}),
		outcomes: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "etrainer_worker_runs_total", Help: "Ended runs by job name and outcome."}, []string{"name", "outcome"}),
		pickup:   prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "etrainer_worker_pickup_seconds", Help: "Time from due to leased, by job name.", Buckets: buckets}, []string{"name"}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "etrainer_worker_run_seconds", Help: "Time that handlers took, by job name.", Buckets: buckets}, []string{"name"}),
	}
	if registerer != nil {
		registerer.MustRegister(m.leases, m.rescues, m.outcomes, m.pickup, m.duration)
	}
	return m
}

// expect begins the counters of a name at zero: the first failure is then an
// increase, which alerts see, and not a series that begins at one.
func (m *Metrics) expect(name string) {
	for _, outcome := range []job.Outcome{job.Succeeded, job.Retrying, job.Dead} {
		m.outcomes.WithLabelValues(name, string(outcome))
	}
}

func (m *Metrics) leased(n int)  { m.leases.Add(float64(n)) }
func (m *Metrics) rescued(n int) { m.rescues.Add(float64(n)) }

func (m *Metrics) ran(lease *queue.Lease, took time.Duration) {
	m.pickup.WithLabelValues(lease.Job.Name).Observe(max(lease.StartedAt.Sub(lease.Tick), 0).Seconds())
	m.duration.WithLabelValues(lease.Job.Name).Observe(took.Seconds())
}

func (m *Metrics) ended(lease *queue.Lease, outcome job.Outcome) {
	m.outcomes.WithLabelValues(lease.Job.Name, string(outcome)).Inc()
}
