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
	// expiredEvery is how often locks past their lifetime are looked for, unless
	// a name has a shorter lifetime.
	expiredEvery = time.Minute
	// unannouncedFor is how long the poll interval counts although wake-ups
	// arrive, after a job that none had announced: a Node process enqueues.
	unannouncedFor = time.Minute
)

// fetcher leases due jobs. One goroutine looks (this file) and then waits for a
// reason to look again (pause.go).
type fetcher struct {
	*Runner
	places       *places
	settings     map[string]job.Settings // nil = never read
	settingsAt   time.Time
	unreadable   bool // the last reading of the settings failed
	expiredAt    time.Time
	nextDue      time.Time // by the server's clock
	interval     time.Duration
	fruitless    int // looks in a row that saw due jobs and got none
	failureDelay time.Duration
	polled       bool      // this look is one of those that come in any case, and nothing is known to be due
	unannounced  time.Time // local clock: when such a look last found a job; zero = never

	plans  chan struct{} // has one element when an earlier job was planned
	barred bool          // nothing may be leased at present

	mu      sync.Mutex
	planned time.Time // server's clock: the earliest run that this process has planned
	doubted []string  // holders that may have leases of which nobody knows
}

func newFetcher(r *Runner) *fetcher {
	return &fetcher{Runner: r, places: newPlaces(r), interval: firstPoll, plans: make(chan struct{}, 1)}
}

func (f *fetcher) run(ctx context.Context) error {
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
	f.forgetPlan(f.options.Server.Now())
	f.places.retry()
	for again := true; again && ctx.Err() == nil; {
		var err error
		if again, err = f.search(ctx); err != nil {
			f.failed(ctx, err)
			return
		}
		f.failureDelay = 0
	}
	f.lookForExpired(ctx)
}

// search leases once. While a name that has its share of the slots wants more
// of them, the others are asked first.
func (f *fetcher) search(ctx context.Context) (again bool, err error) {
	if err := f.refreshSettings(ctx); err != nil {
		return false, err
	}
	f.nextDue = time.Time{}
	if f.table.contested() {
		if _, err := f.leaseFor(ctx, f.table.roomFor(true), true); err != nil {
			return false, err
		}
	}
	batch, err := f.leaseFor(ctx, f.table.roomFor(false), false)
	return len(batch.Leases) > 0 && batch.More && f.table.appetite() == famished, err
}

// leaseFor leases what there is room for, and keeps what that tells; some says
// that other names will be searched for in a moment.
func (f *fetcher) leaseFor(ctx context.Context, r room, some bool) (queue.Batch, error) {
	if len(r.names) == 0 && !some {
		f.table.owe("") // there is no room: whether anything is due is not known
	}
	request := f.request(ctx, r)
	if len(request.Names) == 0 {
		return queue.Batch{}, nil
	}
	batch, err := f.lease(ctx, request)
	if err != nil {
		return queue.Batch{}, err
	}
	f.learn(request, batch, some)
	return batch, nil
}

// learn keeps what a batch tells about the next look.
func (f *fetcher) learn(request queue.LeaseRequest, batch queue.Batch, some bool) {
	f.nextDue = earlier(f.nextDue, batch.NextDue)
	f.places.learn(request, batch)
	owed := owedAfter(request, batch)
	if !some {
		for name := range f.handlers { // had no room
			if _, asked := request.Names[name]; !asked && !f.settings[name].Paused {
				owed[name] = true
			}
		}
	}
	f.table.searched(owed)
	switch {
	case len(batch.Leases) > 0:
		f.interval, f.fruitless = firstPoll, 0
		if f.polled {
			f.unannounced = f.options.Clock.Now()
		}
	case batch.More:
		f.fruitless++
	default:
		f.fruitless = 0
	}
	f.polled = false
}

// owedAfter tells of which names there may be more due jobs: of those that got
// all that was asked for.
func owedAfter(request queue.LeaseRequest, batch queue.Batch) map[string]bool {
	got, ahead := map[string]int{}, map[string]int{}
	now, bytes, largest := 0, 0, 0
	for _, lease := range batch.Leases {
		got[lease.Job.Name]++
		bytes, largest = bytes+lease.Job.Size, max(largest, lease.Job.Size)
		if lease.Ahead {
			ahead[lease.Job.Name]++
		} else {
			now++
		}
	}
	owed := make(map[string]bool, len(request.Names))
	full := false
	for name, want := range request.Names {
		owed[name] = batch.More && (got[name] >= want.Free || now >= request.Total && ahead[name] >= want.Ahead || bytes+largest >= request.Bytes)
		full = full || owed[name]
	}
	if batch.More && !full { // another worker was faster, with the same names
		for name := range got {
			owed[name] = true
		}
	}
	return owed
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

// lookForExpired takes over what a Node process, or a worker that nobody
// could rescue, left locked for longer than its lifetime.
func (f *fetcher) lookForExpired(ctx context.Context) {
	now := f.options.Clock.Now()
	if now.Sub(f.expiredAt) < f.expiredPause() {
		return
	}
	request := f.request(ctx, f.table.roomFor(false))
	if len(request.Names) == 0 {
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
	if f.settings == nil {
		return // that was told
	}
	f.options.Log.WarnContext(ctx, "leasing failed; trying again", slog.Any("error", err), slog.Duration("delay", f.failureDelay))
}
