// Package scheduler keeps the recurring jobs of the catalog armed: it creates
// those that are missing, moves those whose schedule changed, in the program, by
// an operator at run time or by the every() of a Node process, and revives those
// that lost their next tick. It tells what is wrong with the schedules and the
// settings that are stored. Any number of schedulers may run at once; what one
// did, the others find done.
package scheduler

import (
	"context"
	"log/slog"
	"time"

	"github.com/jonboulle/clockwork"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/etrainer/backend/pkg/catalog"
	"github.com/etrainer/backend/pkg/fleet"
	"github.com/etrainer/backend/pkg/job"
	"github.com/etrainer/backend/pkg/lifecycle"
	"github.com/etrainer/backend/pkg/queue"
	"github.com/etrainer/backend/pkg/wake"
)

const (
	// Beat is how often the recurring jobs are looked at, by one command, while
	// nothing runs here; with BusyBeat while jobs run. So is what a Node process
	// changes put right.
	Beat = 30 * time.Second
	// BusyBeat is the shorter one.
	BusyBeat = 2 * time.Second
	// Every is how often the settings and all stored schedules are read beside
	// that. Settings are read at every signal as well, and at each Beat while
	// signals cannot arrive.
	Every = 5 * time.Minute
	// retryEvery is the pause after a look that failed.
	retryEvery = 10 * time.Second
)

// Store is what it needs of the queue's store.
type Store interface {
	queue.Producer
	Settings(ctx context.Context) (map[string]job.Settings, error)
	BadSchedules(ctx context.Context) ([]queue.BadSchedule, error)
	Collection() string
	Now() time.Time
}

// Fleet tells which processes are alive.
type Fleet interface {
	Instances(ctx context.Context) ([]fleet.Instance, error)
}

// Options are what New needs.
type Options struct {
	Store Store
	Jobs  *catalog.Catalog
	// Subscriber tells of changed settings; it must not be shared. nil = none
	// does, and changes are found at the next Beat.
	Subscriber wake.Subscriber
	// Busy reports whether jobs run in this process; nil = none ever do.
	Busy func() bool
	// Fleet and Self say which worker started last: of several with different
	// schedules its one counts. nil = this process is alone.
	Fleet Fleet
	Self  func() string
	// Problems receives what is wrong with stored schedules and settings; nil =
	// it is only logged.
	Problems *queue.Problems
	// Registerer gets etrainer_worker_schedule_problems and
	// etrainer_worker_settings_problems; nil = nobody counts.
	Registerer prometheus.Registerer
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
	if o.Busy == nil {
		o.Busy = func() bool { return false }
	}
	if o.Problems == nil {
		o.Problems = queue.NewProblems(o.Store.Now, o.Log)
	}
	s := &scheduler{Options: o, reported: map[string]string{}, counts: newCounts(o.Registerer)}
	return lifecycle.NewLoop("scheduler", s.run)
}

type scheduler struct {
	Options
	counts   counts
	reported map[string]string // what was logged last of a name

	settings map[string]job.Settings // as they were read last; nil = never
	wholeAt  time.Time               // when everything was looked at last
	told     bool                    // settings changed since
	outdated bool                    // another worker's schedules count
}

func (s *scheduler) run(ctx context.Context) error {
	for {
		pause := Beat
		if s.Busy() {
			pause = BusyBeat
		}
		if !s.look(ctx) {
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
				s.told = true
				return true
			}
		}
	}
}

// look reports whether everything that was to be looked at could be.
func (s *scheduler) look(ctx context.Context) bool {
	now := s.Clock.Now()
	whole := s.settings == nil || s.told || now.Sub(s.wholeAt) >= Every
	if (whole || !s.Subscriber.Connected()) && !s.readSettings(ctx) {
		return false
	}
	if !s.arm(ctx) {
		return false
	}
	if whole {
		if !s.checkSchedules(ctx) {
			return false
		}
		s.wholeAt, s.told = now, false
	}
	return true
}

func (s *scheduler) warn(ctx context.Context, message, name string, err error) {
	s.Log.WarnContext(ctx, message, slog.String("job_name", name), slog.Any("error", err)) //nolint:sloglint // constants of the callers
}
