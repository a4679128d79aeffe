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

// A process that holds leases says so every two seconds, and is suspect for
// its peers six seconds after it last did. One that holds none has nothing to
// lose, so it beats seldom. Peers look every five seconds while anybody is
// busy, and once more before they believe that somebody is dead: after an
// outage of the database every heartbeat is late, and nobody is dead. A crash
// is noticed within fourteen seconds.
const (
	busyBeat    = 2 * time.Second
	busyExpiry  = 6 * time.Second
	confirm     = 3 * time.Second // more than a beat
	beatTimeout = 5 * time.Second
	idleBeat    = 30 * time.Second
	idleExpiry  = 90 * time.Second
	busyWatch   = 5 * time.Second
	idleWatch   = 15 * time.Second
	stirredFor  = time.Minute // after a wake-up somebody may be busy
	presenceBit = 500 * time.Millisecond

	watchTimeout  = 5 * time.Second
	rescueTimeout = 30 * time.Second
)

// presence is this process' place in the fleet, and its eye on the others.
type presence struct {
	*Runner
	mu       sync.Mutex
	self     fleet.Instance
	isBusy   bool
	beatAt   time.Time            // local clock: when to beat next
	watchAt  time.Time            // local clock: when to look at the others next
	stirred  time.Time            // local clock: when somebody may last have become busy
	suspects map[string]time.Time // expired at the last look, and when each was last seen alive
	beating  sync.Mutex           // one beat at a time, or an older one could win
}

func newPresence(r *Runner) *presence {
	return &presence{Runner: r}
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
	now := p.options.Now()
	names := make(map[string]int, len(p.handlers))
	for name := range p.handlers {
		names[name] = p.table.byName[name].limit
	}
	self := (fleet.Instance{
		ID:   fmt.Sprintf("%s%s:%d:%s", queue.HolderPrefix, p.options.Host, p.options.PID, hex.EncodeToString(suffix)),
		Kind: fleet.Worker, Host: p.options.Host, PID: p.options.PID, Version: p.options.Version,
		StartedAt: now, SeenAt: now, ExpiresAt: now.Add(idleExpiry), Names: names,
	}).Measured(p.options.Parent)
	if err := p.options.Registry.Register(ctx, self); err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.self, p.isBusy = self, false
	p.beatAt = p.options.Clock.Now().Add(idleBeat)
	return nil
}

func (p *presence) run(ctx context.Context) error { return p.every(ctx, p.beatIfDue) }

// watchPeers has a goroutine of its own: rescuing what a dead worker held must
// not delay the own heartbeat.
func (p *presence) watchPeers(ctx context.Context) error { return p.every(ctx, p.watchIfDue) }

func (p *presence) every(ctx context.Context, act func(context.Context)) error {
	ticker := p.options.Clock.NewTicker(presenceBit)
	defer ticker.Stop()
	for {
		act(ctx)
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.Chan():
		}
	}
}

// busy declares, at once, that leases are held, if that was not known.
func (p *presence) busy(ctx context.Context) {
	p.mu.Lock()
	was := p.isBusy
	p.mu.Unlock()
	if was {
		return
	}
	p.beat(ctx)
	if err := p.options.Publisher.Publish(ctx, wake.Signal{Kind: wake.Busy}); err != nil {
		p.options.Log.DebugContext(ctx, "peers not told that leases are held", slog.Any("error", err))
	}
}

// stir makes this process watch its peers closely for a while.
func (p *presence) stir() {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.options.Clock.Now()
	p.stirred = now
	if soon := now.Add(busyWatch); p.watchAt.After(soon) {
		p.watchAt = soon
	}
}

func (p *presence) beatIfDue(ctx context.Context) {
	held := p.table.load()
	p.mu.Lock()
	due := !p.options.Clock.Now().Before(p.beatAt)
	p.mu.Unlock()
	if due || held > 0 && !p.knownBusy() {
		p.beat(ctx)
	}
}

func (p *presence) knownBusy() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.isBusy
}

// beat renews the declaration. When that fails the handlers go on: as long as
// the database is away for everybody, nobody takes their leases; and if peers
// do, the first beat that arrives says so.
func (p *presence) beat(ctx context.Context) {
	p.beating.Lock()
	defer p.beating.Unlock()
	held := p.table.load()
	every, expiry := idleBeat, idleExpiry
	if held > 0 {
		every, expiry = busyBeat, busyExpiry
	}
	ctx, cancel := context.WithTimeoutCause(ctx, beatTimeout, errBeatTimeout)
	defer cancel()
	p.mu.Lock()
	self := p.self.Measured(p.options.Parent)
	p.mu.Unlock()
	self.SeenAt = p.options.Now()
	self.ExpiresAt, self.InFlight, self.Draining = self.SeenAt.Add(expiry), held, p.draining.Load()
	err := p.options.Registry.Beat(ctx, self)
	switch {
	case err == nil:
		p.mu.Lock()
		p.self, p.isBusy = self, held > 0
		p.beatAt = p.options.Clock.Now().Add(every)
		p.mu.Unlock()
	case errors.Is(err, fleet.ErrDeclaredDead):
		p.options.Log.ErrorContext(ctx, "peers took this worker for dead; its leases are lost", slog.String("instance", self.ID))
		if err := p.rise(ctx, self.ID); err != nil {
			p.options.Log.ErrorContext(ctx, "not registered again; trying with the next heartbeat", slog.Any("error", err))
		}
	default:
		p.options.Log.WarnContext(ctx, "heartbeat not stored", slog.Any("error", err))
	}
}

// rise begins a new life under a new id. Peers have released what the former
// one held, but not what it leased after that, before it knew.
func (p *presence) rise(ctx context.Context, former string) error {
	p.keeper.loseAll()
	if err := p.register(ctx); err != nil {
		return err
	}
	p.fetcher.doubt(former)
	p.wakeFetcher()
	return nil
}

func (p *presence) watchIfDue(ctx context.Context) {
	p.mu.Lock()
	now := p.options.Clock.Now()
	due := !now.Before(p.watchAt)
	p.mu.Unlock()
	if !due {
		return
	}
	anyBusy := p.watch(ctx)
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.suspects) > 0 {
		p.watchAt = now.Add(confirm)
		return
	}
	every := idleWatch
	if anyBusy || now.Sub(p.stirred) < stirredFor && !p.stirred.IsZero() {
		every = busyWatch
	}
	p.watchAt = now.Add(every)
}

// watch rescues what dead peers held. It reports whether a peer is busy.
func (p *presence) watch(ctx context.Context) (anyBusy bool) {
	instances, err := p.instances(ctx)
	if err != nil {
		p.options.Log.WarnContext(ctx, "fleet not read", slog.Any("error", err))
		return true
	}
	now, self := p.options.Now(), p.id()
	suspects := map[string]time.Time{}
	for _, instance := range instances {
		switch {
		case instance.ID == self:
		case instance.ExpiresAt.After(now):
			anyBusy = anyBusy || instance.Kind == fleet.Worker && instance.Busy()
		case p.suspects[instance.ID].Equal(instance.SeenAt):
			p.rescue(ctx, instance)
		default:
			suspects[instance.ID] = instance.SeenAt
		}
	}
	p.suspects = suspects
	return anyBusy
}

func (p *presence) instances(ctx context.Context) ([]fleet.Instance, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, watchTimeout, errWatchTimeout)
	defer cancel()
	return p.options.Registry.Instances(ctx)
}

func (p *presence) rescue(ctx context.Context, dead fleet.Instance) {
	ctx, cancel := context.WithTimeoutCause(ctx, rescueTimeout, errRescueTimeout)
	defer cancel()
	rescued := 0
	if dead.Kind == fleet.Worker {
		done, err := p.options.Store.Rescue(ctx, queue.RescueRequest{Instance: dead.ID})
		if rescued = done.Due; err != nil {
			p.options.Log.WarnContext(ctx, "dead worker's jobs not rescued yet", slog.String("instance", dead.ID), slog.Any("error", err))
			return
		}
	}
	if _, err := p.options.Registry.Bury(ctx, dead.ID); err != nil {
		p.options.Log.WarnContext(ctx, "dead instance not removed", slog.String("instance", dead.ID), slog.Any("error", err))
	}
	if rescued == 0 {
		return
	}
	p.options.Metrics.rescued(rescued)
	p.options.Log.WarnContext(ctx, "jobs of a dead worker are due again", slog.String("instance", dead.ID), slog.Int("count", rescued))
	p.wakeFetcher()
	if err := p.options.Publisher.Publish(ctx, wake.Signal{Kind: wake.Due}); err != nil {
		p.options.Log.DebugContext(ctx, "peers not told of rescued jobs", slog.Any("error", err))
	}
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
	self.SeenAt = p.options.Now()
	self.ExpiresAt = self.SeenAt.Add(busyBeat)
	return p.options.Registry.Beat(ctx, self)
}
