package runner_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/jonboulle/clockwork"
)

// idleWaiters is how many goroutines of an idle runner wait for its clock:
// fetcher, keeper, heartbeat and watch.
const idleWaiters = 4

// still is a clock that stands still until it is told to run.
type still struct {
	*clockwork.FakeClock
}

func newStill() still { return still{clockwork.NewFakeClock()} }

// settled waits until every loop waits for the clock again.
func (s still) settled(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := s.BlockUntilContext(ctx, idleWaiters); err != nil {
		t.Fatalf("the loops of the runner do not wait: %v", err)
	}
}

// run lets the clock run, in steps of ten milliseconds, until the test ends.
func (s still) run(t *testing.T) {
	t.Helper()
	done := make(chan struct{})
	var running sync.WaitGroup
	running.Go(func() {
		tick := time.NewTicker(10 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				s.Advance(10 * time.Millisecond)
			case <-done:
				return
			}
		}
	})
	t.Cleanup(func() {
		close(done)
		running.Wait()
	})
}
