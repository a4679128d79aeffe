package lifecycle_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/etrainer/backend/pkg/lifecycle"
	"github.com/etrainer/backend/pkg/lifecycle/lifecycletest"
)

var errBroken = errors.New("broken")

// untilStopped is the run of a well-behaved loop.
func untilStopped(ctx context.Context) error {
	<-ctx.Done()
	return ctx.Err()
}

// ended returns a context that has ended.
func ended(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	return ctx
}

func TestLoopKeepsTheContract(t *testing.T) {
	t.Parallel()
	t.Run("until stopped", func(t *testing.T) {
		t.Parallel()
		lifecycletest.Stress(t, func() lifecycle.Service { return lifecycle.NewLoop("loop", untilStopped) })
	})
	t.Run("ends by itself", func(t *testing.T) {
		t.Parallel()
		lifecycletest.Stress(t, func() lifecycle.Service {
			return lifecycle.NewLoop("loop", func(context.Context) error { return nil })
		})
	})
}

func TestLoopContext(t *testing.T) {
	t.Parallel()
	type key struct{}
	seen := make(chan context.Context, 1)
	loop := lifecycle.NewLoop("loop", func(ctx context.Context) error {
		seen <- ctx
		return untilStopped(ctx)
	})

	start, cancel := context.WithCancel(context.WithValue(t.Context(), key{}, "kept"))
	if err := loop.Start(start); err != nil {
		t.Fatalf("Start: %v", err)
	}
	ctx := <-seen
	cancel()
	if ctx.Err() != nil {
		t.Error("the end of Start's context ended the loop")
	}
	if got := ctx.Value(key{}); got != "kept" {
		t.Errorf("value of Start's context = %v, want it kept", got)
	}
	if err := loop.Stop(t.Context()); err != nil {
		t.Errorf("Stop: %v", err)
	}
	if cause := context.Cause(ctx); !errors.Is(cause, lifecycle.ErrStopping) {
		t.Errorf("cause = %v, want ErrStopping", cause)
	}
}

func TestLoopFailure(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		run  func(context.Context) error
		want string
	}{
		"error": {run: func(context.Context) error { return errBroken }, want: "loop: broken"},
		"panic": {run: func(context.Context) error { panic("boom") }, want: "loop: panic: boom\n"},
		"cancelled by itself": {
			run:  func(context.Context) error { return context.Canceled },
			want: "loop: context canceled",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			loop := lifecycle.NewLoop("loop", test.run)
			if err := loop.Start(t.Context()); err != nil {
				t.Fatalf("Start: %v", err)
			}
			if err := <-loop.Failed(); !strings.HasPrefix(err.Error(), test.want) {
				t.Errorf("failure = %q, want prefix %q", err, test.want)
			}
			if err := loop.Stop(t.Context()); err != nil {
				t.Errorf("Stop after a failure that was taken = %v, want nil", err)
			}
		})
	}
}

func TestLoopStopReturnsWhatNobodyTook(t *testing.T) {
	t.Parallel()
	t.Run("failure before Stop", func(t *testing.T) {
		t.Parallel()
		left := make(chan struct{})
		loop := lifecycle.NewLoop("loop", func(context.Context) error { defer close(left); return errBroken })
		if err := loop.Start(t.Context()); err != nil {
			t.Fatalf("Start: %v", err)
		}
		<-left
		if err := loop.Stop(t.Context()); !errors.Is(err, errBroken) {
			t.Errorf("Stop = %v, want the failure", err)
		}
	})
	t.Run("error during Stop", func(t *testing.T) {
		t.Parallel()
		loop := lifecycle.NewLoop("loop", func(ctx context.Context) error { <-ctx.Done(); return errBroken })
		if err := loop.Start(t.Context()); err != nil {
			t.Fatalf("Start: %v", err)
		}
		if err := loop.Stop(t.Context()); !errors.Is(err, errBroken) {
			t.Errorf("Stop = %v, want the error of run", err)
		}
		select {
		case err := <-loop.Failed():
			t.Errorf("Failed delivered %v, which Stop had returned", err)
		default:
		}
	})
}

func TestLoopStopWaitsWithinItsContext(t *testing.T) {
	t.Parallel()
	stopping, release := make(chan struct{}), make(chan struct{})
	loop := lifecycle.NewLoop("slow", func(ctx context.Context) error {
		<-ctx.Done()
		close(stopping)
		<-release
		return nil
	})
	if err := loop.Start(t.Context()); err != nil {
		t.Fatalf("Start: %v", err)
	}
	if err := loop.Stop(ended(t)); !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "slow") {
		t.Errorf("Stop within an ended context = %v, want its end and the name", err)
	}
	<-stopping
	if err := loop.Start(ended(t)); !errors.Is(err, context.Canceled) {
		t.Errorf("Start while the run before still stops = %v, want the end of the context", err)
	}
	close(release)
	if err := loop.Stop(t.Context()); err != nil {
		t.Errorf("second Stop: %v", err)
	}
}
