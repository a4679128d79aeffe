package runner

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/etrainer/backend/pkg/job"
	"github.com/etrainer/backend/pkg/queue"
)

// accept makes tasks of leases and starts what has a slot. What is not to run
// at all is recorded at once.
func (r *Runner) accept(ctx context.Context, leases []*queue.Lease) {
	if len(leases) == 0 {
		return
	}
	tasks := make([]*task, len(leases))
	for i, lease := range leases {
		tasks[i] = r.newTask(lease)
	}
	r.table.hold(tasks)
	r.reach.check(tasks)
	var wanted []*task
	for _, t := range tasks {
		if ending, over := r.overBefore(t); over {
			r.logEnding(ending, 0)
			r.recorder.take(t, ending)
		} else {
			wanted = append(wanted, t)
		}
	}
	r.table.queue(wanted)
	r.fill()
	r.presence.busy(ctx)
}

func (r *Runner) newTask(lease *queue.Lease) *task {
	t := &task{
		lease: lease, handler: r.handlers[lease.Job.Name], clock: r.options.Clock,
		beat: r.keeper.renewOne, outlives: r.outlives, size: lease.Job.Size,
	}
	t.logger = slog.New(newLines(t, r.options.Log.Handler().WithAttrs([]slog.Attr{
		slog.String("job_name", lease.Job.Name), slog.String("job_id", lease.Job.ID.Hex()), slog.Int("attempt", lease.Attempt),
	})))
	if !lease.Job.CancelledAt.IsZero() {
		t.ended = ErrCancelled // asked for before the run began
	}
	return t
}

// overBefore decides about jobs that are not to run again: one that was
// cancelled before its worker died, and one whose workers die as often as its
// policy allows attempts. No handler is called: it would take this worker down
// as well, with all that runs beside it.
func (r *Runner) overBefore(t *task) (queue.Ending, bool) {
	ending := t.ending()
	switch lease := t.lease; {
	case lease.Cancelled:
		ending.Outcome, ending.Error = job.Cancelled, ErrCancelled.Error()
	case lease.Lost > 0 && lease.Failures >= r.retryOf(lease.Job.Name).WithDefaults().MaxAttempts:
		ending.Outcome = job.Dead
		ending.Error = fmt.Sprintf("the worker died %s while it ran this job; it is not run again", times(lease.Lost))
	default:
		return queue.Ending{}, false
	}
	return ending, true
}

func times(n int) string {
	if n == 1 {
		return "once"
	}
	return fmt.Sprintf("%d times", n)
}
