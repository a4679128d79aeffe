package runner

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/etrainer/backend/pkg/fleet"
)

const (
	// idleWatch is how often to look while nobody is busy, as far as is known. A
	// peer that becomes busy says so by a wake-up; while those do not arrive, and
	// for a minute after one, it could be busy for all that is known, and is
	// looked for within its expiry.
	idleWatch  = 30 * time.Second
	stirredFor = time.Minute
	// justAfter is how long after its expiry a peer is looked at.
	justAfter = 20 * time.Millisecond
)

// watch is the eye on the other processes: it rescues what the dead held
// (rescue.go). A peer is suspect when it is expired, and dead when it has stayed
// silent for a while since (suspicion.go). Looks are made when the next busy
// peer would expire, so that a death is noticed at once, and in between, so that
// an outage is noticed that silences all.
type watch struct {
	*Runner
	kicks chan struct{} // has one element when there is a reason to look earlier

	mu       sync.Mutex
	lookAt   time.Time             // local clock: when to look next
	stirred  time.Time             // local clock: when somebody may last have become busy
	suspects map[string]*suspicion // by id
	trouble  time.Time             // server's clock: when an own call failed, or was slow
	beatAt   time.Time             // local clock: when an own heartbeat last arrived
}

func newWatch(r *Runner) *watch {
	return &watch{Runner: r, kicks: make(chan struct{}, 1), suspects: map[string]*suspicion{}}
}

// run has a goroutine of its own: rescuing what a dead worker held must not
// delay the own heartbeat.
func (w *watch) run(ctx context.Context) error {
	for {
		w.look(ctx)
		for waiting := true; waiting; {
			w.mu.Lock()
			timer := w.options.Clock.NewTimer(w.lookAt.Sub(w.options.Clock.Now()))
			w.mu.Unlock()
			select {
			case <-ctx.Done():
				timer.Stop()
				return nil
			case <-w.kicks: // lookAt is earlier now
			case <-timer.Chan():
				waiting = false
			}
			timer.Stop()
		}
	}
}

// stir makes this process watch its peers closely for a while.
func (w *watch) stir() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.stirred = w.options.Clock.Now()
	if soon := w.stirred.Add(w.presence.beats.Expiry); w.lookAt.After(soon) {
		w.lookAt = soon
		notify(w.kicks)
	}
}

// look reads the fleet, judges the suspects and rescues what the dead held.
func (w *watch) look(ctx context.Context) {
	if w.verdictIsDue() {
		_ = w.presence.beat(ctx) // the last evidence: what fails or is slow now acquits everybody
	}
	began := w.options.Clock.Now()
	instances, err := w.read(ctx)
	w.ownCall(err, w.options.Clock.Now().Sub(began))
	if err != nil {
		w.options.Log.WarnContext(ctx, "fleet not read", slog.Any("error", err))
		w.next(w.options.Clock.Now().Add(w.presence.beats.Interval))
		return
	}
	dead, next := w.judge(instances)
	for _, each := range dead {
		if at := w.rescue(ctx, each); at.Before(next) {
			next = at
		}
	}
	w.next(next)
}

func (w *watch) read(ctx context.Context) ([]fleet.Instance, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, w.presence.beats.Timeout(), errWatchTimeout)
	defer cancel()
	return w.options.Registry.Instances(ctx)
}

// judge tells who is dead, and when to look again.
func (w *watch) judge(instances []fleet.Instance) (dead []fleet.Instance, next time.Time) {
	now, server, self := w.options.Clock.Now(), w.options.Server.Now(), w.presence.id()
	w.mu.Lock()
	defer w.mu.Unlock()
	next = now.Add(w.calmly(now))
	sooner := func(at time.Time) {
		if at.Before(next) {
			next = at
		}
	}
	suspects, urgent := map[string]*suspicion{}, false
	for _, i := range instances {
		switch {
		case i.ID == self:
		case i.ExpiresAt.After(server):
			if i.Kind == fleet.Worker && i.Busy() {
				sooner(now.Add(min(i.ExpiresAt.Sub(server)+justAfter, w.presence.beats.glance())))
			}
		default:
			s := w.suspect(i, now)
			suspects[i.ID] = s
			urgent = urgent || i.Busy()
			if s.sure(now) && !server.Before(i.EndsAt) {
				dead = append(dead, i)
			}
			sooner(s.lookAgain(now))
		}
	}
	w.suspects = suspects
	w.presence.beatWell(urgent)
	return dead, next
}

// calmly is the time to the next look if nobody is suspect or about to expire.
func (w *watch) calmly(now time.Time) time.Duration {
	stirred := !w.stirred.IsZero() && now.Sub(w.stirred) < stirredFor
	if stirred || !w.options.Subscriber.Connected() {
		return min(w.presence.beats.Expiry, idleWatch)
	}
	return idleWatch
}

// next plans the next look.
func (w *watch) next(at time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	least := w.options.Clock.Now().Add(w.presence.beats.Interval / 8)
	if at.Before(least) {
		at = least
	}
	w.lookAt = at
}

// ownCall keeps how a call of this process to the database went. One that failed
// or was slow begins all suspicions anew: what silenced the others may be what
// this process has met.
func (w *watch) ownCall(err error, took time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err != nil && !errors.Is(err, context.Canceled) || took > w.presence.beats.slow() {
		w.trouble = w.options.Server.Now()
		clear(w.suspects)
	}
}

// ownBeat is ownCall for a heartbeat.
func (w *watch) ownBeat(err error, took time.Duration) {
	w.ownCall(err, took)
	if err != nil {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.beatAt = w.options.Clock.Now()
}
