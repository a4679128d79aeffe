// Package janitor removes the records of runs whose retention has ended. On
// engines with TTL indexes it finds nothing left to do.
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

// Store is what it needs of the queue's store.
type Store interface {
	Now() time.Time
	PurgeRuns(ctx context.Context, now time.Time) (int64, error)
}

// New returns a lifecycle.Service. clock nil = the real one.
func New(store Store, clock clockwork.Clock, log *slog.Logger) *lifecycle.Loop {
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
			removed, err := store.PurgeRuns(ctx, store.Now())
			switch {
			case ctx.Err() != nil:
				return nil
			case err != nil:
				log.WarnContext(ctx, "old runs not removed", slog.Any("error", err))
			case removed > 0:
				log.InfoContext(ctx, "old runs removed", slog.Int64("count", removed))
			}
		}
	})
}
