package limit_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jonboulle/clockwork"

	"github.com/etrainer/backend/pkg/limit"
	"github.com/etrainer/backend/pkg/limit/limittest"
)

func TestBatchedKeepsTheContract(t *testing.T) {
	t.Parallel()
	limittest.Run(t, func(_ *testing.T, clock clockwork.Clock) limit.Store {
		return limit.NewBatched(limit.NewMemory(clock.Now), clock)
	})
}

// counted is a shared store that counts its calls.
type counted struct {
	limit.Store
	takes atomic.Int64
	hold  chan struct{} // nil = calls do not wait
	fail  atomic.Bool
}

func (c *counted) Take(ctx context.Context, rule limit.Rule, key string, n int) (limit.Result, error) {
	c.takes.Add(1)
	if c.hold != nil {
		<-c.hold
	}
	if c.fail.Load() {
		return limit.Result{}, errAway
	}
	return c.Store.Take(ctx, rule, key, n)
}

var quarter = limit.Rule{Name: "busy", Max: 10_000, Window: 15 * time.Minute}

func newBatched() (*limit.Batched, *counted, *clockwork.FakeClock) {
	clock := clockwork.NewFakeClock()
	shared := &counted{Store: limit.NewMemory(clock.Now)}
	return limit.NewBatched(shared, clock), shared, clock
}

func take(t *testing.T, store limit.Store, rule limit.Rule) limit.Result {
	t.Helper()
	result, err := store.Take(t.Context(), rule, "k", 1)
	if err != nil {
		t.Fatal(err)
	}
	return result
}

// TestBatchedAsksSeldom: ten thousand requests in no time, of which each sees
// one less remaining than the one before, cost two hundred calls; a refused one
// costs none for a second.
func TestBatchedAsksSeldom(t *testing.T) {
	t.Parallel()
	batched, shared, clock := newBatched()
	for i := range quarter.Max {
		if result := take(t, batched, quarter); !result.Allowed || result.Remaining != quarter.Max-1-i {
			t.Fatalf("request %d: %+v", i, result)
		}
	}
	if n := shared.takes.Load(); n > 600 {
		t.Errorf("%d calls of the shared store", n)
	}
	refused := take(t, batched, quarter)
	before := shared.takes.Load()
	for range 100 {
		if got := take(t, batched, quarter); got != refused || got.Allowed || got.RetryAfter < 14*time.Minute {
			t.Fatalf("%+v after %+v", got, refused)
		}
	}
	clock.Advance(500 * time.Millisecond)
	if got := take(t, batched, quarter); got.RetryAfter != refused.RetryAfter-500*time.Millisecond || got.Reset != refused.Reset-500*time.Millisecond {
		t.Errorf("half a second later %+v after %+v", got, refused)
	}
	if n := shared.takes.Load() - before; n != 0 {
		t.Errorf("%d calls for refusals", n)
	}
	clock.Advance(500 * time.Millisecond)
	take(t, batched, quarter)
	if n := shared.takes.Load() - before; n != 1 {
		t.Errorf("%d calls after a second", n)
	}
	// What was given back by hand can be had at once.
	if err := batched.Refund(t.Context(), quarter, "k", 1); err != nil {
		t.Fatal(err)
	}
	if !take(t, batched, quarter).Allowed {
		t.Error("what was given back is refused")
	}
}

// TestBatchedGivesBack what a client that went away did not use, and all when it
// ends.
func TestBatchedGivesBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		memory := limit.NewMemory(time.Now)
		batched := limit.NewBatched(memory, clockwork.NewRealClock())
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- batched.Run(ctx) }()
		want := func(when string, free int) {
			t.Helper()
			if got := peek(t, memory, quarter); got != free {
				t.Errorf("%s: %d are free, want %d", when, got, free)
			}
		}
		for range 20 { // takes 1, 2, 4, 8 and 16
			take(t, batched, quarter)
		}
		want("in use", quarter.Max-31)
		time.Sleep(2500 * time.Millisecond) // of the bubble: two ticks
		want("after a rest", quarter.Max-20)
		for range 4 { // takes 1, 2 and 4
			take(t, batched, quarter)
		}
		want("in use again", quarter.Max-27)
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		want("at the end", quarter.Max-24)
	})
}

// peek returns how many remain, and takes none of them.
func peek(t *testing.T, store limit.Store, rule limit.Rule) int {
	t.Helper()
	result, err := store.Take(t.Context(), rule, "k", 0)
	if err != nil {
		t.Fatal(err)
	}
	return result.Remaining
}

// TestBatchedReplicasNeverAllowMore has three processes that serve one client in
// turn: all that the rule allows, and not one more.
func TestBatchedReplicasNeverAllowMore(t *testing.T) {
	t.Parallel()
	for _, most := range []int{1, 5, 100, 10_000} {
		clock := clockwork.NewFakeClock()
		memory := limit.NewMemory(clock.Now)
		rule := limit.Rule{Name: "shared", Max: most, Window: 15 * time.Minute}
		var replicas [3]*limit.Batched
		for i := range replicas {
			replicas[i] = limit.NewBatched(memory, clock)
		}
		allowed := 0
		for i := range most + 10 {
			if take(t, replicas[i%3], rule).Allowed {
				allowed++
			}
		}
		if allowed != most {
			t.Errorf("%d of %d were allowed", allowed, most)
		}
	}
}

// TestBatchedWaitersShareACall: those who come while the shared store is asked
// wait for its answer, or for the end of their context.
func TestBatchedWaitersShareACall(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		batched, shared, _ := newBatched()
		for range 1<<7 - 1 { // what was taken is used up, and the next call takes 64 and more
			take(t, batched, quarter)
		}
		shared.hold = make(chan struct{})
		before := shared.takes.Load()
		var allowed atomic.Int64
		for range 50 {
			go func() {
				if result, err := batched.Take(t.Context(), quarter, "k", 1); err == nil && result.Allowed {
					allowed.Add(1)
				}
			}()
		}
		gone, cancel := context.WithCancel(t.Context())
		cancel()
		synctest.Wait()
		if _, err := batched.Take(gone, quarter, "k", 1); !errors.Is(err, context.Canceled) {
			t.Errorf("who went away got %v", err)
		}
		close(shared.hold)
		synctest.Wait()
		if n := shared.takes.Load() - before; allowed.Load() != 50 || n != 1 {
			t.Errorf("%d were allowed, with %d calls", allowed.Load(), n)
		}
	})
}

// TestBatchedFails as its shared store does, and recovers with it.
func TestBatchedFails(t *testing.T) {
	t.Parallel()
	batched, shared, _ := newBatched()
	shared.fail.Store(true)
	if _, err := batched.Take(t.Context(), quarter, "k", 1); !errors.Is(err, errAway) {
		t.Errorf("%v", err)
	}
	shared.fail.Store(false)
	if result := take(t, batched, quarter); !result.Allowed || result.Remaining != quarter.Max-1 {
		t.Errorf("%+v", result)
	}
}
