package runner_test

import (
	"context"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/jonboulle/clockwork"
)

// loops are the files of the loops that act whenever their time has come. What
// the others wait for depends on what runs.
var loops = []string{"pause.go", "presence.go", "watch.go"}

// still is a clock that stands still until it is told to run.
type still struct {
	*clockwork.FakeClock
	waits *waits
}

func newStill() still {
	return still{clockwork.NewFakeClock(), &waits{timers: map[string]*timer{}, changed: make(chan struct{}, 1)}}
}

// waits knows until when each loop waits.
type waits struct {
	mu      sync.Mutex
	timers  map[string]*timer // the last of each file
	changed chan struct{}     // has one element when a timer was set
}

// timer is a timer of one loop.
type timer struct {
	clockwork.Timer
	clock still
	until time.Time // zero = it was stopped
}

// NewTimer returns a timer of the file that calls it.
func (s still) NewTimer(d time.Duration) clockwork.Timer {
	t := &timer{Timer: s.FakeClock.NewTimer(d), clock: s}
	_, file, _, _ := runtime.Caller(1)
	s.waits.mu.Lock()
	s.waits.timers[filepath.Base(file)] = t
	s.waits.mu.Unlock()
	t.set(s.Now().Add(d))
	return t
}

func (t *timer) Reset(d time.Duration) bool {
	t.set(t.clock.Now().Add(d))
	return t.Timer.Reset(d)
}

func (t *timer) Stop() bool {
	t.set(time.Time{})
	return t.Timer.Stop()
}

func (t *timer) set(until time.Time) {
	t.clock.waits.mu.Lock()
	t.until = until
	t.clock.waits.mu.Unlock()
	select {
	case t.clock.waits.changed <- struct{}{}:
	default:
	}
}

// settled waits until every loop waits for the clock again.
func (s still) settled(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for {
		acting := s.waits.acting(s.Now())
		if len(acting) == 0 {
			return
		}
		select {
		case <-s.waits.changed:
		case <-ctx.Done():
			t.Fatalf("the loops in %v do not wait: %v", acting, ctx.Err())
		}
	}
}

// acting returns the loops that do not wait for a time to come.
func (w *waits) acting(now time.Time) []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	var acting []string
	for _, loop := range loops {
		if t := w.timers[loop]; t == nil || !t.until.After(now) {
			acting = append(acting, loop)
		}
	}
	return acting
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
