// Package lifecycletest checks that a lifecycle.Service keeps the contract:
// Start and Stop are safe twice, out of order and from many goroutines. Tests
// alone import it. End the package's tests with goleak as well, which finds
// what Stop did not wait for.
package lifecycletest

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/etrainer/backend/pkg/lifecycle"
)

// patience bounds each call: a healthy service takes a fraction of it.
const patience = 30 * time.Second

// Stress starts and stops services made by create in every order: stopped
// before it started, started twice, stopped twice, started again, and both
// from ten goroutines at once. Run it with the race detector.
func Stress(t testing.TB, create func() lifecycle.Service) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()

	s := create()
	stop(ctx, t, s, "Stop before Start")
	if err := s.Start(ctx); err != nil && !errors.Is(err, lifecycle.ErrStopped) {
		t.Errorf("Start after a Stop that had nothing to stop: %v", err)
	}
	stop(ctx, t, s, "Stop")

	s = create()
	for _, call := range []string{"first Start", "Start of what runs"} {
		if err := s.Start(ctx); err != nil {
			t.Errorf("%s: %v", call, err)
		}
	}
	stop(ctx, t, s, "Stop")
	stop(ctx, t, s, "Stop of what is stopped")
	start(ctx, t, s, "Start after Stop")
	stop(ctx, t, s, "Stop of the second run")

	s = create()
	var all sync.WaitGroup
	gate := make(chan struct{})
	for range 10 {
		all.Go(func() {
			<-gate
			for range 5 {
				start(ctx, t, s, "Start among ten goroutines")
				stop(ctx, t, s, "Stop among ten goroutines")
			}
		})
	}
	close(gate)
	all.Wait()
	stop(ctx, t, s, "last Stop")
}

// start starts a service that may be one that runs only once.
func start(ctx context.Context, t testing.TB, s lifecycle.Service, call string) {
	if err := s.Start(ctx); err != nil && !errors.Is(err, lifecycle.ErrStopped) {
		t.Errorf("%s: %v", call, err)
	}
}

func stop(ctx context.Context, t testing.TB, s lifecycle.Service, call string) {
	if err := s.Stop(ctx); err != nil {
		t.Errorf("%s: %v", call, err)
	}
}
