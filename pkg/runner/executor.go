package runner

import (
	"errors"
	"log/slog"
	"math/rand/v2"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/etrainer/backend/pkg/errs"
	"github.com/etrainer/backend/pkg/job"
	"github.com/etrainer/backend/pkg/queue"
)

// minSnooze is the least time until a snoozed job runs again: a handler that
// snoozes for no time at all must not keep a worker and the database busy.
const minSnooze = time.Second

var errGoexit = errors.New("the handler ended its goroutine by runtime.Goexit; a handler must return")

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
		r.runTask(t)
		t = r.table.next() // this goroutine keeps its slot while there is work
	}
}

// runTask runs one task in its slot. What follows the handler is deferred,
// because a handler can end the goroutine: others then take over its slot.
func (r *Runner) runTask(t *task) {
	began := r.options.Clock.Now()
	var result bson.RawValue
	var stack string
	err := errGoexit
	defer func() {
		took := r.options.Clock.Now().Sub(began)
		r.options.Metrics.ran(t.lease, took)
		ending := r.judge(t, result, stack, err)
		r.logEnding(ending, took)
		r.table.ran(t, took)
		r.recorder.take(t, ending)
		r.notifyFreed()
		if errors.Is(err, errGoexit) {
			r.fill()
		}
	}()
	result, stack, err = t.run(r.working)
}

// judge turns what a handler returned into an outcome.
func (r *Runner) judge(t *task, result bson.RawValue, stack string, err error) queue.Ending {
	ending := t.ending()
	ending.Result, ending.Stack = result, errs.ShortenTo(stack, maxStack)
	if err != nil {
		ending.Error = errs.ShortenTo(err.Error(), maxError)
	}
	var v *verdict
	switch {
	case t.isLost():
		ending.Outcome, ending.Error = job.Lost, ErrLeaseLost.Error()
	case err == nil:
		ending.Outcome = job.Succeeded
	case errors.As(err, &v) && v.kind == snooze:
		ending.Outcome, ending.RunAgainAt = job.Snoozed, r.options.Server.Now().Add(max(v.after, minSnooze))
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
	delay, ok := r.retryOf(t.lease.Job.Name).Next(t.lease.Failures+1, rand.Float64())
	if !ok {
		ending.Outcome = job.Dead
		return
	}
	ending.Outcome, ending.RunAgainAt = job.Retrying, r.options.Server.Now().Add(delay)
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
