package runner

import (
	"context"
	"log/slog"
	"time"

	"github.com/etrainer/backend/pkg/queue"
)

const (
	// keepEvery is the beat of the keeper. A beat sends commands only when
	// there is something to say.
	keepEvery = time.Second
	// openAfter is how long a run lasts before its record is opened.
	openAfter = time.Second
	// renewEvery bounds the age of a lock. Ten seconds is far inside every
	// sensible lifetime, and is how soon at the latest a lock that Node cleared is
	// taken back and a cancel request is noticed without a wake-up.
	renewEvery = 10 * time.Second
	// keepTimeout bounds the commands of one beat.
	keepTimeout = 10 * time.Second
)

// keeper keeps leases alive while their handlers run, and tells the handlers
// when that failed.
type keeper struct {
	*Runner
	checks  chan struct{} // has one element when cancel requests are to be read now
	renews  chan struct{} // has one element when leases are to be renewed now
	renewed time.Time     // local clock
}

func newKeeper(r *Runner) *keeper {
	return &keeper{Runner: r, checks: make(chan struct{}, 1), renews: make(chan struct{}, 1)}
}

// renewNow asks for all leases to be renewed at once.
func (k *keeper) renewNow() { notify(k.renews) }

// check asks for cancel requests to be read at once.
func (k *keeper) check() { notify(k.checks) }

func (k *keeper) run(ctx context.Context) error {
	ticker := k.options.Clock.NewTicker(keepEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-k.checks:
			k.readCancels(ctx)
		case <-k.renews:
			k.renewed = time.Time{}
			k.keep(ctx)
		case <-ticker.Chan():
			k.keep(ctx)
		}
	}
}

func (k *keeper) readCancels(ctx context.Context) {
	ctx, cancel := context.WithTimeoutCause(ctx, keepTimeout, errKeepTimeout)
	defer cancel()
	k.noticeCancels(ctx, k.table.tasks())
}

func (k *keeper) keep(ctx context.Context) {
	ctx, cancel := context.WithTimeoutCause(ctx, keepTimeout, errKeepTimeout)
	defer cancel()
	tasks := k.table.tasks()
	k.open(ctx, tasks)
	k.report(ctx, tasks)
	if now := k.options.Clock.Now(); len(tasks) > 0 && now.Sub(k.renewed) >= k.renewAge() {
		k.renewed = now
		k.renew(ctx, tasks)
		k.noticeCancels(ctx, tasks)
	}
}

// renewAge is how often to renew: well inside the shortest lifetime, and as long
// as peers believe in a heartbeat, so that a renewal is a sign of life too.
func (k *keeper) renewAge() time.Duration {
	age := min(renewEvery, k.options.Beats.Expiry)
	for name := range k.handlers {
		age = min(age, k.lifetime(name)/4)
	}
	return age
}

// renew extends every lease and tells the handlers of those that are gone.
func (k *keeper) renew(ctx context.Context, tasks []*task) {
	err := k.renewTasks(ctx, tasks)
	if err == nil {
		k.presence.beatNow() // so that heartbeat and locks tell of the same age
		return
	}
	k.options.Log.WarnContext(ctx, "leases not renewed", slog.Int("count", len(tasks)), slog.Any("error", err))
	now := k.options.Server.Now()
	for _, t := range tasks {
		k.fence.Lock()
		overdue := now.Sub(t.lease.Stamp) >= k.lifetime(t.lease.Job.Name)
		k.fence.Unlock()
		if overdue { // others may take the job now: stop before they do its work again
			t.end(ErrLeaseLost)
		}
	}
}

func (k *keeper) renewTasks(ctx context.Context, tasks []*task) error {
	byHolder := map[string][]*task{}
	for _, t := range tasks {
		byHolder[t.lease.Holder] = append(byHolder[t.lease.Holder], t)
	}
	for _, group := range byHolder {
		lost, err := k.renewGroup(ctx, group)
		for _, lease := range lost {
			for _, t := range group {
				if t.lease == lease {
					k.lose(t)
				}
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (k *keeper) renewGroup(ctx context.Context, group []*task) ([]*queue.Lease, error) {
	k.fence.Lock()
	defer k.fence.Unlock()
	var leases []*queue.Lease
	for _, t := range group {
		if k.table.holds(t) && !t.isLost() { // it may have been recorded meanwhile
			leases = append(leases, t.lease)
		}
	}
	return k.options.Store.Renew(ctx, leases)
}

func (k *keeper) lose(t *task) {
	k.options.Log.Warn("lease lost; the handler is told to stop",
		slog.String("job_name", t.lease.Job.Name), slog.String("job_id", t.lease.Job.ID.Hex()))
	t.end(ErrLeaseLost)
}

// loseAll is called when peers have taken this process for dead.
func (k *keeper) loseAll() {
	for _, t := range k.table.tasks() {
		k.lose(t)
	}
}

// renewOne is the heartbeat of one handler.
func (k *keeper) renewOne(ctx context.Context, t *task) error { return k.renewTasks(ctx, []*task{t}) }

func (k *keeper) noticeCancels(ctx context.Context, tasks []*task) {
	leases := make([]*queue.Lease, len(tasks))
	for i, t := range tasks {
		leases[i] = t.lease
	}
	cancelled, err := k.options.Store.CancelRequested(ctx, leases)
	if err != nil {
		k.options.Log.WarnContext(ctx, "cancel requests not read", slog.Any("error", err))
		return
	}
	for _, lease := range cancelled {
		for _, t := range tasks {
			if t.lease == lease {
				t.end(ErrCancelled)
			}
		}
	}
}

// open writes the record of runs that last, so that they can be watched.
// Recurring jobs are opened by the same rule: the claim holds their tick.
func (k *keeper) open(ctx context.Context, tasks []*task) {
	k.fence.Lock()
	defer k.fence.Unlock()
	var leases []*queue.Lease
	for _, t := range tasks {
		if !t.lease.RunOpen && t.runningFor() >= openAfter && k.table.holds(t) {
			leases = append(leases, t.lease)
		}
	}
	if len(leases) == 0 {
		return
	}
	if err := k.options.Store.Open(ctx, leases); err != nil {
		k.options.Log.WarnContext(ctx, "runs not opened", slog.Any("error", err))
	}
}

func (k *keeper) report(ctx context.Context, tasks []*task) {
	k.fence.Lock()
	defer k.fence.Unlock()
	var reports []queue.Ending
	for _, t := range tasks {
		if !k.table.holds(t) || t.isLost() {
			continue
		}
		if report, dirty := t.report(); dirty {
			reports = append(reports, report)
		}
	}
	if len(reports) == 0 {
		return
	}
	if err := k.options.Store.Report(ctx, reports); err != nil {
		k.options.Log.WarnContext(ctx, "progress not stored", slog.Any("error", err))
	}
}
