package runner

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"
)

// clockStep is by how much the server's time may be corrected without more ado.
const clockStep = time.Second

// expiredRest is how long after a greater correction no lock counts as expired:
// until every holder has noticed it too, and has written its locks anew.
const expiredRest = time.Minute

var (
	errClockInDoubt = errors.New("the server's time is in doubt")
	errClockMoved   = errors.New("the server's time was corrected just now; locks are not judged by it yet")
)

// timekeeper has the server's time measured with the heartbeats, and acts when it
// was corrected.
type timekeeper struct {
	*Runner
	kicks chan struct{} // has one element when to measure

	mu            sync.Mutex
	server, local time.Time // the two clocks when they were compared last
	moved         time.Time // local clock: when the server's time was corrected last; zero = never
}

func newTimekeeper(r *Runner) *timekeeper {
	return &timekeeper{Runner: r, kicks: make(chan struct{}, 1)}
}

// run measures when it is told to. It has a goroutine of its own: a measure that
// hangs must not hold up the heartbeat.
func (k *timekeeper) run(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-k.kicks:
			k.measure(ctx)
		}
	}
}

func (k *timekeeper) measureSoon() { notify(k.kicks) }

// measure asks the server for its time.
func (k *timekeeper) measure(ctx context.Context) {
	ctx, cancel := context.WithTimeoutCause(ctx, k.presence.beats.Timeout(), errBeatTimeout)
	defer cancel()
	if err := k.options.Server.Measure(ctx); err != nil {
		k.options.Log.DebugContext(ctx, "the server's time was not measured", slog.Any("error", err))
	}
	k.compare()
}

// compare notices that the server's time was corrected. Own locks are then
// written anew at once, because they were stamped by the time before.
func (k *timekeeper) compare() {
	local, server := k.options.Clock.Now(), k.options.Server.Now()
	k.mu.Lock()
	step := server.Sub(k.server) - local.Sub(k.local)
	moved := !k.local.IsZero() && step.Abs() > clockStep
	if moved || k.local.IsZero() {
		k.server, k.local = server, local
	}
	if moved {
		k.moved = local
	}
	k.mu.Unlock()
	if moved {
		k.keeper.renewNow()
	}
}

// mayLease tells why nothing may be leased now; nil = nothing is in the way.
// expired says that it is about locks that are too old.
func (k *timekeeper) mayLease(expired bool) error {
	if !k.options.Server.Agrees() {
		return errClockInDoubt
	}
	k.compare()
	k.mu.Lock()
	defer k.mu.Unlock()
	if expired && !k.moved.IsZero() && k.options.Clock.Now().Sub(k.moved) < expiredRest {
		return errClockMoved
	}
	return nil
}
