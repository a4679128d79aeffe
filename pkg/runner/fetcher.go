package runner

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/etrainer/backend/pkg/job"
	"github.com/etrainer/backend/pkg/queue"
	"github.com/etrainer/backend/pkg/wake"
)

const (
	// firstPoll is the time to the next look after work was found. It doubles
	// with every look in vain, up to the poll or idle interval.
	firstPoll = time.Second
	// linger lets freed slots gather before a lease, so that a batch is worth
	// its three commands.
	linger = 10 * time.Millisecond
	// leaseTimeout bounds one lease, with all its commands.
	leaseTimeout = 30 * time.Second
	// barredPause is the time between looks at whether leasing is allowed again.
	barredPause = 250 * time.Millisecond
	// horizon is how far ahead a look sees the next due time.
	horizon = time.Minute
	// settingsAge is how old settings may be when something is leased.
	settingsAge = 30 * time.Second
	// expiredEvery is how often locks past their lifetime are looked for, unless
	// a name has a shorter lifetime.
	expiredEvery = time.Minute
)

// fetcher leases due jobs.
type fetcher struct {
	*Runner
	settings     map[string]job.Settings
	settingsAt   time.Time
	expiredAt    time.Time
	nextDue      time.Time // by the server's clock
	interval     time.Duration
	backlog      bool // the last look left due jobs behind
	fruitless    int  // looks in a row that saw due jobs and got none
	failureDelay time.Duration
	barred       bool // nothing may be leased at present

	mu      sync.Mutex
	doubted []string // holders that may have leases of which nobody knows
}

func (f *fetcher) run(ctx context.Context) error {
	f.interval = firstPoll
	for ctx.Err() == nil {
		f.look(ctx)
		f.wait(ctx)
	}
	return nil
}

// look leases until nothing is due or no room is left.
func (f *fetcher) look(ctx context.Context) {
	if f.barred = f.presence.mayLease() != nil; f.barred { // it is logged where it is found out
		return
	}
	for ctx.Err() == nil {
		request, ok := f.request(ctx)
		if !ok {
			f.nextDue = time.Time{} // it may come and go: there is no room for it
			return
		}
		limited := f.holdsLimited(nil)
		batch, err := f.lease(ctx, request)
		if err != nil {
			f.failed(ctx, err)
			return
		}
		f.failureDelay = 0
		f.learn(batch, limited || f.holdsLimited(batch.Leases))
		if len(batch.Leases) == 0 || !batch.More || !f.table.hungry() {
			break
		}
	}
	f.lookForExpired(ctx)
}

// learn keeps what a batch tells about the next look. limited says that jobs
// may have been left because of a run of this process, whose end is awaited.
func (f *fetcher) learn(batch queue.Batch, limited bool) {
	f.nextDue, f.backlog = batch.NextDue, batch.More || limited
	switch {
	case len(batch.Leases) > 0:
		f.interval, f.fruitless = firstPoll, 0
	case batch.More:
		f.fruitless++
	default:
		f.fruitless = 0
	}
}

// holdsLimited reports whether the end of a run of this process makes room
// for another within a limit over all workers. The runs of fresh leases may
// have ended by now.
func (f *fetcher) holdsLimited(fresh []*queue.Lease) bool {
	limited := func(lease *queue.Lease) bool { return f.settings[lease.Job.Name].Concurrency > 0 }
	return slices.ContainsFunc(fresh, limited) ||
		slices.ContainsFunc(f.table.tasks(), func(t *task) bool { return limited(t.lease) })
}

func (f *fetcher) lease(ctx context.Context, request queue.LeaseRequest) (queue.Batch, error) {
	// Stopping must not cut a claim in two: what was claimed must be known.
	ctx, cancel := context.WithTimeoutCause(context.WithoutCancel(ctx), leaseTimeout, errLeaseTimeout)
	defer cancel()
	if err := f.clearDoubts(ctx); err != nil {
		return queue.Batch{}, err
	}
	request.BeforeClaim = func(ctx context.Context) error { return f.presence.beforeClaim(ctx, request.Expired) }
	batch, err := f.options.Store.Lease(ctx, request)
	if err != nil {
		f.doubt(request.Holder) // it may have claimed jobs
		return batch, err
	}
	if request.Holder != f.presence.id() {
		f.doubt(request.Holder) // peers took it for dead meanwhile
		return queue.Batch{More: true}, nil
	}
	f.accept(ctx, batch.Leases)
	f.options.Metrics.leased(len(batch.Leases))
	return batch, nil
}

// doubt remembers a name of this process under which jobs may be leased
// without its knowing. Nobody else would hand them back: peers rescue only
// what is listed in the fleet and dead.
func (f *fetcher) doubt(holder string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !slices.Contains(f.doubted, holder) {
		f.doubted = append(f.doubted, holder)
	}
}

// clearDoubts hands back what is leased under doubted names, but for what is
// known to be held under the present one.
func (f *fetcher) clearDoubts(ctx context.Context) error {
	for {
		holder, ok := f.nextDoubt()
		if !ok {
			return nil
		}
		if err := f.handBack(ctx, holder); err != nil {
			return fmt.Errorf("hand back what %s may hold: %w", holder, err)
		}
		f.mu.Lock()
		f.doubted = slices.DeleteFunc(f.doubted, func(each string) bool { return each == holder })
		f.mu.Unlock()
	}
}

func (f *fetcher) nextDoubt() (holder string, ok bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.doubted) == 0 {
		return "", false
	}
	return f.doubted[0], true
}

func (f *fetcher) handBack(ctx context.Context, holder string) error {
	request := queue.RescueRequest{Instance: holder, Own: true}
	for _, t := range f.table.tasks() {
		switch {
		case holder == f.presence.id():
			request.Keep = append(request.Keep, t.lease)
		case holder == t.lease.Holder:
			request.Lost = append(request.Lost, t.lease)
			f.keeper.lose(t)
		}
	}
	_, err := f.options.Store.Rescue(ctx, request)
	return err
}

// request asks for as much as there is room for, of the names that may run.
func (f *fetcher) request(ctx context.Context) (queue.LeaseRequest, bool) {
	free, total := f.table.free()
	if total <= 0 || len(free) == 0 {
		f.backlog = true
		return queue.LeaseRequest{}, false
	}
	f.refreshSettings(ctx)
	request := queue.LeaseRequest{
		Holder: f.presence.id(), Names: make(map[string]queue.NameRequest, len(free)),
		Total: min(total, f.options.Batch), Horizon: horizon,
	}
	for name, n := range free {
		settings := f.settings[name]
		if settings.Paused {
			continue
		}
		d := f.handlers[name].definition
		request.Names[name] = queue.NameRequest{
			Free: n, Lifetime: d.LockLifetime, Limit: settings.Concurrency,
			Missed: either(settings.Missed, d.Missed), Overlap: either(settings.Overlap, d.Overlap),
		}
	}
	return request, len(request.Names) > 0
}

func either[T ~string](set, otherwise T) T {
	if set != "" {
		return set
	}
	return otherwise
}

func (f *fetcher) refreshSettings(ctx context.Context) {
	now := f.options.Clock.Now()
	if !f.settingsStale.Swap(false) && now.Sub(f.settingsAt) < settingsAge && f.settings != nil {
		return
	}
	ctx, cancel := context.WithTimeoutCause(ctx, leaseTimeout, errLeaseTimeout)
	defer cancel()
	settings, err := f.options.Settings.Settings(ctx)
	if err != nil {
		f.settingsStale.Store(true)
		f.options.Log.WarnContext(ctx, "settings not read; the last known ones stand", slog.Any("error", err))
		return
	}
	f.settings, f.settingsAt = settings, now
	f.setRetries(settings)
}

// lookForExpired takes over what a Node process, or a worker that nobody
// could rescue, left locked for longer than its lifetime.
func (f *fetcher) lookForExpired(ctx context.Context) {
	now := f.options.Clock.Now()
	if now.Sub(f.expiredAt) < f.expiredPause() {
		return
	}
	request, ok := f.request(ctx)
	if !ok {
		return
	}
	f.expiredAt = now
	request.Expired = true
	if _, err := f.lease(ctx, request); err != nil {
		f.failed(ctx, err)
	}
}

// expiredPause is the time between two such looks: a lock is taken over within
// twice its lifetime.
func (f *fetcher) expiredPause() time.Duration {
	pause := expiredEvery
	for name := range f.handlers {
		pause = min(pause, f.lifetime(name))
	}
	return pause
}

func (f *fetcher) failed(ctx context.Context, err error) {
	if ctx.Err() != nil {
		return
	}
	f.failureDelay = min(max(2*f.failureDelay, 100*time.Millisecond), 5*time.Second)
	f.options.Log.WarnContext(ctx, "leasing failed; trying again", slog.Any("error", err), slog.Duration("delay", f.failureDelay))
}

// wait returns when there is a reason to look again.
func (f *fetcher) wait(ctx context.Context) {
	timer := f.options.Clock.NewTimer(f.pause())
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.Chan():
			return
		case <-f.wakeups:
			f.interval = firstPoll
			return
		case signal, open := <-f.options.Subscriber.Signals():
			if open && f.heard(signal) {
				f.interval = firstPoll
				return
			}
		case <-f.freed:
			if f.backlog && f.failureDelay == 0 {
				f.gather(ctx)
				return
			}
		}
	}
}

// gather waits for room to be worth a look, but not long.
func (f *fetcher) gather(ctx context.Context) {
	timer := f.options.Clock.NewTimer(linger)
	defer timer.Stop()
	for !f.table.hungry() {
		select {
		case <-ctx.Done():
			return
		case <-timer.Chan():
			return
		case <-f.freed:
		}
	}
}

// pause is the time to the next look if nothing happens before.
func (f *fetcher) pause() time.Duration {
	if f.barred {
		return barredPause
	}
	if f.failureDelay > 0 {
		return f.failureDelay
	}
	longest := f.options.PollInterval
	if f.options.Subscriber.Connected() {
		longest = max(f.options.IdleInterval, longest)
	}
	pause := min(f.interval, longest)
	f.interval = min(2*f.interval, longest)
	if f.fruitless > 0 {
		// Another worker was faster, which is over in a moment, or the jobs
		// that are due are over their limit, which may last.
		pause = min(pause, linger<<min(f.fruitless, 10))
	}
	if !f.nextDue.IsZero() {
		pause = min(pause, max(f.nextDue.Sub(f.options.Now()), time.Millisecond))
	}
	return pause
}

// heard acts on a signal and reports whether it is a reason to look.
func (f *fetcher) heard(signal wake.Signal) bool {
	switch signal.Kind {
	case wake.Due:
		f.presence.stir()
		_, mine := f.handlers[signal.Name]
		return mine || signal.Name == ""
	case wake.Settings:
		f.settingsStale.Store(true)
		return true
	case wake.Cancel:
		f.keeper.check()
	case wake.Busy:
		f.presence.stir()
	}
	return false
}
