package runner

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/etrainer/backend/pkg/job"
	"github.com/etrainer/backend/pkg/queue"
)

const (
	// gatherOutcomes is how long outcomes wait for others to share their
	// commands: until none has come for this time, but not for longer than
	// gatherAtMost. While a batch is being written, the next one gathers.
	gatherOutcomes = 2 * time.Millisecond
	gatherAtMost   = 10 * time.Millisecond
	maxOutcomes    = 1000
	// writers is how many batches are written at once, so that one goes to
	// the jobs while another goes to the history. The second begins only
	// with worthOverlap outcomes: a smaller batch had better wait and grow.
	writers      = 2
	worthOverlap = 200
	// recordTimeout bounds one try to write a batch.
	recordTimeout = 20 * time.Second
)

// recorder stores outcomes in batches.
type recorder struct {
	*Runner
	mu      sync.Mutex
	pending []outcome
	writing int           // batches that are being written
	full    chan struct{} // has one element when an outcome came
	free    chan struct{} // has one element when a batch was written
	closing chan struct{} // closed when no outcome will follow
	written chan struct{} // closed when everything is written after that
}

type outcome struct {
	task   *task
	ending queue.Ending
}

func newRecorder(r *Runner) *recorder {
	return &recorder{
		Runner: r, full: make(chan struct{}, 1), free: make(chan struct{}, 1),
		closing: make(chan struct{}), written: make(chan struct{}),
	}
}

// take accepts an outcome. It never blocks: there are at most as many as
// leases held.
func (r *recorder) take(t *task, ending queue.Ending) {
	r.mu.Lock()
	r.pending = append(r.pending, outcome{t, ending})
	r.mu.Unlock()
	notify(r.full)
}

// run writes batches until it is closed and everything is written. ctx ends
// it at once.
func (r *recorder) run(ctx context.Context) error {
	var batches sync.WaitGroup
	defer batches.Wait()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-r.closing:
			r.flush(ctx, &batches, true)
			batches.Wait()
			close(r.written)
			<-ctx.Done() // a Loop that returns before it is stopped has failed
			return nil
		case <-r.full:
			r.gather(ctx)
			r.flush(ctx, &batches, false)
		case <-r.free:
			r.flush(ctx, &batches, false)
		}
	}
}

// gather waits as long as outcomes keep coming, within gatherAtMost.
func (r *recorder) gather(ctx context.Context) {
	began := r.options.Clock.Now()
	for more := true; more; {
		timer := r.options.Clock.NewTimer(gatherOutcomes)
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-r.closing:
			timer.Stop()
			return
		case <-timer.Chan():
		}
		select {
		case <-r.full:
			more = r.options.Clock.Since(began) < gatherAtMost
		default:
			more = false
		}
	}
}

// flush begins to write what is pending, as far as it is to be written now.
func (r *recorder) flush(ctx context.Context, batches *sync.WaitGroup, all bool) {
	for ctx.Err() == nil {
		batch := r.takeBatch(all)
		if len(batch) == 0 {
			return
		}
		batches.Go(func() {
			r.write(ctx, batch)
			for _, o := range batch {
				r.table.settle(o.task)
			}
			r.mu.Lock()
			r.writing--
			r.mu.Unlock()
			notify(r.free)
			r.notifyFreed()
		})
	}
}

// takeBatch returns the next batch to write; none when it had better wait.
func (r *recorder) takeBatch(all bool) []outcome {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !all && (r.writing == writers || r.writing > 0 && len(r.pending) < worthOverlap) {
		return nil
	}
	n := min(len(r.pending), maxOutcomes)
	if n == 0 {
		return nil
	}
	batch := r.pending[:n:n]
	r.pending = r.pending[n:]
	r.writing++
	return batch
}

// write stores one batch, and goes on trying while its leases live.
func (r *recorder) write(ctx context.Context, batch []outcome) {
	endings := make([]queue.Ending, len(batch))
	for i, o := range batch {
		endings[i] = o.ending
		if o.task.isLost() {
			endings[i].Outcome = job.Lost
		}
	}
	delay := 50 * time.Millisecond
	for {
		results, err := r.record(ctx, batch, endings)
		if err == nil {
			r.report(batch, endings, results)
			return
		}
		if ctx.Err() != nil || r.allOverdue(endings) {
			r.options.Log.ErrorContext(ctx, "outcomes not recorded; the jobs will run again", slog.Int("count", len(batch)), slog.Any("error", err))
			return
		}
		r.options.Log.WarnContext(ctx, "outcomes not recorded yet; trying again", slog.Int("count", len(batch)), slog.Any("error", err))
		timer := r.options.Clock.NewTimer(delay)
		select {
		case <-ctx.Done():
		case <-timer.Chan():
		}
		timer.Stop()
		delay = min(2*delay, 2*time.Second)
	}
}

// record writes a batch once. What it wrote is settled before the fence opens:
// the keeper would find recorded jobs without a lock, and take them for lost.
func (r *recorder) record(ctx context.Context, batch []outcome, endings []queue.Ending) ([]error, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, recordTimeout, errRecordTimeout)
	defer cancel()
	r.fence.RLock()
	defer r.fence.RUnlock()
	results, err := r.options.Store.Record(ctx, endings)
	if err == nil {
		_, err = r.options.Store.RecordRuns(ctx, endings)
	}
	if err == nil {
		for _, o := range batch {
			r.table.settle(o.task)
		}
	}
	return results, err
}

// allOverdue reports whether every lease has outlived its lifetime: others
// may hold the jobs now, and writing is of no use.
func (r *recorder) allOverdue(endings []queue.Ending) bool {
	now := r.options.Now()
	r.fence.Lock()
	defer r.fence.Unlock()
	for _, e := range endings {
		if now.Sub(e.Lease.Stamp) < r.lifetime(e.Lease.Job.Name) {
			return false
		}
	}
	return true
}

func (r *recorder) report(batch []outcome, endings []queue.Ending, results []error) {
	for i, o := range batch {
		r.options.Metrics.ended(endings[i].Lease, endings[i].Outcome)
		if results[i] != nil {
			r.options.Log.Warn("outcome refused: the lease was lost",
				slog.String("job_name", o.task.lease.Job.Name), slog.String("job_id", o.task.lease.Job.ID.Hex()))
		}
	}
}
