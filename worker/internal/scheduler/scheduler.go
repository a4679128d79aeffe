// Package scheduler keeps the recurring jobs of the catalog armed: it creates
// those that are missing, moves those whose schedule changed, and revives
// those that lost their next tick. Any number of schedulers may run at once;
// what one did, the others find done.
package scheduler

import (
	"context"
	"log/slog"
	"time"

	"github.com/jonboulle/clockwork"

	"github.com/etrainer/backend/pkg/catalog"
	"github.com/etrainer/backend/pkg/lifecycle"
	"github.com/etrainer/backend/pkg/queue"
)

// Every is how often the recurring jobs are looked at, beside the start.
const Every = 5 * time.Minute

// retryEvery is the pause after a look that failed.
const retryEvery = 10 * time.Second

// New returns a lifecycle.Service. clock nil = the real one.
func New(store queue.Producer, jobs *catalog.Catalog, clock clockwork.Clock, log *slog.Logger) *lifecycle.Loop {
	if clock == nil {
		clock = clockwork.NewRealClock()
	}
	s := scheduler{store: store, jobs: jobs, log: log}
	return lifecycle.NewLoop("scheduler", func(ctx context.Context) error {
		for {
			pause := Every
			if !s.armAll(ctx) {
				pause = retryEvery
			}
			timer := clock.NewTimer(pause)
			select {
			case <-ctx.Done():
				timer.Stop()
				return nil
			case <-timer.Chan():
			}
		}
	})
}

type scheduler struct {
	store queue.Producer
	jobs  *catalog.Catalog
	log   *slog.Logger
}

// armAll reports whether every job could be looked at.
func (s scheduler) armAll(ctx context.Context) bool {
	all := true
	for _, d := range s.jobs.Recurring() {
		armed, err := s.store.Arm(ctx, queue.Recurring{Name: d.Name, Priority: d.Priority, Repeat: d.Repeat})
		switch {
		case ctx.Err() != nil:
			return false
		case err != nil:
			all = false
			s.log.WarnContext(ctx, "recurring job not armed", slog.String("job_name", d.Name), slog.Any("error", err))
		case armed != queue.ArmedUnchanged:
			s.log.InfoContext(ctx, "recurring job armed", slog.String("job_name", d.Name),
				slog.String("schedule", d.Repeat.Interval), slog.String("timezone", d.Repeat.Timezone), slog.String("change", string(armed)))
		}
	}
	return all
}
