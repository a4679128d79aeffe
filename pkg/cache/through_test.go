package cache_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jonboulle/clockwork"

	"github.com/etrainer/backend/pkg/cache"
	"github.com/etrainer/backend/pkg/lifecycle"
)

// patience bounds what should take a fraction of it.
const patience = 20 * time.Second

type fixture struct {
	*cache.Through[int]
	clock *clockwork.FakeClock
	loads atomic.Int64
	err   atomic.Pointer[error]
}

var policy = cache.Policy{Fresh: time.Minute, Stale: time.Hour, Absent: time.Second}

func newThrough(t *testing.T, p cache.Policy) *fixture {
	t.Helper()
	f := &fixture{clock: clockwork.NewFakeClock()}
	f.Through = cache.NewThrough[int](memory(t, cache.MemoryOptions{Now: f.clock.Now}), p, f.clock.Now, nil)
	t.Cleanup(func() {
		if err := f.Stop(context.Background()); err != nil {
			t.Errorf("Stop: %v", err)
		}
	})
	return f
}

// load returns how often it was called, or the error that is set.
func (f *fixture) load(context.Context) (int, error) {
	n := f.loads.Add(1)
	if err := f.err.Load(); err != nil {
		return 0, *err
	}
	return int(n), nil
}

func (f *fixture) want(t *testing.T, value int, hit bool) {
	t.Helper()
	got, err := f.Get(t.Context(), "key", f.load)
	if err != nil || got.Value != value || got.Hit != hit {
		t.Errorf("got %+v, %v; want %d, hit %t", got, err, value, hit)
	}
}

func TestThroughServesTheStaleWhileItLoads(t *testing.T) {
	t.Parallel()
	f := newThrough(t, policy)
	f.want(t, 1, false)
	f.want(t, 1, true)
	f.clock.Advance(policy.Fresh)
	f.want(t, 1, true) // stale; a load begins
	if err := f.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := f.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := f.loads.Load(); n != 2 {
		t.Fatalf("%d loads, want the first and one in the background", n)
	}
	f.want(t, 2, true)
	f.clock.Advance(policy.Fresh + policy.Stale)
	f.want(t, 3, false) // too old to be served
}

func TestThroughKeepsTheStaleWhenALoadFails(t *testing.T) {
	t.Parallel()
	f := newThrough(t, policy)
	f.want(t, 1, false)
	failure := errors.New("away")
	f.err.Store(&failure)
	f.clock.Advance(policy.Fresh)
	f.want(t, 1, true)
	f.want(t, 1, true)
	f.clock.Advance(2 * policy.Stale)
	if _, err := f.Get(t.Context(), "key", f.load); !errors.Is(err, failure) {
		t.Errorf("Get = %v, want the failure", err)
	}
}

func TestThroughRemembersThatThereIsNone(t *testing.T) {
	t.Parallel()
	f := newThrough(t, policy)
	none := cache.ErrAbsent
	f.err.Store(&none)
	for i, hit := range []bool{false, true} {
		if found, err := f.Get(t.Context(), "key", f.load); !errors.Is(err, cache.ErrAbsent) || found.Hit != hit {
			t.Errorf("time %d: %+v, %v", i+1, found, err)
		}
	}
	if n := f.loads.Load(); n != 1 {
		t.Errorf("%d loads, want one", n)
	}
	f.err.Store(nil)
	f.clock.Advance(2 * policy.Absent)
	f.want(t, 2, false)
}

func TestThroughLoadsOnceForAll(t *testing.T) {
	t.Parallel()
	f := newThrough(t, policy)
	gate, began := make(chan struct{}), make(chan struct{})
	var loads atomic.Int64
	slow := func(context.Context) (int, error) {
		if loads.Add(1) == 1 {
			close(began)
		}
		<-gate
		return 7, nil
	}
	gone, leave := context.WithCancel(t.Context())
	var all sync.WaitGroup
	all.Go(func() { // the first goes away, and the load goes on
		if _, err := f.Get(gone, "key", slow); !errors.Is(err, context.Canceled) {
			t.Errorf("the one that went away: %v", err)
		}
	})
	<-began
	leave()
	for range 20 {
		all.Go(func() {
			if got, err := f.Get(t.Context(), "key", slow); err != nil || got.Value != 7 {
				t.Errorf("got %+v, %v", got, err)
			}
		})
	}
	close(gate)
	all.Wait()
	if n := loads.Load(); n != 1 {
		t.Errorf("%d loads for 21 callers", n)
	}
}

func TestThroughForgetsWhatIsBeingLoaded(t *testing.T) {
	t.Parallel()
	for name, forget := range map[string]func(*fixture) error{
		"by its key": func(f *fixture) error { return f.Forget(t.Context(), "key") },
		"with all":   func(f *fixture) error { return f.ForgetAll(t.Context()) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newThrough(t, policy)
			gate, began := make(chan struct{}), make(chan struct{})
			var all sync.WaitGroup
			all.Go(func() {
				_, _ = f.Get(t.Context(), "key", func(context.Context) (int, error) {
					close(began)
					<-gate
					return -1, nil // read before the write that Forget tells of
				})
			})
			<-began
			if err := forget(f); err != nil {
				t.Fatal(err)
			}
			close(gate)
			all.Wait()
			f.want(t, 1, false)
		})
	}
}

// interrupted is a cache to which something happens just before it keeps a value.
type interrupted struct {
	cache.Cache
	before func()
}

func (i *interrupted) Set(ctx context.Context, key string, value []byte, ttl time.Duration) error {
	i.before()
	return i.Cache.Set(ctx, key, value, ttl)
}

// TestThroughForgetsWhatIsBeingKept: Forget comes when the load has ended.
func TestThroughForgetsWhatIsBeingKept(t *testing.T) {
	t.Parallel()
	kept := memory(t, cache.MemoryOptions{})
	slow := &interrupted{Cache: kept}
	f := cache.NewThrough[int](slow, policy, nil, nil)
	slow.before = func() {
		if err := f.Forget(t.Context(), "key"); err != nil {
			t.Error(err)
		}
	}
	if _, err := f.Get(t.Context(), "key", func(context.Context) (int, error) { return -1, nil }); err != nil {
		t.Fatal(err)
	}
	if _, err := kept.Get(t.Context(), "key"); !errors.Is(err, cache.ErrMiss) {
		t.Errorf("what was forgotten is kept: %v", err)
	}
}

func TestThroughTurnsAPanicIntoAnError(t *testing.T) {
	t.Parallel()
	f := newThrough(t, policy)
	_, err := f.Get(t.Context(), "key", func(context.Context) (int, error) { panic("boom") })
	if err == nil {
		t.Error("no error")
	}
	f.want(t, 1, false)
}

func TestThroughStopCancelsLoads(t *testing.T) {
	t.Parallel()
	f := newThrough(t, policy)
	began := make(chan struct{})
	var all sync.WaitGroup
	all.Go(func() {
		_, err := f.Get(t.Context(), "key", func(ctx context.Context) (int, error) {
			close(began)
			<-ctx.Done()
			return 0, context.Cause(ctx)
		})
		if !errors.Is(err, lifecycle.ErrStopping) {
			t.Errorf("the load ended with %v", err)
		}
	})
	<-began
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := f.Stop(ctx); err != nil {
		t.Errorf("Stop: %v", err)
	}
	all.Wait()
	if _, err := f.Get(t.Context(), "other", f.load); !errors.Is(err, lifecycle.ErrStopped) {
		t.Errorf("Get after Stop = %v", err)
	}
}
