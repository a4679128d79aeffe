package fallback_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/jonboulle/clockwork"

	"github.com/etrainer/backend/pkg/cache"
	"github.com/etrainer/backend/pkg/cache/cachetest"
	"github.com/etrainer/backend/pkg/cache/fallback"
)

var errAway = errors.New("away")

// shared is a cache that can be away.
type shared struct {
	*cache.Memory
	mu    sync.Mutex
	away  bool
	calls int
}

func (s *shared) set(away bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.away = away
}

func (s *shared) err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls++
	if s.away {
		return errAway
	}
	return nil
}

func (s *shared) Get(ctx context.Context, key string) ([]byte, error) {
	if err := s.err(); err != nil {
		return nil, err
	}
	return s.Memory.Get(ctx, key)
}

func (s *shared) Set(ctx context.Context, key string, value []byte, ttl time.Duration) error {
	return errors.Join(s.err(), s.Memory.Set(ctx, key, value, ttl))
}

func (s *shared) Add(ctx context.Context, key string, value []byte, ttl time.Duration) (bool, error) {
	if err := s.err(); err != nil {
		return false, err
	}
	return s.Memory.Add(ctx, key, value, ttl)
}

func (s *shared) Delete(ctx context.Context, keys ...string) error {
	if err := s.err(); err != nil {
		return err
	}
	return s.Memory.Delete(ctx, keys...)
}

func (s *shared) Clear(ctx context.Context) error {
	if err := s.err(); err != nil {
		return err
	}
	return s.Memory.Clear(ctx)
}

func (s *shared) Stats(ctx context.Context) cache.Stats {
	stats := s.Memory.Stats(ctx)
	stats.Layers[0].Name, stats.Layers[0].Available = cache.LayerRedis, s.err() == nil
	return stats
}

type fixture struct {
	*fallback.Cache
	shared *shared
	clock  *clockwork.FakeClock
}

func newCache(t *testing.T, now func() time.Time) (*fallback.Cache, *shared) {
	t.Helper()
	var stores [2]*cache.Memory
	for i := range stores {
		m, err := cache.NewMemory(cache.MemoryOptions{Now: now})
		if err != nil {
			t.Fatal(err)
		}
		stores[i] = m
	}
	s := &shared{Memory: stores[0]}
	return fallback.New(s, stores[1], now, nil), s
}

func newFixture(t *testing.T) fixture {
	t.Helper()
	clock := clockwork.NewFakeClock()
	c, s := newCache(t, clock.Now)
	return fixture{c, s, clock}
}

func (f fixture) set(t *testing.T, key, value string) {
	t.Helper()
	if err := f.Set(t.Context(), key, []byte(value), time.Hour); err != nil {
		t.Errorf("Set: %v", err)
	}
}

func (f fixture) has(t *testing.T, key, want string) {
	t.Helper()
	got, err := f.Get(t.Context(), key)
	if string(got) != want || err != nil && (want != "" || !errors.Is(err, cache.ErrMiss)) {
		t.Errorf("Get(%s) = %q, %v; want %q", key, got, err, want)
	}
}

func TestConformance(t *testing.T) {
	t.Parallel()
	t.Run("with both", func(t *testing.T) {
		t.Parallel()
		cachetest.Run(t, func(t *testing.T) cache.Cache {
			c, _ := newCache(t, nil)
			return c
		})
	})
	t.Run("with the shared one away", func(t *testing.T) {
		t.Parallel()
		cachetest.Run(t, func(t *testing.T) cache.Cache {
			c, shared := newCache(t, nil)
			shared.set(true)
			_ = c.Delete(t.Context(), "any") // it finds out
			return c
		})
	})
}

func TestMemoryServesWhileTheSharedCacheIsAway(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.set(t, "a", "1")
	f.shared.set(true)
	f.has(t, "a", "1") // memory is warm
	f.has(t, "none", "")
	f.set(t, "b", "2")
	f.has(t, "b", "2")
	if ok, err := f.Add(t.Context(), "c", nil, time.Hour); !ok || err != nil {
		t.Errorf("Add: %t, %v", ok, err)
	}
	if !f.Degraded() {
		t.Error("it does not say that the shared cache is away")
	}
	before := f.shared.calls
	for range 100 {
		f.has(t, "a", "1")
	}
	if asked := f.shared.calls - before; asked != 0 {
		t.Errorf("the shared cache was asked %d times within the pause", asked)
	}
	redis, _ := f.Stats(t.Context()).Layer(cache.LayerRedis)
	if total := f.Stats(t.Context()).Total(); redis.Available || total.Name != cache.LayerMemory || total.Entries == 0 {
		t.Errorf("stats: %+v", total)
	}
}

func TestItReturnsByItself(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.shared.set(true)
	f.has(t, "a", "")
	f.shared.set(false)
	f.clock.Advance(time.Second)
	f.set(t, "a", "1")
	if f.Degraded() {
		t.Error("still degraded")
	}
	if got, err := f.shared.Get(t.Context(), "a"); err != nil || string(got) != "1" {
		t.Errorf("in the shared cache: %q, %v", got, err)
	}
}

// What was deleted during an outage must not come back with the shared cache.
func TestDeletesOfAnOutageArePaid(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		remove func(context.Context, *fallback.Cache) error
		left   string
	}{
		"Delete": {func(ctx context.Context, c *fallback.Cache) error { return c.Delete(ctx, "a") }, "2"},
		"Clear":  {func(ctx context.Context, c *fallback.Cache) error { return c.Clear(ctx) }, ""},
		"many": {func(ctx context.Context, c *fallback.Cache) error {
			for i := range 1100 {
				if err := c.Delete(ctx, "a", string(rune('c'+i))); err != nil {
					return err
				}
			}
			return nil
		}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			f.set(t, "a", "1")
			f.set(t, "b", "2")
			f.shared.set(true)
			if err := test.remove(t.Context(), f.Cache); err != nil {
				t.Fatalf("it failed: %v", err)
			}
			f.has(t, "a", "")
			f.shared.set(false)
			f.clock.Advance(time.Second)
			f.has(t, "a", "")
			f.has(t, "b", test.left)
			if f.Degraded() {
				t.Error("still degraded")
			}
		})
	}
}

// A caller that goes away, or has no time left, says nothing about the shared
// cache.
func TestACallerThatGivesUpIsNoOutage(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.shared.set(true)
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	late, cancel := context.WithTimeout(t.Context(), 0)
	defer cancel()
	for name, ctx := range map[string]context.Context{"cancelled": cancelled, "late": late} {
		_, _ = f.Get(ctx, "a")
		if f.Degraded() {
			t.Errorf("a request that is %s made it degraded", name)
		}
	}
}

// What another process has written counts, and not what this one remembers.
func TestTheSharedCacheCountsFirst(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	if err := f.shared.Memory.Set(t.Context(), "theirs", []byte("1"), time.Hour); err != nil {
		t.Fatal(err)
	}
	f.has(t, "theirs", "1")
	f.set(t, "both", "old")
	if err := f.shared.Memory.Set(t.Context(), "both", []byte("new"), time.Hour); err != nil {
		t.Fatal(err)
	}
	f.has(t, "both", "new")
	if err := f.shared.Memory.Delete(t.Context(), "both"); err != nil {
		t.Fatal(err)
	}
	f.has(t, "both", "")
}
