package runner

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/etrainer/backend/pkg/catalog"
	"github.com/etrainer/backend/pkg/job"
	"github.com/etrainer/backend/pkg/queue"
)

// Job is what a handler is given.
type Job[P any] struct {
	ID      bson.ObjectID
	Name    string
	Payload P
	// Tick is the planned time that this run serves. It stays the same over
	// all attempts: use it, and not the present, to decide what the run is
	// about, and as the idempotency key of its effects.
	Tick    time.Time
	Attempt int // 1 for the first run of the tick
}

// Handler runs the jobs of one name. Make it with Handle.
type Handler struct {
	definition catalog.Definition
	run        func(ctx context.Context, lease *queue.Lease) (bson.RawValue, error)
}

// Definition returns what the handler was made for.
func (h Handler) Definition() catalog.Definition { return h.definition }

// Handle makes a Handler from a typed function. The result is stored with
// the run, through its JSON form, of at most a megabyte. An error is a failed attempt, unless it is
// one of the verdicts (Snooze, Discard, Cancel, Permanent). A payload that
// cannot be decoded fails for good, because another attempt would not help.
func Handle[P catalog.Payload, R any](kind catalog.Job[P], run func(ctx context.Context, j Job[P]) (R, error)) Handler {
	return Handler{definition: kind.Definition, run: func(ctx context.Context, lease *queue.Lease) (bson.RawValue, error) {
		payload, err := kind.Decode(lease.Job)
		if err != nil {
			return bson.RawValue{}, Permanent(err)
		}
		result, err := run(ctx, Job[P]{
			ID: lease.Job.ID, Name: lease.Job.Name, Payload: payload, Tick: lease.Tick, Attempt: lease.Attempt,
		})
		if err != nil {
			return bson.RawValue{}, err
		}
		return keepable(result)
	}}
}

// keepable is the stored form of a result. One that cannot be kept fails the
// run for good: the next attempt would do the work again and end alike.
func keepable(result any) (bson.RawValue, error) {
	data, err := job.ToData(result)
	if err != nil {
		return bson.RawValue{}, Permanent(fmt.Errorf("the result cannot be stored: %w", err))
	}
	if len(data.Value) > maxResult {
		return bson.RawValue{}, Permanent(fmt.Errorf(
			"the result takes %d bytes, and a run keeps at most %d: store it elsewhere and return where", len(data.Value), maxResult))
	}
	return data, nil
}

type taskKey struct{}

func taskOf(ctx context.Context) *task {
	t, _ := ctx.Value(taskKey{}).(*task)
	return t
}

// Progress stores how far the run is: percent from 0 to 100, and a message
// for people. It reaches the database within about a second; calling it often
// costs nothing. Outside a run it does nothing.
func Progress(ctx context.Context, percent float64, message string) {
	if t := taskOf(ctx); t != nil {
		if percent != percent { // NaN, of 0 done of 0
			percent = 0
		}
		t.setProgress(min(max(percent, 0), 100), message)
	}
}

// Logger returns a logger whose lines go to the record of the run, where the
// api shows them, and to the log of the process. The record keeps the newest
// 200 lines. Outside a run the lines are dropped.
func Logger(ctx context.Context) *slog.Logger {
	if t := taskOf(ctx); t != nil {
		return t.logger
	}
	return slog.New(slog.DiscardHandler)
}

// Heartbeat renews the lease now and returns why the run must stop, if it
// must: lease lost, cancelled, timed out, worker stopping. Leases are renewed
// in the background as well; a handler calls this before an effect that must
// not be repeated.
func Heartbeat(ctx context.Context) error {
	if t := taskOf(ctx); t != nil {
		return t.heartbeat(ctx)
	}
	return context.Cause(ctx)
}
