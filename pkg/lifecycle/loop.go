package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
)

// Loop is a Service that owns one goroutine. Create it with NewLoop.
type Loop struct {
	name   string
	run    func(ctx context.Context) error
	failed chan error

	mu      sync.Mutex
	current *turn // nil while stopped
}

// turn is one run of a Loop, from Start to Stop.
type turn struct {
	cancel   context.CancelCauseFunc
	stopping bool          // guarded by Loop.mu
	done     chan struct{} // closed when run has returned
	err      error         // why run returned; read it after done
}

// NewLoop returns a Service that calls run in a goroutine of its own. run
// should return when its context ends; that context keeps the values of
// Start's context, and ends by Stop alone, with the cause ErrStopping.
//
// A run that returns nil before Stop has simply done its work. One that
// returns an error, or panics, before Stop has failed: see Failed.
func NewLoop(name string, run func(ctx context.Context) error) *Loop {
	return &Loop{name: name, run: run, failed: make(chan error, 1)}
}

// Start starts the goroutine. It fails only if a previous Stop is still
// waiting when ctx ends.
func (l *Loop) Start(ctx context.Context) error {
	for {
		l.mu.Lock()
		previous := l.current
		if previous == nil {
			l.begin(ctx)
		}
		stopping := previous != nil && previous.stopping
		l.mu.Unlock()
		if !stopping {
			return nil
		}
		if err := l.wait(ctx, previous); err != nil {
			return fmt.Errorf("start %s: wait for its previous run to stop: %w", l.name, err)
		}
	}
}

// begin starts a turn; the caller holds l.mu.
func (l *Loop) begin(ctx context.Context) {
	ctx, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	now := &turn{cancel: cancel, done: make(chan struct{})}
	l.current = now
	go func() {
		defer close(now.done)
		now.err = l.call(ctx)
		l.mu.Lock()
		defer l.mu.Unlock()
		if now.err != nil && !now.stopping {
			select {
			case l.failed <- now.err:
				now.err = nil
			default: // an older failure is still there: Stop returns both
			}
		}
	}()
}

// call runs the function, and turns a panic into a failure, so that the
// process can still stop the rest in order.
func (l *Loop) call(ctx context.Context) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%s: panic: %v\n%s", l.name, p, debug.Stack())
		}
	}()
	err = l.run(ctx)
	if err == nil || ctx.Err() != nil && (errors.Is(err, context.Canceled) || errors.Is(err, ErrStopping)) {
		return nil
	}
	return fmt.Errorf("%s: %w", l.name, err)
}

// Stop cancels the context of the goroutine and waits until it has ended. It
// returns the error with which run answered, and a failure that nobody has
// taken from Failed.
func (l *Loop) Stop(ctx context.Context) error {
	l.mu.Lock()
	now := l.current
	if now == nil {
		l.mu.Unlock()
		return nil
	}
	now.stopping = true
	l.mu.Unlock()
	now.cancel(ErrStopping)

	if err := l.wait(ctx, now); err != nil {
		return fmt.Errorf("stop %s: %w", l.name, err)
	}
	select {
	case err := <-l.failed:
		return errors.Join(err, now.err)
	default:
		return now.err
	}
}

// wait waits until a turn has ended, and marks the Loop as stopped.
func (l *Loop) wait(ctx context.Context, now *turn) error {
	if err := await(ctx, now.done); err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.current == now {
		l.current = nil
	}
	return nil
}

// Failed delivers the failure of a run that nobody had asked to stop.
func (l *Loop) Failed() <-chan error { return l.failed }

// await waits for done or the end of ctx; when both have happened, it is done.
func await(ctx context.Context, done <-chan struct{}) error {
	select {
	case <-done:
		return nil
	case <-ctx.Done():
	}
	select {
	case <-done:
		return nil
	default:
		return context.Cause(ctx)
	}
}
