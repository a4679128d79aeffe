package runner

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/etrainer/backend/pkg/queue"
)

const (
	// maxHistory and maxHistoryBytes bound the run records that wait to be
	// written; beyond them the oldest are dropped.
	maxHistory      = 10_000
	maxHistoryBytes = 32 << 20
	// historyTimeout bounds one write of run records.
	historyTimeout = 20 * time.Second
	// firstHistoryRetry is the pause after a failure; it doubles up to
	// lastHistoryRetry.
	firstHistoryRetry = 100 * time.Millisecond
	lastHistoryRetry  = 5 * time.Second
	// historyTries is how often a run record is tried alone, while others are
	// written, before it is dropped.
	historyTries = 3
	// historyGrace is how long a stop waits for a database that takes none.
	historyGrace = 2 * time.Second
)

// history writes the records of runs whose outcomes are stored. Nothing waits
// for it: the outcome is the promise, and the record tells of it.
type history struct {
	*Runner
	came    chan struct{} // has one element when records came
	closing chan struct{} // closed when none will follow
	written chan struct{} // closed when nothing is left after that, or no more is tried

	// These belong to the loop.
	size      int           // of the next batch
	delay     time.Duration // after the next failure
	successes int           // writes that worked

	mu      sync.Mutex
	records []record  // oldest first; without those that are being written
	bytes   int       // of the records
	told    time.Time // local clock: when drops were last told
	untold  int       // drops since then
}

// record is one run record that waits.
type record struct {
	ending queue.Ending
	tries  int // alone
	since  int // how many writes had worked when it failed alone first
}

func newHistory(r *Runner) *history {
	return &history{
		Runner: r, came: make(chan struct{}, 1), closing: make(chan struct{}), written: make(chan struct{}),
		size: maxOutcomes, delay: firstHistoryRetry,
	}
}

// take accepts records. It never blocks: too many push out the oldest.
func (h *history) take(endings []queue.Ending) {
	records := make([]record, len(endings))
	for i, ending := range endings {
		records[i] = record{ending: ending}
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.add(records, false)
	notify(h.came)
}

// add puts records at one end, within the bound. The caller holds the lock.
func (h *history) add(records []record, front bool) {
	for _, each := range records {
		h.bytes += weightOf(each.ending)
	}
	if front {
		h.records = append(records, h.records...)
	} else {
		h.records = append(h.records, records...)
	}
	over := 0
	for ; len(h.records)-over > maxHistory || h.bytes > maxHistoryBytes; over++ {
		h.bytes -= weightOf(h.records[over].ending)
	}
	h.records = h.records[over:]
	h.drop(over, "too many wait for the database")
}

// drop counts records that are lost, and tells of them now and then. The
// caller holds the lock.
func (h *history) drop(n int, why string) {
	if n == 0 {
		return
	}
	h.untold += n
	h.options.Metrics.droppedRuns(n)
	if now := h.options.Clock.Now(); now.Sub(h.told) >= warnEvery {
		h.options.Log.Error("run records are lost; the jobs and their outcomes are not", slog.Int("count", h.untold), slog.String("reason", why))
		h.told, h.untold = now, 0
	}
}

// next removes the records to write now. One that failed alone goes alone.
func (h *history) next() []record {
	h.mu.Lock()
	defer h.mu.Unlock()
	n, weight := 0, 0
	for n < min(h.size, len(h.records)) && weight < maxOutcomeBytes {
		if h.records[n].tries > 0 && n > 0 {
			break
		}
		weight += weightOf(h.records[n].ending)
		n++
		if h.records[n-1].tries > 0 {
			break
		}
	}
	h.bytes -= weight
	batch := h.records[:n:n]
	h.records = h.records[n:]
	return batch
}

// run writes until it is closed and nothing is left. ctx ends it at once.
func (h *history) run(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-h.came:
			h.flush(ctx)
		case <-h.closing:
			h.flush(ctx)
			close(h.written)
			<-ctx.Done() // a Loop that returns before it is stopped has failed
			return nil
		}
	}
}

// flush writes what waits, and goes on trying until that is done.
func (h *history) flush(ctx context.Context) {
	var closed time.Time // local clock: when writing failed first after the end
	for ctx.Err() == nil {
		batch := h.next()
		if len(batch) == 0 {
			return
		}
		err := h.write(ctx, batch)
		if err == nil {
			h.size, h.delay = min(2*h.size, maxOutcomes), firstHistoryRetry
			h.successes++
			continue
		}
		h.keep(ctx, batch, err)
		if h.ending() {
			if now := h.options.Clock.Now(); closed.IsZero() {
				closed = now
			} else if now.Sub(closed) >= historyGrace {
				return
			}
		}
		h.pause(ctx)
	}
}

// write stores a batch once.
func (h *history) write(ctx context.Context, batch []record) error {
	ctx, cancel := context.WithTimeoutCause(ctx, historyTimeout, errHistoryTimeout)
	defer cancel()
	endings := make([]queue.Ending, len(batch))
	for i, each := range batch {
		endings[i] = each.ending
	}
	dropped, err := h.options.Store.RecordRuns(ctx, endings)
	if err == nil && dropped > 0 {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.drop(dropped, "the database refused them")
	}
	return err
}

// keep decides about a batch that failed. The next one is smaller, so that a
// record that the database does not take is found; it goes to the end, and is
// dropped after a few tries if others are written.
func (h *history) keep(ctx context.Context, batch []record, err error) {
	h.options.Log.DebugContext(ctx, "run records not written yet; trying again", slog.Int("count", len(batch)), slog.Any("error", err))
	h.size = max(1, h.size/2)
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(batch) > 1 {
		h.add(batch, true)
		return
	}
	one := batch[0]
	if one.tries++; one.tries == 1 {
		one.since = h.successes
	}
	if one.tries >= historyTries && h.successes > one.since {
		h.drop(1, err.Error())
		return
	}
	h.add([]record{one}, false)
}

// ending reports whether no records will follow.
func (h *history) ending() bool {
	select {
	case <-h.closing:
		return true
	default:
		return false
	}
}

// pause waits after a failure.
func (h *history) pause(ctx context.Context) {
	timer := h.options.Clock.NewTimer(h.delay)
	defer timer.Stop()
	h.delay = min(2*h.delay, lastHistoryRetry)
	closing := h.closing
	if h.ending() {
		closing, h.delay = nil, firstHistoryRetry
	}
	select {
	case <-ctx.Done():
	case <-closing:
	case <-timer.Chan():
	}
}

// abandon drops what is left when the process ends.
func (h *history) abandon() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.told = time.Time{}
	h.drop(len(h.records), "the worker stopped before the database took them")
	h.records = nil
}
