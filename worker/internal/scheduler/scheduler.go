// Package scheduler keeps the recurring jobs of the catalog armed: it creates
// those that are missing, moves those whose schedule changed, in the program or
// by an operator at run time, and revives those that lost their next tick. Any
// number of schedulers may run at once; what one did, the others find done.
package scheduler

import (
	"context"
	"log/slog"
	"reflect"
	"time"

	"github.com/jonboulle/clockwork"

	"github.com/etrainer/backend/pkg/catalog"
	"github.com/etrainer/backend/pkg/job"
	"github.com/etrainer/backend/pkg/lifecycle"
	"github.com/etrainer/backend/pkg/queue"
	"github.com/etrainer/backend/pkg/wake"
)

const (
	// Every is how often the recurring jobs are looked at, beside the start
	// and every signal that settings changed.
	Every = 5 * time.Minute
	// EveryDeaf is the same while signals cannot arrive.
	EveryDeaf = 30 * time.Second
	// retryEvery is the pause after a look that failed.
	retryEvery = 10 * time.Second
)

// Store is what it needs of the queue's store.
type Store interface {
	queue.Producer
	Settings(ctx context.Context) (map[string]job.Settings, error)
	Now() time.Time
}

// Options are what New needs.
type Options struct {
	Store Store
	Jobs  *catalog.Catalog
	// Subscriber tells of changed settings; it must not be shared. nil = none
	// does, and changes are found within EveryDeaf.
	Subscriber wake.Subscriber
	// Clock nil = the real one.
	Clock clockwork.Clock
	Log   *slog.Logger
}

// New returns a lifecycle.Service.
func New(o Options) *lifecycle.Loop {
	if o.Clock == nil {
		o.Clock = clockwork.NewRealClock()
	}
	if o.Subscriber == nil {
		o.Subscriber = wake.Silent{}
	}
	s := &scheduler{Options: o, reported: map[string]string{}}
	return lifecycle.NewLoop("scheduler", s.run)
}

type scheduler struct {
	Options
	reported map[string]string // the problem of a name that was logged last

	armedAt time.Time                       // when every job was last looked at
	applied map[string]job.ScheduleOverride // what was set at that time
}

func (s *scheduler) run(ctx context.Context) error {
	for {
		pause := Every
		if !s.Subscriber.Connected() {
			pause = EveryDeaf
		}
		if !s.armAll(ctx) {
			pause = retryEvery
		}
		if !s.wait(ctx, pause) {
			return nil
		}
	}
}

// wait returns false when the scheduler stops.
func (s *scheduler) wait(ctx context.Context, pause time.Duration) bool {
	timer := s.Clock.NewTimer(pause)
	defer timer.Stop()
	signals := s.Subscriber.Signals()
	for {
		select {
		case <-ctx.Done():
			return false
		case <-timer.Chan():
			return true
		case signal, open := <-signals:
			switch {
			case !open:
				signals = nil
			case signal.Kind == wake.Settings:
				return true
			}
		}
	}
}

// armAll reports whether every job could be looked at.
func (s *scheduler) armAll(ctx context.Context) bool {
	settings, err := s.Store.Settings(ctx)
	if err != nil {
		// Without them nothing is moved: a schedule that an operator set would be undone.
		s.warn(ctx, "settings not read; schedules stay as they are", "", err)
		return false
	}
	overrides := overridesOf(settings)
	now := s.Clock.Now()
	if reflect.DeepEqual(overrides, s.applied) && now.Sub(s.armedAt) < Every {
		return true
	}
	var wanted []queue.Recurring
	for _, d := range s.Jobs.Recurring() {
		wanted = append(wanted, s.recurring(ctx, d, settings[d.Name].Schedule))
	}
	unarmed, err := s.Store.Unarmed(ctx, wanted...)
	if err != nil {
		s.warn(ctx, "recurring jobs not read; they are not armed", "", err)
		return false
	}
	all := true
	for _, recurring := range unarmed {
		armed, err := s.Store.Arm(ctx, recurring)
		switch {
		case ctx.Err() != nil:
			return false
		case err != nil:
			all = false
			s.warn(ctx, "recurring job not armed", recurring.Name, err)
		case armed != queue.ArmedUnchanged:
			s.Log.InfoContext(ctx, "recurring job armed", slog.String("job_name", recurring.Name), slog.String("schedule", recurring.Repeat.Interval),
				slog.String("timezone", recurring.Repeat.Timezone), slog.String("change", string(armed)))
		}
	}
	if all {
		s.armedAt, s.applied = now, overrides
	}
	return all
}

func overridesOf(settings map[string]job.Settings) map[string]job.ScheduleOverride {
	overrides := map[string]job.ScheduleOverride{}
	for name, of := range settings {
		if of.Schedule != nil {
			overrides[name] = *of.Schedule
		}
	}
	return overrides
}

// recurring is what a job is to be. An override that cannot be used, which
// somebody set by hand, is reported once, and the schedule stays as it is.
func (s *scheduler) recurring(ctx context.Context, d catalog.Definition, o *job.ScheduleOverride) queue.Recurring {
	r := queue.Recurring{Name: d.Name, Priority: d.Priority}
	spec, err := d.Schedule(o, s.Store.Now())
	r.Repeat = spec
	if o != nil {
		r.Enabled = o.Enabled
	}
	if err == nil {
		delete(s.reported, d.Name)
		return r
	}
	r.KeepSchedule = true
	if s.reported[d.Name] != err.Error() {
		s.reported[d.Name] = err.Error()
		s.warn(ctx, "the schedule in the settings cannot be used; the last good one stands", d.Name, err)
	}
	return r
}

func (s *scheduler) warn(ctx context.Context, message, name string, err error) {
	s.Log.WarnContext(ctx, message, slog.String("job_name", name), slog.Any("error", err)) //nolint:sloglint // constants of the callers above
}
