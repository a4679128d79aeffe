package runner

import (
	"context"
	"log/slog"
	"time"

	"github.com/etrainer/backend/pkg/queue"
)

const (
	// firstPlacePause is the time to the next search for a name whose limit had
	// no place. It doubles up to lastPlacePause; the end of an own run comes
	// before it.
	firstPlacePause = 100 * time.Millisecond
	lastPlacePause  = 2 * time.Second
	// reconcileEvery is how often the places that are taken are compared with
	// the jobs that run, while a name with due jobs has none.
	reconcileEvery = 10 * time.Second
)

// places is what the fetcher knows of the limits over all workers: a name
// whose places are all taken is left out of the search, and costs the others
// nothing.
type places struct {
	*Runner
	names map[string]*limited
}

// limited is a name with a limit.
type limited struct {
	limit        int
	reconciledAt time.Time // local clock; zero = not since the limit was met first
	full         bool      // due jobs had no place at the last search
	pause        time.Duration
	until        time.Time // local clock: when to search again, if full
}

func newPlaces(r *Runner) *places { return &places{Runner: r, names: map[string]*limited{}} }

// ready reports whether a name may be leased, with limit 0 = none. Jobs that
// were running before the limit was set must be counted first, and a place
// that leaked is found.
func (p *places) ready(ctx context.Context, name string, limit int) bool {
	if limit == 0 {
		delete(p.names, name)
		return true
	}
	l := p.names[name]
	if l == nil {
		l = &limited{}
		p.names[name] = l
	}
	l.limit = limit
	now := p.options.Clock.Now()
	known := p.table.placed(name) && !l.reconciledAt.IsZero()
	if known && !(l.full && now.Sub(l.reconciledAt) >= reconcileEvery) {
		return true
	}
	ctx, cancel := context.WithTimeoutCause(ctx, leaseTimeout, errLeaseTimeout)
	defer cancel()
	if err := p.options.Store.Reconcile(ctx, name); err != nil {
		p.options.Log.WarnContext(ctx, "the places of a limit are not compared with the running jobs; the name waits",
			slog.String("job_name", name), slog.Any("error", err))
		l.reconciledAt = time.Time{}
		p.leaveOut(name, l)
		return false
	}
	l.reconciledAt = now
	return true
}

// learn keeps which names had no place.
func (p *places) learn(request queue.LeaseRequest, batch queue.Batch) {
	full := map[string]bool{}
	for _, name := range batch.AtLimit {
		full[name] = true
	}
	for name := range request.Names {
		l := p.names[name]
		if l == nil {
			continue
		}
		for _, lease := range batch.Leases {
			if lease.Job.Name == name {
				l.pause = 0
			}
		}
		if l.full = full[name]; l.full {
			p.leaveOut(name, l)
		} else {
			l.pause = 0
		}
	}
}

func (p *places) leaveOut(name string, l *limited) {
	l.pause = min(max(2*l.pause, firstPlacePause), lastPlacePause)
	l.until = p.options.Clock.Now().Add(l.pause)
	p.table.block(name, true)
}

// retry lets the names whose pause has passed be searched for again.
func (p *places) retry() {
	now := p.options.Clock.Now()
	for name, l := range p.names {
		if !now.Before(l.until) {
			p.table.block(name, false)
		}
	}
}

// next is the time to the end of the first pause; ok is false when no name is
// left out.
func (p *places) next() (pause time.Duration, ok bool) {
	now := p.options.Clock.Now()
	for name, l := range p.names {
		if !p.table.isBlocked(name) {
			continue
		}
		if left := max(l.until.Sub(now), time.Millisecond); !ok || left < pause {
			pause, ok = left, true
		}
	}
	return pause, ok
}

// changed forgets what was learned under another limit.
func (p *places) changed(name string, limit int) {
	if l := p.names[name]; l != nil && l.limit != limit {
		delete(p.names, name)
		p.table.block(name, false)
	}
}
