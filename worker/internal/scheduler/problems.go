package scheduler

import (
	"context"
	"maps"
	"slices"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/etrainer/backend/pkg/queue"
	"github.com/etrainer/backend/pkg/schema"
)

// counts are what monitoring is told. Every worker tells the same of the whole
// database: take the maximum over workers, not the sum.
type counts struct{ schedules, settings prometheus.Gauge }

func newCounts(registerer prometheus.Registerer) counts {
	c := counts{
		schedules: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "etrainer_worker_schedule_problems",
			Help: "Recurring jobs in the database, of whichever process, whose stored schedule has a problem; the log and the api tell which.",
		}),
		settings: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "etrainer_worker_settings_problems",
			Help: "Settings of job names in the database that cannot be read; the log and the api tell which.",
		}),
	}
	if registerer != nil {
		registerer.MustRegister(c.schedules, c.settings)
	}
	return c
}

// readSettings reads the settings of all names, and tells what is wrong in them.
func (s *scheduler) readSettings(ctx context.Context) bool {
	settings, err := s.Store.Settings(ctx)
	if err != nil {
		// Without them nothing is moved: a schedule that an operator set would be undone.
		s.warn(ctx, "settings not read; schedules stay as they are", "", err)
		return false
	}
	s.settings = settings
	n := 0
	for _, name := range slices.Sorted(maps.Keys(settings)) {
		problems := settings[name].Problems
		if o := settings[name].Schedule; o != nil && o.Problem != "" {
			problems = append(slices.Clone(problems), o.Problem)
		}
		for _, what := range problems {
			n++
			s.Problems.Report(ctx, queue.Problem{
				Collection: schema.Settings, ID: name, Name: name, What: what, Fix: "set it anew through the api, or correct it in the document",
			})
		}
	}
	s.counts.settings.Set(float64(n))
	return true
}

// checkSchedules tells what is wrong with the schedules of stored jobs, those of
// Node processes included.
func (s *scheduler) checkSchedules(ctx context.Context) bool {
	bad, err := s.Store.BadSchedules(ctx)
	if err != nil {
		s.warn(ctx, "stored schedules not checked", "", err)
		return false
	}
	for _, b := range bad {
		s.Problems.Report(ctx, b.Report(s.Store.Collection()))
	}
	s.counts.schedules.Set(float64(len(bad)))
	return true
}
