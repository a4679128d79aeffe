package runner

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/jonboulle/clockwork"

	"github.com/etrainer/backend/pkg/queue"
)

// outliveAfter is how long a handler may go on after its context has ended
// before that is told.
const outliveAfter = 5 * time.Second

// watchEnd calls tell, once, if done is not called soon after the context has
// ended.
func watchEnd(ctx context.Context, clock clockwork.Clock, tell func(ctx context.Context)) (done func()) {
	var mu sync.Mutex
	var timer clockwork.Timer
	returned := false
	forget := context.AfterFunc(ctx, func() {
		mu.Lock()
		defer mu.Unlock()
		if !returned {
			timer = clock.AfterFunc(outliveAfter, func() { tell(ctx) })
		}
	})
	return func() {
		forget()
		mu.Lock()
		defer mu.Unlock()
		returned = true
		if timer != nil {
			timer.Stop()
		}
	}
}

// outlives tells of a handler that ignores the end of its context: it timed
// out, was cancelled, or lost its lease. Go cannot end it, so it keeps its slot
// until it returns; only a change of its source helps.
func (r *Runner) outlives(ctx context.Context, t *task) {
	cause := context.Cause(ctx)
	if errors.Is(cause, ErrStopping) {
		return // Stop tells of it
	}
	lease, age := t.lease, t.runningFor()
	r.options.Metrics.outlived(lease.Job.Name)
	r.options.Log.ErrorContext(ctx, "a handler ignores the end of its context, and keeps its slot until it returns",
		slog.String("job_name", lease.Job.Name), slog.String("job_id", lease.Job.ID.Hex()),
		slog.Duration("running_for", age), slog.String("cause", cause.Error()))
	r.options.Problems.Report(context.WithoutCancel(ctx), queue.Problem{
		Collection: "agendaJobs", ID: lease.Job.ID.Hex(), Name: lease.Job.Name,
		What: fmt.Sprintf("its handler in %s goes on although its context has ended: %s", lease.Holder, cause),
		Fix:  "let the handler return when its context ends, and restart the worker to free the slot",
	})
}
