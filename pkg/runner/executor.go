package runner

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/etrainer/backend/pkg/job"
	"github.com/etrainer/backend/pkg/queue"
)

// accept makes tasks of leases and starts what has a slot.
func (r *Runner) accept(ctx context.Context, leases []*queue.Lease) {
	if len(leases) == 0 {
		return
	}
	tasks := make([]*task, len(leases))
	for i, lease := range leases {
		tasks[i] = r.newTask(lease)
	}
	r.table.add(tasks)
	r.reach.check(tasks)
	r.fill()
	r.presence.busy(ctx)
}

func (r *Runner) newTask(lease *queue.Lease) *task {
	t := &task{lease: lease, handler: r.handlers[lease.Job.Name], now: r.options.Clock.Now, beat: r.keeper.renewOne}
	t.logger = slog.New(newLines(t, r.options.Log.Handler().WithAttrs([]slog.Attr{
		slog.String("job_name", lease.Job.Name), slog.String("job_id", lease.Job.ID.Hex()), slog.Int("attempt", lease.Attempt),
	})))
	if lease.Cancelled {
		t.ended = ErrCancelled // asked for before its worker died
	}
	return t
}

// fill starts waiting tasks while slots are free. Whoever frees a slot calls
// it, so no goroutine stands between a free slot and the next job.
func (r *Runner) fill() {
	for {
		t := r.table.next()
		if t == nil {
			return
		}
		r.handlersRunning.Add(1)
		go r.execute(t)
	}
}

func (r *Runner) execute(t *task) {
	defer r.handlersRunning.Done()
	for t != nil {
		began := r.options.Clock.Now()
		result, stack, err := t.run(r.working)
		took := r.options.Clock.Now().Sub(began)
		r.options.Metrics.ran(t.lease, took)
		ending := r.judge(t, result, stack, err)
		r.logEnding(ending, took)
		r.table.ran(t, took)
		r.recorder.take(t, ending)
		r.notifyFreed()
		t = r.table.next() // this goroutine keeps its slot while there is work
	}
}

// judge turns what a handler returned into an outcome.
func (r *Runner) judge(t *task, result bson.RawValue, stack string, err error) queue.Ending {
	ending := t.ending()
	ending.Result, ending.Stack = result, cutText(stack, maxStack)
	if err != nil {
		ending.Error = cutText(err.Error(), maxError)
	}
	var v *verdict
	switch {
	case t.isLost():
		ending.Outcome, ending.Error = job.Lost, ErrLeaseLost.Error()
	case err == nil:
		ending.Outcome = job.Succeeded
	case errors.As(err, &v) && v.kind == snooze:
		ending.Outcome, ending.RunAgainAt = job.Snoozed, r.options.Now().Add(v.after)
	case errors.As(err, &v) && v.kind == discard:
		ending.Outcome = job.Discarded
	case errors.As(err, &v) && v.kind == cancel, errors.Is(err, ErrCancelled):
		ending.Outcome = job.Cancelled
	case errors.Is(err, ErrStopping), errors.Is(err, ErrUnreachable):
		ending.Outcome, ending.Unstarted = job.Released, !t.wasCalled()
	case errors.As(err, &v) && v.kind == permanent:
		ending.Outcome = job.Dead
	default:
		r.retry(t, &ending)
	}
	return ending
}

// retry plans the next attempt, or none when they are exhausted.
func (r *Runner) retry(t *task, ending *queue.Ending) {
	policy := t.handler.definition.Retry
	if set := r.retries.Load(); set != nil {
		if override, ok := (*set)[t.lease.Job.Name]; ok {
			policy = override
		}
	}
	delay, ok := policy.Next(t.lease.Failures+1, rand.Float64())
	if !ok {
		ending.Outcome = job.Dead
		return
	}
	ending.Outcome, ending.RunAgainAt = job.Retrying, r.options.Now().Add(delay)
}

// setRetries publishes the retry policies that operators have set.
func (r *Runner) setRetries(settings map[string]job.Settings) {
	retries := map[string]job.Retry{}
	for name, s := range settings {
		if s.Retry != nil {
			retries[name] = *s.Retry
		}
	}
	r.retries.Store(&retries)
}

func (r *Runner) logEnding(ending queue.Ending, took time.Duration) {
	attrs := []any{
		slog.String("job_name", ending.Lease.Job.Name), slog.String("job_id", ending.Lease.Job.ID.Hex()),
		slog.Int("attempt", ending.Lease.Attempt), slog.String("outcome", string(ending.Outcome)), slog.Duration("took", took),
	}
	switch ending.Outcome {
	case job.Succeeded, job.Snoozed, job.Discarded, job.Released, job.Cancelled:
		r.options.Log.Debug("run ended", attrs...)
	case job.Retrying:
		r.options.Log.Warn("run failed; it will be retried",
			append(attrs, slog.String("error", ending.Error), slog.Time("next_attempt", ending.RunAgainAt))...)
	default:
		r.options.Log.Error("run ended badly", append(attrs, slog.String("error", ending.Error))...)
	}
}
