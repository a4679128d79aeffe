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
		"by its key":             func(f *fixture) error { return f.Forget(t.Context(), "key") },
		"with all":               func(f *fixture) error { return f.ForgetAll(t.Context()) },
		"by a notice of its key": func(f *fixture) error { f.Drop(cache.Notice{Keys: []string{"other", "key"}}); return nil },
		"by a notice of all":     func(f *fixture) error { f.Drop(cache.Notice{All: true}); return nil },
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

// slowToMiss is a cache in which a caller that missed is held up.
type slowToMiss struct {
	cache.Cache
	missed func()
}

func (s *slowToMiss) Get(ctx context.Context, key string) ([]byte, error) {
	value, err := s.Cache.Get(ctx, key)
	if err != nil {
		s.missed()
	}
	return value, err
}

// TestThroughLoadsOnceForOneThatWasLate: a load ends after a caller has looked into
// the cache, and before it asks whether somebody loads.
func TestThroughLoadsOnceForOneThatWasLate(t *testing.T) {
	t.Parallel()
	slow := &slowToMiss{Cache: memory(t, cache.MemoryOptions{})}
	f := cache.NewThrough[int](slow, policy, nil, nil)
	var loads atomic.Int64
	load := func(context.Context) (int, error) { return int(loads.Add(1)), nil }
	slow.missed = func() {
		slow.missed = func() {}
		if got, err := f.Get(t.Context(), "key", load); err != nil || got.Value != 1 {
			t.Errorf("the quick one got %+v, %v", got, err)
		}
	}
	if got, err := f.Get(t.Context(), "key", load); err != nil || got.Value != 1 {
		t.Errorf("the late one got %+v, %v", got, err)
	}
	if n := loads.Load(); n != 1 {
		t.Errorf("%d loads for two callers", n)
	}
}

// TestThroughRefreshesOnceForAllProcesses that share a cache, each time that a
// value is stale.
func TestThroughRefreshesOnceForAllProcesses(t *testing.T) {
	t.Parallel()
	// A mark that was not released would hold refreshes up for a minute.
	policy := cache.Policy{Fresh: time.Second, Stale: time.Hour, LoadTimeout: time.Minute}
	clock := clockwork.NewFakeClock()
	shared := memory(t, cache.MemoryOptions{Now: clock.Now})
	var processes [2]*cache.Through[int]
	for i := range processes {
		processes[i] = cache.NewThrough[int](shared, policy, clock.Now, nil)
	}
	var loads atomic.Int64
	gate := make(chan struct{}, 1)
	load := func(context.Context) (int, error) {
		<-gate
		return int(loads.Add(1)), nil
	}
	settle := func() {
		for _, p := range processes {
			if err := errors.Join(p.Stop(t.Context()), p.Start(t.Context())); err != nil {
				t.Fatal(err)
			}
		}
	}
	get := func(want int) {
		t.Helper()
		for i, p := range processes {
			if found, err := p.Get(t.Context(), "key", load); err != nil || found.Value != want {
				t.Errorf("process %d: %+v, %v; want %d", i, found, err, want)
			}
		}
	}
	gate <- struct{}{}
	get(1)
	for round := 1; round <= 3; round++ {
		clock.Advance(policy.Fresh)
		get(round) // stale for both, and one refreshes
		get(round)
		gate <- struct{}{}
		settle()
		if n := loads.Load(); n != int64(round)+1 {
			t.Fatalf("%d loads after %d refreshes, want one more", n, round)
		}
		get(round + 1)
	}
}
