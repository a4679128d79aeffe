package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"
)

// rollbackTimeout bounds the stopping of what had started when a Start
// fails. The context of Start may have ended by then, so it cannot bound it.
const rollbackTimeout = 10 * time.Second

// Group is a Service made of services: it starts them in the order of Add and
// stops them in the reverse order. Create it with NewGroup.
type Group struct {
	log    *slog.Logger
	failed chan error

	// turnstile lets one Start or Stop in at a time. It is not a mutex
	// because waiting for it has to end with the context.
	turnstile chan struct{}
	members   []member
	running   bool
	started   []member // what Stop has to stop, in the order of Start
	unwatch   func()   // ends the goroutines that watch for failures
}

type member struct {
	name    string
	service Service
}

// NewGroup returns an empty Group. It logs each start and stop at debug
// level; log nil = nothing is logged.
func NewGroup(log *slog.Logger) *Group {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &Group{log: log, failed: make(chan error, 1), turnstile: make(chan struct{}, 1), unwatch: func() {}}
}

// Add appends a service. Call it before Start: dependencies first, so that
// they stop last.
func (g *Group) Add(name string, s Service) {
	g.members = append(g.members, member{name, s})
}

// Start starts the services one after the other. If one fails, those that had
// started are stopped in reverse order, and the errors are joined.
func (g *Group) Start(ctx context.Context) error {
	if err := g.enter(ctx); err != nil {
		return fmt.Errorf("start: %w", err)
	}
	defer g.leave()
	if g.running {
		return nil
	}
	if err := g.stopStarted(ctx); err != nil { // what an earlier Stop left
		return err
	}
	for _, m := range g.members {
		if err := m.service.Start(ctx); err != nil {
			undo, cancel := context.WithTimeout(context.WithoutCancel(ctx), rollbackTimeout)
			defer cancel()
			return errors.Join(fmt.Errorf("start %s: %w", m.name, err), g.stopStarted(undo))
		}
		g.started = append(g.started, m)
		g.log.DebugContext(ctx, "service started", slog.String("name", m.name))
	}
	g.running = true
	g.watch()
	return nil
}

// Stop stops the services one after the other, the last started first, all
// within ctx. Every one is asked even when ctx has ended; those that did not
// stop in time are asked again by the next call. The errors are joined, and a
// failure that nobody has taken from Failed is among them.
func (g *Group) Stop(ctx context.Context) error {
	if err := g.enter(ctx); err != nil {
		return fmt.Errorf("stop: %w", err)
	}
	defer g.leave()
	g.running = false
	g.unwatch()
	g.unwatch = func() {}
	err := g.stopStarted(ctx)
	select {
	case failure := <-g.failed:
		return errors.Join(failure, err)
	default:
		return err
	}
}

// Failed delivers the first failure of any of the services, with its name.
func (g *Group) Failed() <-chan error { return g.failed }

func (g *Group) stopStarted(ctx context.Context) error {
	var problems []error
	var left []member
	for _, m := range slices.Backward(g.started) {
		if err := m.service.Stop(ctx); err != nil {
			problems = append(problems, fmt.Errorf("stop %s: %w", m.name, err))
			if ctx.Err() != nil {
				left = append(left, m)
			}
			continue
		}
		g.log.DebugContext(ctx, "service stopped", slog.String("name", m.name))
	}
	slices.Reverse(left)
	g.started = left
	return errors.Join(problems...)
}

// watch passes the first failure of a member on, and logs the others. Its
// goroutines end with unwatch.
func (g *Group) watch() {
	done := make(chan struct{})
	var all sync.WaitGroup
	for _, m := range g.started {
		failer, ok := m.service.(Failer)
		if !ok {
			continue
		}
		all.Go(func() {
			select {
			case err := <-failer.Failed():
				g.pass(fmt.Errorf("%s failed: %w", m.name, err))
			case <-done:
			}
		})
	}
	g.unwatch = func() {
		close(done)
		all.Wait()
	}
}

func (g *Group) pass(failure error) {
	select {
	case g.failed <- failure:
	default:
		g.log.Error("another service failed", slog.Any("error", failure))
	}
}

// enter waits for the turnstile or the end of ctx. A free turnstile lets even
// an ended context in, so that a Stop that comes late still asks everyone.
func (g *Group) enter(ctx context.Context) error {
	select {
	case g.turnstile <- struct{}{}:
		return nil
	default:
	}
	select {
	case g.turnstile <- struct{}{}:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (g *Group) leave() { <-g.turnstile }
