// Package presence keeps this process listed among the live instances, so that
// operators and the other processes know of it.
package presence

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"time"

	"github.com/jonboulle/clockwork"

	"github.com/etrainer/backend/pkg/fleet"
	"github.com/etrainer/backend/pkg/lifecycle"
	"github.com/etrainer/backend/pkg/supervise"
	"github.com/etrainer/backend/pkg/version"
)

const (
	// beatEvery is the time between heartbeats.
	beatEvery = 20 * time.Second
	// lifetime is how long after a heartbeat others believe in this process.
	lifetime = 3 * beatEvery
	// beatTimeout bounds one heartbeat, well within lifetime.
	beatTimeout = 5 * time.Second
)

// Options are the parts of a Service.
type Options struct {
	Registry fleet.Registry
	// ID is the name of this instance.
	ID string
	// Parent is what the parent of this process says of its children; nil = it has
	// none.
	Parent func() (supervise.Status, bool)
	// InFlight is how many requests are being answered; nil = nobody counts.
	InFlight func() int
	// Now is the database server's clock, in which instances expire.
	Now func() time.Time
	// Clock times the heartbeats. nil = the real one.
	Clock clockwork.Clock
	Log   *slog.Logger
}

// Service registers this process, renews that, and takes it back at the end.
// A registry that does not answer is tried again with the next heartbeat:
// the api works without being listed.
type Service struct {
	*lifecycle.Loop
	options    Options
	self       fleet.Instance
	registered bool // the registry said so
	draining   chan struct{}
}

// New returns a Service that is not started.
func New(options Options) *Service {
	if options.Clock == nil {
		options.Clock = clockwork.NewRealClock()
	}
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	s := &Service{options: options, draining: make(chan struct{}, 1), self: fleet.Instance{
		ID: options.ID, Kind: fleet.API, Host: host, PID: os.Getpid(), Version: version.Version,
	}}
	s.Loop = lifecycle.NewLoop("presence", s.run)
	return s
}

// Drain tells the others at once that this process is about to stop: it still
// answers, for as long as balancers need to notice.
func (s *Service) Drain(context.Context) error {
	select {
	case s.draining <- struct{}{}:
	default: // it was told already
	}
	return nil
}

// run ends with its context, and leaves the registry then.
func (s *Service) run(ctx context.Context) error {
	s.self.StartedAt, s.self.Draining = s.options.Now(), false
	ticker := s.options.Clock.NewTicker(beatEvery)
	defer ticker.Stop()
	for {
		s.beat(ctx)
		select {
		case <-ctx.Done():
			s.leave(ctx)
			return nil
		case <-s.draining:
			s.self.Draining = true
		case <-ticker.Chan():
		}
	}
}

// beat outlives the context of the loop: the server might carry out a command that
// was cut off after that of leave.
func (s *Service) beat(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), beatTimeout)
	defer cancel()
	s.self.SeenAt = s.options.Now()
	s.self.ExpiresAt = s.self.SeenAt.Add(lifetime)
	s.self = s.self.Measured(s.options.Parent)
	if s.options.InFlight != nil {
		s.self.InFlight = s.options.InFlight()
	}
	err := fleet.ErrDeclaredDead
	if s.registered {
		err = s.options.Registry.Beat(ctx, s.self)
	}
	if errors.Is(err, fleet.ErrDeclaredDead) {
		err = s.options.Registry.Register(ctx, s.self)
		s.registered = err == nil
	}
	if err != nil {
		s.options.Log.WarnContext(ctx, "heartbeat not written", slog.Any("error", err))
	}
}

// leave outlives the context of the loop, which has ended. The registry may have
// the instance even if it did not say so.
func (s *Service) leave(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), beatTimeout)
	defer cancel()
	if err := s.options.Registry.Leave(ctx, s.self.ID); err != nil {
		s.options.Log.WarnContext(ctx, "instance not removed; it expires by itself", slog.Any("error", err))
	}
	s.registered = false
}
