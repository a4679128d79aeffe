package runner

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"time"

	"github.com/etrainer/backend/pkg/job"
	"github.com/etrainer/backend/pkg/queue"
)

const (
	// firstRetry is the time to the second try of a batch; it doubles up to
	// lastRetry.
	firstRetry = 50 * time.Millisecond
	lastRetry  = 2 * time.Second
	// divideFailures in a row, while a batch is divided, mean that the
	// database went away again: more than it takes to come from a whole batch to
	// the one outcome that it does not store.
	divideFailures = 16
	// An outcome that fails alone, so often and for so long, although the
	// database takes others, is given up.
	givenUpTries = 5
	givenUpAfter = 20 * time.Second
	// warnEvery bounds how often a failure is told.
	warnEvery = 30 * time.Second
)

// batch is a set of outcomes that are written together.
type batch struct {
	outcomes []outcome
	tries    int
	at       time.Time // local clock: when to try again
	alone    bool      // its one outcome failed although others were written
	since    time.Time // local clock: when it failed alone for the first time
	stamp    time.Time // of its lease at that time
}

// takeAside returns a failed batch whose time has come. One that failed alone
// has a writer of its own, and holds back nobody. The caller holds the lock.
func (r *recorder) takeAside() *batch {
	now := r.options.Clock.Now()
	for i, b := range r.aside {
		if now.Before(b.at) || b.alone && r.alone || !b.alone && r.writing == writers {
			continue
		}
		r.aside = slices.Delete(r.aside, i, i+1)
		if b.alone {
			r.alone = true
		} else {
			r.writing++
		}
		return b
	}
	return nil
}

// retryTimer tells when the next try of a failed batch is due; nil = there is
// none.
func (r *recorder) retryTimer() (retry <-chan time.Time, stop func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	var next time.Time
	for _, b := range r.aside {
		next = earlier(next, b.at)
	}
	if len(r.aside) == 0 {
		return nil, func() {}
	}
	timer := r.options.Clock.NewTimer(max(next.Sub(r.options.Clock.Now()), time.Millisecond))
	return timer.Chan(), func() { timer.Stop() }
}

// write stores one batch, or puts it aside. Of a batch that failed before, one
// outcome goes ahead to see whether the database is there: an absent one is
// asked with little, and one that takes this but not the rest refuses
// something in it, which is then looked for.
func (r *recorder) write(ctx context.Context, b *batch) {
	if b.tries == 0 || len(b.outcomes) == 1 {
		if err := r.record(ctx, b.outcomes, b.tries > 0, b.alone); err != nil {
			r.putAside(ctx, b, err)
		}
		return
	}
	scout := b.outcomes[:1:1]
	if err := r.record(ctx, scout, true, false); err != nil {
		b.outcomes = append(b.outcomes[1:], scout...)
		r.putAside(ctx, b, err)
		return
	}
	r.divide(ctx, b.outcomes[1:])
}

// divide writes outcomes in ever smaller parts, until those that fail are
// alone.
func (r *recorder) divide(ctx context.Context, outcomes []outcome) {
	parts := [][]outcome{outcomes}
	for failures := 0; len(parts) > 0; {
		part := parts[len(parts)-1]
		parts = parts[:len(parts)-1]
		err := r.record(ctx, part, true, false)
		if err == nil {
			failures = 0
			continue
		}
		failures++
		half := len(part) / 2
		switch {
		case failures == divideFailures || ctx.Err() != nil:
			for _, other := range parts {
				part = append(part, other...)
			}
			r.putAside(ctx, &batch{outcomes: part, tries: 1}, err)
			return
		case half == 0:
			r.putAside(ctx, &batch{outcomes: part, tries: 1, alone: true}, err)
		default:
			parts = append(parts, part[half:], part[:half:half])
		}
	}
}

// putAside keeps a failed batch for another try, or gives it up.
func (r *recorder) putAside(ctx context.Context, b *batch, err error) {
	b.tries++
	now := r.options.Clock.Now()
	if r.hopeless(b, now) {
		r.giveUp(ctx, b, err)
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	b.at = now.Add(min(firstRetry<<min(b.tries-1, 10), lastRetry))
	if now.Sub(r.warned) >= warnEvery {
		r.warned = now
		r.options.Log.WarnContext(ctx, "outcomes not recorded yet; trying again",
			slog.Int("count", r.table.unrecorded()), slog.Any("error", err))
	}
	for _, other := range r.aside { // an outage must not end in a thousand small batches
		if !b.alone && !other.alone && len(b.outcomes)+len(other.outcomes) <= maxOutcomes {
			other.outcomes = append(other.outcomes, b.outcomes...)
			return
		}
	}
	r.aside = append(r.aside, b)
}

// hopeless reports whether the one outcome of a batch has failed so often,
// though the database takes writes, that it will not be stored. When the process stops,
// one failure is enough for that.
func (r *recorder) hopeless(b *batch, now time.Time) bool {
	if len(b.outcomes) > 1 {
		return false
	}
	r.fence.RLock()
	stamp := b.outcomes[0].task.lease.Stamp
	r.fence.RUnlock()
	r.mu.Lock()
	defer r.mu.Unlock()
	if b.since.IsZero() {
		b.since, b.stamp = now, stamp
	}
	// A lease that was renewed, or another outcome that was stored, since this
	// one failed shows that the database is there.
	there := stamp.After(b.stamp) || r.succeeded.After(b.since)
	b.alone = b.alone || there
	return there && (r.closed || b.tries >= givenUpTries && now.Sub(b.since) >= givenUpAfter)
}

// giveUp lets go of an outcome that the database does not store. Its lease is
// not renewed any more, so that the job runs again when the lock expires.
func (r *recorder) giveUp(ctx context.Context, b *batch, err error) {
	for _, o := range b.outcomes {
		r.refused(ctx, o, err)
		r.table.settle(o.task)
	}
	r.mu.Lock()
	if r.closed {
		r.lost += len(b.outcomes)
	}
	r.mu.Unlock()
	r.notifyFreed()
}

func (r *recorder) refused(ctx context.Context, o outcome, err error) {
	r.options.Metrics.refusedOutcome(o.task.lease.Job.Name)
	r.options.Log.ErrorContext(ctx, "the database does not store an outcome; the job runs again when its lock has expired",
		slog.String("job_name", o.task.lease.Job.Name), slog.String("job_id", o.task.lease.Job.ID.Hex()),
		slog.String("outcome", string(o.ending.Outcome)), slog.Any("error", err))
}

// record writes outcomes once. What it wrote is settled before the fence opens:
// the keeper would find recorded jobs without a lock, and take them for lost.
func (r *recorder) record(ctx context.Context, outcomes []outcome, again, alone bool) error {
	limit := recordTimeout
	if alone {
		limit = aloneTimeout
	}
	ctx, cancel := context.WithTimeoutCause(ctx, limit, errRecordTimeout)
	defer cancel()
	endings := make([]queue.Ending, len(outcomes))
	for i := range outcomes {
		endings[i] = outcomes[i].ending
		if !again && outcomes[i].task.isLost() { // a try that seemed to fail may have stored it
			endings[i].Outcome = job.Lost
		}
	}
	results, err := r.recordFenced(ctx, outcomes, endings)
	if err != nil {
		for i := range outcomes {
			outcomes[i].ending = endings[i] // FinishedAt tells the next try from this one
		}
		return err
	}
	r.recorded(ctx, outcomes, endings, results)
	return nil
}

func (r *recorder) recordFenced(ctx context.Context, outcomes []outcome, endings []queue.Ending) ([]error, error) {
	r.fence.RLock()
	defer r.fence.RUnlock()
	results, err := r.options.Store.Record(ctx, endings)
	if err == nil {
		for _, o := range outcomes {
			r.table.settle(o.task)
		}
	}
	return results, err
}

// recorded tells everybody of outcomes that are stored.
func (r *recorder) recorded(ctx context.Context, outcomes []outcome, endings []queue.Ending, results []error) {
	r.mu.Lock()
	r.succeeded = r.options.Clock.Now()
	r.mu.Unlock()
	var next time.Time
	told := make([]queue.Ending, 0, len(endings))
	for i, o := range outcomes {
		lease := o.task.lease
		switch result := results[i]; {
		case result == nil:
			next = earlier(next, endings[i].RunAgainAt)
		case errors.Is(result, queue.ErrLeaseLost):
			r.options.Log.WarnContext(ctx, "outcome refused: the lease was lost",
				slog.String("job_name", lease.Job.Name), slog.String("job_id", lease.Job.ID.Hex()))
		default:
			r.refused(ctx, o, result)
			continue // whoever takes the expired lock records the run as lost
		}
		r.options.Metrics.ended(lease, endings[i].Outcome)
		told = append(told, endings[i])
	}
	r.history.take(told)
	if !next.IsZero() {
		r.fetcher.plan(next)
	}
	r.notifyFreed()
}
