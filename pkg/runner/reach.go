package runner

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/jonboulle/clockwork"
)

// ErrUnreachable says that the heartbeats of this worker have not arrived for so long
// that others may run its jobs now. What the run had finished is recorded when
// the database comes back, if nobody has taken the job by then.
var ErrUnreachable = errors.New("the database cannot be reached, and other workers may run this job now")

// reach ends the handlers of a worker that cannot make itself heard: once its
// peers may take it for dead, they may run its jobs, whoever is right. Time is
// counted by the monotonic clock, from when the last heartbeat that arrived was
// sent.
type reach struct {
	*Runner
	moves chan struct{} // has one element when a heartbeat has arrived

	mu  sync.Mutex
	cut bool
}

func newReach(r *Runner) *reach { return &reach{Runner: r, moves: make(chan struct{}, 1)} }

// run waits for the end of the reach, which each heartbeat that arrives moves.
func (r *reach) run(ctx context.Context) error {
	for {
		end, bounded := r.presence.reachEnds()
		var timer clockwork.Timer
		var ended <-chan time.Time
		if bounded && !r.isCut() {
			timer = r.options.Clock.NewTimer(end.Sub(r.options.Clock.Now()))
			ended = timer.Chan()
		}
		select {
		case <-ctx.Done():
		case <-r.moves:
		case <-ended:
			r.cutOff(ctx)
		}
		if timer != nil {
			timer.Stop()
		}
		if ctx.Err() != nil {
			return nil //nolint:nilerr // it was stopped
		}
	}
}

// reachEnds is when, by the local clock, handlers must have been told to stop. An
// idle worker has none.
func (p *presence) reachEnds() (end time.Time, bounded bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.sentAt.Add(p.beats.reach()), p.isBusy
}

// cutOff tells every handler to stop.
func (r *reach) cutOff(ctx context.Context) {
	if end, bounded := r.presence.reachEnds(); !bounded || r.options.Clock.Now().Before(end) {
		return // a heartbeat has just arrived
	}
	r.mu.Lock()
	r.cut = true
	r.mu.Unlock()
	tasks := r.table.tasks()
	r.options.Log.ErrorContext(ctx, "no heartbeat arrives any more; others may run the jobs of this worker, so its handlers are told to stop",
		slog.Int("count", len(tasks)), slog.Duration("after", r.presence.beats.reach()))
	for _, t := range tasks {
		t.end(ErrUnreachable)
	}
}

// arrived says that a heartbeat did.
func (r *reach) arrived(ctx context.Context) {
	r.mu.Lock()
	was := r.cut
	r.cut = false
	r.mu.Unlock()
	notify(r.moves)
	if was {
		r.options.Log.InfoContext(ctx, "heartbeats arrive again")
		r.wakeFetcher()
	}
}

func (r *reach) isCut() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.cut
}

// check tells tasks to stop that were leased just before the reach ended. They
// are in the table by now, so either this or cutOff meets them.
func (r *reach) check(tasks []*task) {
	if !r.isCut() {
		return
	}
	for _, t := range tasks {
		t.end(ErrUnreachable)
	}
}
