// Package retention is the job "apply retention": it removes the records of
// the queue and of the jobs that have outlived their retention. On engines with
// TTL indexes it finds little to do; finished jobs are removed on every engine.
package retention

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/etrainer/backend/pkg/catalog"
	"github.com/etrainer/backend/pkg/runner"
)

// Kind is one kind of record.
type Kind struct {
	Name  string // in the plural: "run records"
	Purge func(ctx context.Context) (removed int64, err error)
}

// Result is what a run tells.
type Result struct {
	Removed map[string]int64 `json:"removed"` // by kind; one that is kept for ever is not among them
}

// New returns the handler.
func New(kinds ...Kind) runner.Handler {
	return runner.Handle(catalog.Retention, func(ctx context.Context, _ runner.Job[catalog.RetentionPayload]) (Result, error) {
		result := Result{Removed: map[string]int64{}}
		var failures []error
		for i, kind := range kinds {
			if err := runner.Heartbeat(ctx); err != nil {
				return result, errors.Join(append(failures, err)...)
			}
			removed, err := kind.Purge(ctx)
			result.Removed[kind.Name] = removed
			if err != nil { // which is not the next kind's
				failures = append(failures, fmt.Errorf("remove %s: %w", kind.Name, err))
			}
			runner.Logger(ctx).InfoContext(ctx, "removed by retention", slog.String("what", kind.Name), slog.Int64("count", removed))
			runner.Progress(ctx, 100*float64(i+1)/float64(len(kinds)), kind.Name+" done")
		}
		return result, errors.Join(failures...)
	})
}
