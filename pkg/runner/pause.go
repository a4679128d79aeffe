package runner

import (
	"context"
	"time"

	"github.com/etrainer/backend/pkg/wake"
)

// wait returns when there is a reason to look again.
func (f *fetcher) wait(ctx context.Context) {
	pause, polled := f.pause()
	ends := f.options.Clock.Now().Add(pause)
	timer := f.options.Clock.NewTimer(pause)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.Chan():
			f.polled = polled
			return
		case <-f.plans:
			if left := f.untilDue(); left < ends.Sub(f.options.Clock.Now()) {
				timer.Reset(left)
				polled = false
			}
		case <-f.wakeups:
			f.table.owe("")
			f.interval = firstPoll
			return
		case signal, open := <-f.options.Subscriber.Signals():
			if open && f.heard(signal) {
				f.interval = firstPoll
				return
			}
		case <-f.freed:
			if f.failureDelay == 0 && f.table.appetite() != sated {
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
	for f.table.appetite() != famished {
		select {
		case <-ctx.Done():
			return
		case <-timer.Chan():
			return
		case <-f.freed:
		}
	}
}

// pause is the time to the next look if nothing happens before; polled reports
// that nothing is known to be due then.
func (f *fetcher) pause() (pause time.Duration, polled bool) {
	switch {
	case f.barred:
		return barredPause, false
	case f.failureDelay > 0:
		return f.failureDelay, false
	}
	longest := f.longest()
	pause, polled = min(f.interval, longest), !f.table.owes()
	f.interval = min(2*f.interval, longest)
	sooner := func(at time.Duration) {
		if at < pause {
			pause, polled = at, false
		}
	}
	if f.fruitless > 0 { // another worker was faster, which is over in a moment
		sooner(linger << min(f.fruitless, 10))
	}
	if left, ok := f.places.next(); ok {
		sooner(left)
	}
	sooner(f.untilDue())
	return pause, polled
}

// longest is the time between looks when nothing happens. The idle interval is
// for queues in which every job is announced.
func (f *fetcher) longest() time.Duration {
	if !f.options.Subscriber.Connected() {
		return f.options.PollInterval
	}
	if !f.unannounced.IsZero() && f.options.Clock.Since(f.unannounced) < unannouncedFor {
		return f.options.PollInterval
	}
	return max(f.options.IdleInterval, f.options.PollInterval)
}

// untilDue is the time to the next job that is known to fall due.
func (f *fetcher) untilDue() time.Duration {
	f.mu.Lock()
	next := earlier(f.nextDue, f.planned)
	f.mu.Unlock()
	if next.IsZero() {
		return 1<<63 - 1
	}
	return max(next.Sub(f.options.Server.Now()), time.Millisecond)
}

// plan tells of a run that this process has planned, such as a retry: it is in
// the database, and may be due before the next look.
func (f *fetcher) plan(at time.Time) {
	f.mu.Lock()
	f.planned = earlier(f.planned, at)
	f.mu.Unlock()
	notify(f.plans)
}

// forgetPlan drops a plan that a look at this time will find.
func (f *fetcher) forgetPlan(now time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.planned.After(now) {
		f.planned = time.Time{}
	}
}

// heard acts on a signal and reports whether it is a reason to look.
func (f *fetcher) heard(signal wake.Signal) bool {
	switch signal.Kind {
	case wake.Due:
		f.presence.stir()
		if _, mine := f.handlers[signal.Name]; !mine && signal.Name != "" {
			return false
		}
		f.table.owe(signal.Name)
		return f.table.appetite() != sated // else the end of a run makes it look
	case wake.Settings:
		f.settingsStale.Store(true)
		f.table.owe("")
		return true
	case wake.Cancel:
		f.keeper.check()
	case wake.Busy:
		f.presence.stir()
	}
	return false
}
