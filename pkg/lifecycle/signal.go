package lifecycle

import (
	"context"
	"os"
	"os/signal"
	"sync"
	"syscall"
)

// SignalError is the cause of a context that a signal has ended.
type SignalError struct{ Signal os.Signal }

// Error names the signal.
func (e SignalError) Error() string { return "received signal: " + e.Signal.String() }

// NotifyContext returns a context that ends with a SignalError at the first
// SIGINT or SIGTERM; the second one ends the process at once, with 128 plus
// its number. Use it for what main does before Run; both may be in force.
// release ends the watching.
func NotifyContext(ctx context.Context) (notified context.Context, release func()) {
	return notify(ctx, RunOptions{})
}

func notify(ctx context.Context, options RunOptions) (context.Context, func()) {
	signals, exit := options.Signals, options.Exit
	unsubscribe := func() {}
	if signals == nil {
		own := make(chan os.Signal, 2)
		signal.Notify(own, os.Interrupt, syscall.SIGTERM)
		signals, unsubscribe = own, func() { signal.Stop(own) }
	}
	if exit == nil {
		exit = os.Exit
	}
	ctx, cancel := context.WithCancelCause(ctx)
	done := make(chan struct{})
	var watcher sync.WaitGroup
	watcher.Go(func() {
		for first := true; ; first = false {
			select {
			case received := <-signals:
				if !first {
					exit(forcedExitCode(received))
				}
				cancel(SignalError{received})
			case <-done:
				return
			}
		}
	})
	return ctx, sync.OnceFunc(func() {
		unsubscribe()
		close(done)
		watcher.Wait()
		cancel(context.Canceled)
	})
}

// forcedExitCode is the shell's convention for a process that a signal ended.
func forcedExitCode(received os.Signal) int {
	if number, ok := received.(syscall.Signal); ok {
		return 128 + int(number)
	}
	return ExitFailed
}
