package lifecycle

import (
	"context"
	"errors"
)

// Service is something that runs between Start and Stop. Both are safe to
// call twice, out of order and from any goroutine; lifecycletest.Stress
// checks that.
type Service interface {
	// Start returns nil once the service runs, or the reason why it does not;
	// then nothing of it is left running. Starting what runs does nothing. The
	// end of ctx ends the start, not what was started. After Stop it starts
	// anew, or returns ErrStopped if it can run only once.
	Start(ctx context.Context) error
	// Stop asks the service to end and waits until it has. When ctx ends
	// first it returns an error, and another call waits again. Stopping what
	// does not run does nothing.
	Stop(ctx context.Context) error
}

// Failer is a Service that can fail on its own while it runs.
type Failer interface {
	// Failed delivers the first failure of each run, once.
	Failed() <-chan error
}

// ErrStopped is what Start of a service returns that was stopped and can run
// only once.
var ErrStopped = errors.New("stopped, and can run only once")

// ErrStopping is the cause (see context.Cause) with which Stop cancels the
// context of a Loop: it tells a stop from a failure.
var ErrStopping = errors.New("the service is stopping")
