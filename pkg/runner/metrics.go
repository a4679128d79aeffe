package runner

import (
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/etrainer/backend/pkg/job"
	"github.com/etrainer/backend/pkg/queue"
)

// Metrics are what a Runner measures about itself.
type Metrics struct {
	leases   prometheus.Counter
	rescues  prometheus.Counter
	dropped  prometheus.Counter
	outcomes *prometheus.CounterVec
	refused  *prometheus.CounterVec
	outlives *prometheus.CounterVec
	pickup   *prometheus.HistogramVec
	duration *prometheus.HistogramVec

	runner atomic.Pointer[Runner] // whose present state the gauges tell
}

// NewMetrics registers the metrics; registerer nil = they are not exported.
func NewMetrics(registerer prometheus.Registerer) *Metrics {
	m := &Metrics{
		leases:   counter("leases_total", "Jobs leased."),
		rescues:  counter("rescued_jobs_total", "Jobs of dead workers that this one made due again."),
		dropped:  counter("run_records_lost_total", "Run records that could not be written; the outcomes of the jobs are stored."),
		outcomes: counters("runs_total", "Ended runs by job name and outcome.", "name", "outcome"),
		refused:  counters("refused_outcomes_total", "Outcomes that the database did not store, by job name; the jobs run again.", "name"),
		outlives: counters("outliving_runs_total", "Runs that went on although their context had ended, by job name.", "name"),
		pickup:   histograms("pickup_seconds", "Time from due to leased, by job name."),
		duration: histograms("run_seconds", "Time that handlers took, by job name."),
	}
	if registerer != nil {
		registerer.MustRegister(m.leases, m.rescues, m.dropped, m.outcomes, m.refused, m.outlives, m.pickup, m.duration,
			m.gauge("unrecorded_outcomes", "Runs that have ended and whose outcome is not stored yet.", func(r *Runner) int { return r.table.unrecorded() }),
			m.gauge("problems", "Documents that this worker met and cannot use.", func(r *Runner) int { return len(r.options.Problems.List()) }))
	}
	return m
}

const prefix = "etrainer_worker_"

func counter(name, help string) prometheus.Counter {
	return prometheus.NewCounter(prometheus.CounterOpts{Name: prefix + name, Help: help})
}

func counters(name, help string, labels ...string) *prometheus.CounterVec {
	return prometheus.NewCounterVec(prometheus.CounterOpts{Name: prefix + name, Help: help}, labels)
}

func histograms(name, help string) *prometheus.HistogramVec {
	buckets := []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 300, 1800}
	return prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: prefix + name, Help: help, Buckets: buckets}, []string{"name"})
}

// gauge tells a number of the runner, when it is asked for.
func (m *Metrics) gauge(name, help string, of func(*Runner) int) prometheus.Collector {
	return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: prefix + name, Help: help}, func() float64 {
		if r := m.runner.Load(); r != nil {
			return float64(of(r))
		}
		return 0
	})
}

// expect begins the counters of a name at zero: the first failure is then an
// increase, which alerts see, and not a series that begins at one.
func (m *Metrics) expect(name string) {
	for _, outcome := range []job.Outcome{job.Succeeded, job.Retrying, job.Dead} {
		m.outcomes.WithLabelValues(name, string(outcome))
	}
	m.refused.WithLabelValues(name)
	m.outlives.WithLabelValues(name)
}

func (m *Metrics) leased(n int)               { m.leases.Add(float64(n)) }
func (m *Metrics) rescued(n int)              { m.rescues.Add(float64(n)) }
func (m *Metrics) droppedRuns(n int)          { m.dropped.Add(float64(n)) }
func (m *Metrics) refusedOutcome(name string) { m.refused.WithLabelValues(name).Inc() }
func (m *Metrics) outlived(name string)       { m.outlives.WithLabelValues(name).Inc() }

func (m *Metrics) ran(lease *queue.Lease, took time.Duration) {
	m.pickup.WithLabelValues(lease.Job.Name).Observe(max(lease.StartedAt.Sub(lease.Tick), 0).Seconds())
	m.duration.WithLabelValues(lease.Job.Name).Observe(took.Seconds())
}

func (m *Metrics) ended(lease *queue.Lease, outcome job.Outcome) {
	m.outcomes.WithLabelValues(lease.Job.Name, string(outcome)).Inc()
}
