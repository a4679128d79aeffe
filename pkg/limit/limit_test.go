package limit_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"testing"
	"time"

	"github.com/jonboulle/clockwork"

	"github.com/etrainer/backend/pkg/limit"
	"github.com/etrainer/backend/pkg/limit/limittest"
)

func TestMemory(t *testing.T) {
	t.Parallel()
	limittest.Run(t, func(_ *testing.T, clock clockwork.Clock) limit.Store { return limit.NewMemory(clock.Now) })
}

// TestMemoryIsBounded takes of more keys than are kept, as a client does that
// changes its address with every request.
func TestMemoryIsBounded(t *testing.T) {
	t.Parallel()
	memory := limit.NewMemory(time.Now)
	rule := limit.Rule{Name: "bounded", Max: 1, Window: time.Minute}
	for i := range 250_000 {
		if _, err := memory.Take(t.Context(), rule, strconv.Itoa(i), 1); err != nil {
			t.Fatal(err)
		}
	}
	if n := memory.Keys(); n > 150_000 {
		t.Errorf("%d keys are kept", n)
	}
}

// flaky is a Store that can be away.
type flaky struct {
	limit.Store
	away bool
}

var errAway = errors.New("away")

func (f *flaky) Take(ctx context.Context, rule limit.Rule, key string, n int) (limit.Result, error) {
	if f.away {
		return limit.Result{}, errAway
	}
	return f.Store.Take(ctx, rule, key, n)
}

func (f *flaky) Refund(ctx context.Context, rule limit.Rule, key string, n int) error {
	if f.away {
		return errAway
	}
	return f.Store.Refund(ctx, rule, key, n)
}

func TestFallback(t *testing.T) {
	t.Parallel()
	shared := &flaky{Store: limit.NewMemory(time.Now)}
	store := limit.NewFallback(shared, limit.NewMemory(time.Now), slog.New(slog.DiscardHandler))
	limiter := limit.New(store, limit.Rule{Name: "r", Max: 2, Window: time.Hour})
	step := func(away, allowed bool) {
		t.Helper()
		shared.away = away
		result, err := limiter.Take(t.Context(), "k", 1)
		if err != nil || result.Allowed != allowed || store.Degraded() != away {
			t.Errorf("away %t: %+v, %v, degraded %t", away, result, err, store.Degraded())
		}
	}
	step(false, true)
	step(true, true) // counted anew, in this process
	step(true, true)
	step(true, false)
	if err := limiter.Refund(t.Context(), "k", 1); err != nil {
		t.Error(err)
	}
	step(true, true)
	step(false, true) // the shared count is as it was
	step(false, false)
	if err := limiter.Refund(t.Context(), "k", 1); err != nil {
		t.Error(err)
	}
	step(false, true)
}

// TestFallbackTellsWhetherItIsShared also where nobody takes anything.
func TestFallbackTellsWhetherItIsShared(t *testing.T) {
	t.Parallel()
	shared := &flaky{Store: limit.NewMemory(time.Now)}
	store := limit.NewFallback(shared, limit.NewMemory(time.Now), slog.New(slog.DiscardHandler))
	want := func(when string, shared bool) {
		t.Helper()
		if got := store.Shared(t.Context()); got != shared {
			t.Errorf("%s: shared is %t", when, got)
		}
	}
	want("at the beginning", true)
	shared.away = true
	want("while it is away", false)
	shared.away = false
	want("when it is back", true)
}

// TestFallbackLeavesEndedRequests: a caller that gave up says nothing about the
// store.
func TestFallbackLeavesEndedRequests(t *testing.T) {
	t.Parallel()
	store := limit.NewFallback(&flaky{away: true}, limit.NewMemory(time.Now), slog.New(slog.DiscardHandler))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := store.Take(ctx, limit.Rule{Name: "r", Max: 1, Window: time.Hour}, "k", 1); !errors.Is(err, errAway) || store.Degraded() {
		t.Errorf("%v, degraded %t", err, store.Degraded())
	}
}

func TestWait(t *testing.T) {
	t.Parallel()
	clock := clockwork.NewFakeClock()
	limiter := limit.New(limit.NewMemory(clock.Now), limit.Rule{Name: "push", Max: 10, Window: time.Second}).WithClock(clock)
	if err := limiter.Wait(t.Context(), "expo", 10); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- limiter.Wait(t.Context(), "expo", 4) }()
	if err := clock.BlockUntilContext(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-done:
		t.Fatalf("it did not wait: %v", err)
	default:
	}
	clock.Advance(time.Second)
	if err := <-done; err != nil {
		t.Error(err)
	}
	if err := limiter.Wait(t.Context(), "expo", 11); err == nil {
		t.Error("eleven of ten did not fail")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := limiter.Wait(ctx, "expo", 10); !errors.Is(err, context.Canceled) {
		t.Errorf("after the end of the context: %v", err)
	}
}

func TestUnlimited(t *testing.T) {
	t.Parallel()
	limiter := limit.New(&flaky{away: true}, limit.Rule{Name: "none"})
	result, err := limiter.Take(t.Context(), "k", 1000)
	if err != nil || !result.Allowed || limiter.Wait(t.Context(), "k", 1000) != nil || limiter.Refund(t.Context(), "k", 1) != nil {
		t.Errorf("%+v, %v", result, err)
	}
}

func BenchmarkMemory(b *testing.B) {
	memory := limit.NewMemory(time.Now)
	rule := limit.Rule{Name: "bench", Max: 1 << 30, Window: time.Minute}
	b.ReportAllocs()
	for b.Loop() {
		_, _ = memory.Take(b.Context(), rule, "192.0.2.1", 1)
	}
}

func Example() {
	// Across processes: limit.NewFallback(redislimit.New(client), limit.NewMemory(time.Now), log)
	store := limit.NewMemory(time.Now)
	logins := limit.New(store, limit.Rule{Name: "login", Max: 2, Window: 15 * time.Minute})
	for range 3 {
		result, err := logins.Take(context.Background(), "192.0.2.1", 1)
		fmt.Println(result.Allowed, result.Remaining, err)
	}
	// Output:
	// true 1 <nil>
	// true 0 <nil>
	// false 0 <nil>
}
