// Package janitor removes what has outlived its retention. On engines with TTL
// indexes it finds nothing left to do.
package janitor

import (
	"context"
	"log/slog"
	"time"

	"github.com/jonboulle/clockwork"

	"github.com/etrainer/backend/pkg/lifecycle"
)

// Every is how often it looks.
const Every = time.Hour

// Task is one kind of thing to remove.
type Task struct {
	What  string // in the plural, for the log: "run records"
	Purge func(ctx context.Context) (int64, error)
}

// New returns a lifecycle.Service. clock nil = the real one.
func New(clock clockwork.Clock, log *slog.Logger, tasks ...Task) *lifecycle.Loop {
	if clock == nil {
		clock = clockwork.NewRealClock()
	}
	return lifecycle.NewLoop("janitor", func(ctx context.Context) error {
		ticker := clock.NewTicker(Every)
		defer ticker.Stop()
		for {
			select {
			case <-ctx.Done():
				return nil
			case <-ticker.Chan():
			}
			for _, task := range tasks {
				task.run(ctx, log)
			}
		}
	})
}

// run does a task; its failure is not the next one's.
func (t Task) run(ctx context.Context, log *slog.Logger) {
	removed, err := t.Purge(ctx)
	switch {
	case ctx.Err() != nil:
	case err != nil:
		log.WarnContext(ctx, "retention not kept", slog.String("of", t.What), slog.Any("error", err))
	case removed > 0:
		log.InfoContext(ctx, "removed by retention", slog.String("what", t.What), slog.Int64("count", removed))
	}
}
