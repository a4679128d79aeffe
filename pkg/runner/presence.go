package runner

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/etrainer/backend/pkg/fleet"
	"github.com/etrainer/backend/pkg/queue"
	"github.com/etrainer/backend/pkg/wake"
)

// presence is this process' place in the fleet: its heartbeat says that it
// lives, and whether it has work in hand. watch.go is its eye on the others,
// reach.go what it does when its heartbeats do not arrive.
type presence struct {
	*Runner
	beats Beats
	kicks chan struct{} // has one element when to beat now
	plans chan struct{} // has one element when beatAt was changed

	beating chan struct{} // has one element during a heartbeat: of two at a time an older one could win

	mu         sync.Mutex
	self       fleet.Instance
	isBusy     bool            // the last heartbeat that arrived said so
	sentAt     time.Time       // local clock: when that was sent
	busyUntil  time.Time       // local clock: it is about to hold something
	beatAt     time.Time       // local clock: when to beat next
	told       []queue.Problem // those of the last heartbeat that carried some
	suspicious bool            // a busy peer is suspect
}

func newPresence(r *Runner) *presence {
	return &presence{Runner: r, beats: r.options.Beats, kicks: make(chan struct{}, 1), plans: make(chan struct{}, 1), beating: make(chan struct{}, 1)}
}

func (p *presence) id() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.self.ID
}

// register announces this process under a new id.
func (p *presence) register(ctx context.Context) error {
	suffix := make([]byte, 3)
	_, _ = rand.Read(suffix) // never fails
	now := p.options.Server.Now()
	names := make(map[string]int, len(p.handlers))
	for name := range p.handlers {
		names[name] = p.table.byName[name].limit
	}
	sent := p.options.Clock.Now()
	problems := p.problems()
	self := (fleet.Instance{
		ID:   fmt.Sprintf("%s%s:%d:%s", queue.HolderPrefix, p.options.Host, p.options.PID, hex.EncodeToString(suffix)),
		Kind: fleet.Worker, Host: p.options.Host, PID: p.options.PID, Version: p.options.Version,
		StartedAt: now, SeenAt: now, ExpiresAt: now.Add(p.beats.expiry(false)), Names: names, Problems: problems,
	}).Measured(p.options.Parent)
	if err := p.options.Registry.Register(ctx, self); err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.self, p.isBusy, p.sentAt, p.told = self, false, sent, problems
	p.planAt(p.options.Clock.Now().Add(p.beats.every(false)))
	return nil
}

// run keeps the heartbeat.
func (p *presence) run(ctx context.Context) error {
	for ctx.Err() == nil {
		p.mu.Lock()
		timer := p.options.Clock.NewTimer(p.beatAt.Sub(p.options.Clock.Now()))
		p.mu.Unlock()
		due := false
		select {
		case <-ctx.Done():
		case <-p.plans:
		case <-p.kicks:
			due = true
		case <-timer.Chan():
			due = true
		}
		timer.Stop()
		if due {
			_ = p.beat(ctx) // it is logged, and tried again
			p.clock.measureSoon()
		}
	}
	return nil
}

// beatNow asks for a heartbeat without waiting for it.
func (p *presence) beatNow() { notify(p.kicks) }

// beforeClaim is called when jobs were found and none is claimed yet; expired says
// that their locks are too old. Its error is why they must not be claimed.
func (p *presence) beforeClaim(ctx context.Context, expired bool) error {
	if err := p.declareBusy(ctx); err != nil {
		return err
	}
	return p.clock.mayLease(expired)
}

// busy declares what is held already.
func (p *presence) busy(ctx context.Context) { _ = p.declareBusy(ctx) } // it is logged, and tried again

// declareBusy says that something is held, or is about to be, unless that is known
// already: whoever reads the last heartbeat, and does not see another one, will
// come and rescue it. Then it tells the peers to watch.
func (p *presence) declareBusy(ctx context.Context) error {
	p.mu.Lock()
	now := p.options.Clock.Now()
	p.busyUntil = now.Add(p.beats.Expiry)
	stands := p.isBusy && now.Sub(p.sentAt) < p.beats.Expiry
	p.mu.Unlock()
	if stands {
		return nil
	}
	var both sync.WaitGroup
	both.Go(func() { p.clock.measure(ctx) })
	err := p.beat(ctx)
	both.Wait()
	if err != nil {
		return fmt.Errorf("tell the peers that leases are held: %w", err)
	}
	if err := p.options.Publisher.Publish(ctx, wake.Signal{Kind: wake.Busy}); err != nil {
		p.options.Log.DebugContext(ctx, "peers not told that leases are held", slog.Any("error", err))
	}
	return nil
}

// beat renews the declaration. When that fails the handlers go on for a while
// (reach.go).
func (p *presence) beat(ctx context.Context) error {
	p.beating <- struct{}{}
	defer func() { <-p.beating }()
	sent := p.options.Clock.Now()
	self, busy := p.declaration(sent)
	within, cancel := context.WithTimeoutCause(ctx, p.beats.Timeout(), errBeatTimeout)
	defer cancel()
	err := p.options.Registry.Beat(within, self)
	p.watch.ownBeat(err, p.options.Clock.Now().Sub(sent))
	switch {
	case err == nil:
		p.arrived(self, busy, sent)
		p.reach.arrived(ctx)
	case errors.Is(err, fleet.ErrDeclaredDead):
		p.options.Log.ErrorContext(ctx, "peers took this worker for dead; its leases are lost", slog.String("instance", self.ID))
		if err := p.rise(ctx, self.ID); err != nil {
			p.again()
			p.options.Log.ErrorContext(ctx, "not registered again; trying with the next heartbeat", slog.Any("error", err))
		}
	default:
		p.again()
		p.options.Log.WarnContext(ctx, "heartbeat not stored", slog.Any("error", err))
	}
	return err
}

// declaration is what to say now.
func (p *presence) declaration(now time.Time) (self fleet.Instance, busy bool) {
	problems := p.problems()
	p.mu.Lock()
	defer p.mu.Unlock()
	self = p.self.Measured(p.options.Parent)
	self.InFlight, self.Draining = p.table.load(), p.draining.Load()
	busy = self.InFlight > 0 || now.Before(p.busyUntil)
	self.SeenAt = p.options.Server.Now()
	self.ExpiresAt, self.EndsAt = self.SeenAt.Add(p.beats.expiry(busy)), time.Time{}
	if busy {
		self.EndsAt = self.SeenAt.Add(p.beats.patience())
	} else {
		p.isBusy = false // as far as anybody may read from now on
	}
	if self.Problems = problems; sameProblems(problems, p.told) {
		self.Problems = nil
	}
	return self, busy
}

// arrived keeps what a heartbeat has declared, and plans the next.
func (p *presence) arrived(self fleet.Instance, busy bool, sent time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if self.Problems != nil {
		p.told = self.Problems
	}
	p.self, p.isBusy, p.sentAt = self, busy, sent
	p.planAt(sent.Add(p.beats.every(busy || p.suspicious)))
}

// planAt plans the next heartbeat. It is called with p.mu held.
func (p *presence) planAt(at time.Time) {
	p.beatAt = at
	notify(p.plans)
}

// again plans the heartbeat after one that failed.
func (p *presence) again() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.planAt(p.options.Clock.Now().Add(p.beats.Interval / 4))
}

// beatWell beats at the pace of a busy worker while a busy peer is suspect:
// only heartbeats that arrive are evidence against one that does not.
func (p *presence) beatWell(suspicious bool) {
	p.mu.Lock()
	begins := suspicious && !p.suspicious
	p.suspicious = suspicious
	p.mu.Unlock()
	if begins {
		p.beatNow()
	}
}

// stir makes this process watch its peers closely for a while.
func (p *presence) stir() { p.watch.stir() }

// mayLease tells why nothing may be leased now; nil = nothing is in the way.
func (p *presence) mayLease() error {
	if p.reach.isCut() {
		return ErrUnreachable
	}
	return p.clock.mayLease(false)
}

// rise begins a new life under a new id. Peers have released what the former
// one held, but not what it leased after that, before it knew.
func (p *presence) rise(ctx context.Context, former string) error {
	p.keeper.loseAll()
	if err := p.register(ctx); err != nil {
		return err
	}
	p.reach.arrived(ctx)
	p.fetcher.doubt(former)
	p.wakeFetcher()
	p.beatNow() // what it held is not recorded yet
	return nil
}

// leave ends the membership. If handlers are left that did not stop in time,
// the process stays listed and soon expires, so that peers rescue their jobs.
func (p *presence) leave(ctx context.Context, abandoned bool) error {
	if !abandoned {
		return p.options.Registry.Leave(ctx, p.id())
	}
	p.mu.Lock()
	self := p.self
	p.mu.Unlock()
	self.SeenAt, self.Problems = p.options.Server.Now(), nil
	self.ExpiresAt = self.SeenAt.Add(p.beats.Interval)
	self.EndsAt = self.ExpiresAt
	return p.options.Registry.Beat(ctx, self)
}
