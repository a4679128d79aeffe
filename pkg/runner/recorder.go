package runner

import (
	"context"
	"sync"
	"time"

	"github.com/etrainer/backend/pkg/queue"
)

const (
	// gatherOutcomes is how long outcomes wait for others to share their
	// commands: until none has come for this time, but not for longer than
	// gatherAtMost. While a batch is being written, the next one gathers.
	gatherOutcomes = 2 * time.Millisecond
	gatherAtMost   = 10 * time.Millisecond
	maxOutcomes    = 1000
	// maxOutcomeBytes bounds a batch by what its results and lines weigh.
	maxOutcomeBytes = 8 << 20
	// writers is how many batches are written at once. The second begins only
	// with worthOverlap outcomes: a smaller batch had better wait and grow.
	writers      = 2
	worthOverlap = 200
	// recordTimeout bounds one try to write a batch, and aloneTimeout one to
	// write an outcome that is suspected to hold back others.
	recordTimeout = 20 * time.Second
	aloneTimeout  = 5 * time.Second
)

// recorder stores outcomes in batches (this file). What could not be written is
// tried again (retry.go); the history follows in its own time (history.go).
type recorder struct {
	*Runner
	came    chan struct{} // has one element when an outcome came
	free    chan struct{} // has one element when a batch was written, or put aside
	closing chan struct{} // closed when no outcome will follow
	written chan struct{} // closed when nothing is left after that

	mu        sync.Mutex
	fresh     []outcome
	aside     []*batch  // failed batches that wait for their next try
	writing   int       // batches that are being written
	alone     bool      // an outcome is being written alone
	succeeded time.Time // local clock: when a batch was last written
	warned    time.Time // local clock: when a failure was last told
	closed    bool
	lost      int // outcomes that were given up
}

// outcome is a run that has ended, until it is stored.
type outcome struct {
	task   *task
	ending queue.Ending
}

func newRecorder(r *Runner) *recorder {
	return &recorder{
		Runner: r, came: make(chan struct{}, 1), free: make(chan struct{}, 1),
		closing: make(chan struct{}), written: make(chan struct{}),
	}
}

// left tells how many outcomes are not stored, and those that were given up
// since the end.
func (r *recorder) left() (n, lost int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.table.unrecorded(), r.lost
}

// take accepts an outcome. It never blocks: there are at most as many as
// leases held, and these are bounded (Options.Held).
func (r *recorder) take(t *task, ending queue.Ending) {
	r.table.grow(t, weightOf(ending))
	r.mu.Lock()
	r.fresh = append(r.fresh, outcome{t, ending})
	r.mu.Unlock()
	notify(r.came)
}

// weightOf is what an outcome carries, in bytes.
func weightOf(ending queue.Ending) int {
	weight := len(ending.Result.Value) + len(ending.Error) + len(ending.Stack)
	for _, line := range ending.Logs {
		weight += len(line.Message)
	}
	return weight
}

// run writes batches until it is closed and everything is written. ctx ends
// it at once.
func (r *recorder) run(ctx context.Context) error {
	var batches sync.WaitGroup
	defer batches.Wait()
	closing := r.closing
	for {
		retry, stop := r.retryTimer()
		select {
		case <-ctx.Done():
		case <-closing:
			closing = nil
			r.close()
		case <-r.came:
			r.gather(ctx)
		case <-r.free:
		case <-retry:
		}
		stop()
		if ctx.Err() != nil {
			return nil
		}
		r.flush(ctx, &batches)
		if closing == nil && r.done() {
			<-ctx.Done() // a Loop that returns before it is stopped has failed
			return nil
		}
	}
}

// close begins the end: what is put aside is tried at once.
func (r *recorder) close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closed = true
	for _, b := range r.aside {
		b.at = time.Time{}
	}
}

// done reports whether nothing is left after the end, and tells it.
func (r *recorder) done() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.fresh)+len(r.aside)+r.writing > 0 || r.alone {
		return false
	}
	close(r.written)
	return true
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
		case <-r.came:
			more = r.options.Clock.Since(began) < gatherAtMost
		default:
			more = false
		}
	}
}

// flush begins to write what is to be written now.
func (r *recorder) flush(ctx context.Context, batches *sync.WaitGroup) {
	for ctx.Err() == nil {
		b := r.takeBatch()
		if b == nil {
			return
		}
		alone := b.alone
		batches.Go(func() {
			r.write(ctx, b)
			r.mu.Lock()
			if alone {
				r.alone = false
			} else {
				r.writing--
			}
			r.mu.Unlock()
			notify(r.free)
		})
	}
}

// takeBatch returns the next batch to write; nil when it had better wait.
func (r *recorder) takeBatch() *batch {
	r.mu.Lock()
	defer r.mu.Unlock()
	if b := r.takeAside(); b != nil {
		return b
	}
	if len(r.fresh) == 0 || r.writing == writers || !r.closed && r.writing > 0 && len(r.fresh) < worthOverlap {
		return nil
	}
	n, weight := 0, 0
	for ; n < min(len(r.fresh), maxOutcomes) && (n == 0 || weight < maxOutcomeBytes); n++ {
		weight += weightOf(r.fresh[n].ending)
	}
	b := &batch{outcomes: r.fresh[:n:n]}
	r.fresh = r.fresh[n:]
	r.writing++
	return b
}
