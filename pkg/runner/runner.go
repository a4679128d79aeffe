package runner

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/etrainer/backend/pkg/job"
	"github.com/etrainer/backend/pkg/lifecycle"
	"github.com/etrainer/backend/pkg/queue"
)

// settleTime is the part of the grace time kept back for what follows the
// handlers: cancelled ones returning, outcomes being recorded.
const settleTime = 3 * time.Second

// leaveTime is the part of it that is kept back for leaving the fleet.
const leaveTime = time.Second

var (
	errRecordTimeout  = errors.New("recording outcomes took too long")
	errLeaseTimeout   = errors.New("leasing took too long")
	errKeepTimeout    = errors.New("renewing leases took too long")
	errBeatTimeout    = errors.New("the heartbeat took too long")
	errWatchTimeout   = errors.New("reading the fleet took too long")
	errHistoryTimeout = errors.New("writing run records took too long")
	errRescueTimeout  = errors.New("rescuing a dead worker's jobs took too long")
)

// Runner is a lifecycle.Service that runs jobs, once: after Stop it does not
// start again.
type Runner struct {
	options  Options
	handlers map[string]Handler
	table    *table

	fetcher  *fetcher
	keeper   *keeper
	recorder *recorder
	history  *history
	presence *presence
	watch    *watch
	reach    *reach
	clock    *timekeeper
	fetching *lifecycle.Loop
	parts    *lifecycle.Group // every loop

	// fence guards the stamps of all leases: renewing and recording exclude
	// each other, or a record would carry a stamp that is just being replaced.
	// Two records share it: no lease is in both.
	fence sync.RWMutex

	working         context.Context // of the handlers; ends after the grace time
	stopWorking     context.CancelCauseFunc
	handlersRunning sync.WaitGroup

	freed         chan struct{} // has one element when a slot came free
	wakeups       chan struct{} // has one element when the fetcher should look
	settingsStale atomic.Bool
	retries       atomic.Pointer[map[string]job.Retry]
	draining      atomic.Bool

	mu    sync.Mutex
	state state
}

// state is where a Runner stands: it runs once.
type state int

const (
	fresh state = iota
	running
	stopped
)

// New returns a Runner that is not started. It panics where a part is missing that
// has no default, and when two handlers have one name: both are wired in source
// code.
func New(options Options) *Runner {
	options.check()
	r := &Runner{
		options: options.withDefaults(), handlers: map[string]Handler{},
		freed: make(chan struct{}, 1), wakeups: make(chan struct{}, 1),
	}
	r.table = newTable(r.options)
	for _, h := range options.Handlers {
		name := h.definition.Name
		if _, twice := r.handlers[name]; twice {
			panic(fmt.Sprintf("runner: %q has two handlers", name))
		}
		r.handlers[name] = h
		limit := h.definition.Concurrency
		if limit <= 0 {
			limit = r.options.PerName
		}
		r.table.define(name, limit)
		r.options.Metrics.expect(name)
	}
	r.keeper, r.recorder, r.history, r.presence = newKeeper(r), newRecorder(r), newHistory(r), newPresence(r)
	r.fetcher = newFetcher(r)
	r.options.Metrics.runner.Store(r)
	r.watch, r.reach, r.clock = newWatch(r), newReach(r), newTimekeeper(r)
	r.fetching = lifecycle.NewLoop("fetcher", r.fetcher.run)
	r.parts = lifecycle.NewGroup(r.options.Log)
	r.parts.Add("heartbeat", lifecycle.NewLoop("heartbeat", r.presence.run))
	r.parts.Add("clock", lifecycle.NewLoop("clock", r.clock.run))
	r.parts.Add("reach", lifecycle.NewLoop("reach", r.reach.run))
	r.parts.Add("watch", lifecycle.NewLoop("watch", r.watch.run))
	r.parts.Add("keeper", lifecycle.NewLoop("keeper", r.keeper.run))
	r.parts.Add("history", lifecycle.NewLoop("history", r.history.run))
	r.parts.Add("recorder", lifecycle.NewLoop("recorder", r.recorder.run))
	r.parts.Add("fetcher", r.fetching)
	return r
}

// Start registers this process in the fleet and begins to lease. A Runner
// that was stopped returns lifecycle.ErrStopped: handlers of its first life
// may still be about.
func (r *Runner) Start(ctx context.Context) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch r.state {
	case running:
		return nil
	case stopped:
		return lifecycle.ErrStopped
	}
	if err := r.presence.register(ctx); err != nil {
		return fmt.Errorf("start worker: %w", err)
	}
	// Handlers outlive the context of the start: stop decides when they end.
	r.working, r.stopWorking = context.WithCancelCause(context.WithoutCancel(ctx))
	if err := r.parts.Start(ctx); err != nil {
		return fmt.Errorf("start worker: %w", err)
	}
	r.state = running
	return nil
}

// Stop drains: no more leases; what never started is handed back; handlers
// may finish until shortly before ctx ends and are then told to stop; every
// outcome is recorded; the process leaves the fleet. Handlers that do not
// return even then are left to the peers, who rescue their jobs.
func (r *Runner) Stop(ctx context.Context) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch r.state {
	case fresh:
		return nil
	case stopped:
		return r.parts.Stop(ctx) // wait again for what did not stop in time
	}
	r.state = stopped
	r.draining.Store(true)
	errs := []error{r.fetching.Stop(ctx)}
	for _, t := range r.table.drain() {
		ending := t.ending()
		ending.Outcome, ending.Unstarted = job.Released, true
		r.recorder.take(t, ending)
	}
	_ = r.presence.beat(ctx) // it is logged; peers are told a moment later
	abandoned := !r.finishHandlers(ctx)
	errs = append(errs, r.finishRecords(ctx), r.parts.Stop(ctx))
	r.history.abandon()
	unclear := r.fetcher.clearDoubts(ctx)
	held := r.table.load()
	errs = append(errs, unclear, r.presence.leave(ctx, held > 0 || unclear != nil))
	if abandoned {
		errs = append(errs, fmt.Errorf("%d handlers did not stop in time; their jobs will run again", held))
	}
	return errors.Join(errs...)
}

// finishHandlers waits for the handlers, and tells them to stop when the time
// left is settleTime, or half of a grace time shorter than twice that. It
// reports whether all returned.
func (r *Runner) finishHandlers(ctx context.Context) bool {
	done := make(chan struct{})
	go func() { // ends with the last handler, which the caller waits for or gives up with the process
		r.handlersRunning.Wait()
		close(done)
	}()
	patience, settle := ctx, settleTime
	if deadline, ok := ctx.Deadline(); ok {
		settle = max(min(settle, time.Until(deadline)/2), 0)
		var free context.CancelFunc
		patience, free = context.WithDeadline(ctx, deadline.Add(-settle))
		defer free()
	}
	select {
	case <-done:
		r.stopWorking(ErrStopping)
		return true
	case <-patience.Done():
	}
	r.stopWorking(ErrStopping)
	for _, t := range r.table.tasks() {
		t.end(ErrStopping)
	}
	last, free := context.WithTimeout(context.WithoutCancel(ctx), settle/2)
	defer free()
	select {
	case <-done:
		return true
	case <-last.Done():
		return false
	}
}

// finishRecords waits until every outcome that is known is stored, and then for
// the history. It keeps back a little time for leaving the fleet.
func (r *Runner) finishRecords(ctx context.Context) error {
	if deadline, ok := ctx.Deadline(); ok {
		var free context.CancelFunc
		ctx, free = context.WithDeadline(ctx, deadline.Add(-min(leaveTime, max(time.Until(deadline), 0)/4)))
		defer free()
	}
	close(r.recorder.closing)
	select {
	case <-r.recorder.written:
	case <-ctx.Done():
		left, _ := r.recorder.left()
		return fmt.Errorf("%d outcomes were not recorded in time; their jobs will run again", left)
	}
	close(r.history.closing)
	select {
	case <-r.history.written:
	case <-ctx.Done():
	}
	if _, lost := r.recorder.left(); lost > 0 {
		return fmt.Errorf("%d outcomes were not recorded, because the database refuses them; their jobs will run again", lost)
	}
	return nil
}

// Failed reports the failure of a part, as lifecycle.Group watches for it.
func (r *Runner) Failed() <-chan error { return r.parts.Failed() }

// InFlight tells how many leases this process holds.
func (r *Runner) InFlight() int {
	return r.table.load()
}

// Instance is the id of this process in the fleet.
func (r *Runner) Instance() string { return r.presence.id() }

// Names lists what this process can run.
func (r *Runner) Names() []string {
	names := make([]string, 0, len(r.handlers))
	for name := range r.handlers {
		names = append(names, name)
	}
	return names
}

func (r *Runner) lifetime(name string) time.Duration {
	if lifetime := r.handlers[name].definition.LockLifetime; lifetime > 0 {
		return lifetime
	}
	return queue.DefaultLockLifetime
}

// notifyFreed tells the fetcher that there is room.
func (r *Runner) notifyFreed() { notify(r.freed) }

// wakeFetcher makes the fetcher look now.
func (r *Runner) wakeFetcher() { notify(r.wakeups) }

// notify leaves a sign in a channel with room for one.
func notify(sign chan<- struct{}) {
	select {
	case sign <- struct{}{}:
	default:
	}
}
