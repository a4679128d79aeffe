// Package cachetest is the conformance suite of cache.Cache. Run it from a test
// of the implementation:
//
//	func TestConformance(t *testing.T) { cachetest.Run(t, newCache) }
package cachetest

import (
	"bytes"
	"context"
	"errors"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/etrainer/backend/pkg/cache"
)

// patience bounds the wait for an expiry by a real clock.
const patience = 20 * time.Second

// Run runs the suite. New makes an empty cache.
func Run(t *testing.T, New func(t *testing.T) cache.Cache) {
	t.Helper()
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, &suite{t, New(t)})
		})
	}
}

// suite is one test's view of its cache.
type suite struct {
	t     *testing.T
	cache cache.Cache
}

func (s *suite) ctx() context.Context { return s.t.Context() }

func (s *suite) set(key, value string, ttl time.Duration) {
	s.t.Helper()
	if err := s.cache.Set(s.ctx(), key, []byte(value), ttl); err != nil {
		s.t.Fatalf("Set(%s): %v", key, err)
	}
}

// has checks a value; "" = there must be none.
func (s *suite) has(key, want string) {
	s.t.Helper()
	got, err := s.cache.Get(s.ctx(), key)
	if want == "" {
		if !errors.Is(err, cache.ErrMiss) {
			s.t.Errorf("Get(%s) = %q, %v; want ErrMiss", key, got, err)
		}
		return
	}
	if err != nil || string(got) != want {
		s.t.Errorf("Get(%s) = %q, %v; want %q", key, got, err, want)
	}
}

// total is the state of the cache over all layers.
func (s *suite) total() cache.Layer {
	s.t.Helper()
	return s.cache.Stats(s.ctx()).Total()
}

var tests = map[string]func(*testing.T, *suite){
	"a value is kept": func(_ *testing.T, s *suite) {
		s.has("a", "")
		s.set("a", "1", time.Minute)
		s.has("a", "1")
		s.set("a", "2", time.Minute)
		s.has("a", "2")
		s.has("b", "")
	},
	"any bytes are a value, any text a key": func(t *testing.T, s *suite) {
		value := []byte{0, 1, 255, '\n', '\r', 0}
		for _, key := range []string{"a b", "a*", "a?[x]", "ü\x00\n", "a:b:c", "%2F"} {
			if err := s.cache.Set(s.ctx(), key, value, time.Minute); err != nil {
				t.Fatalf("Set(%q): %v", key, err)
			}
			if got, err := s.cache.Get(s.ctx(), key); err != nil || !bytes.Equal(got, value) {
				t.Errorf("Get(%q) = %q, %v", key, got, err)
			}
		}
		s.set("empty", "", time.Minute)
		if got, err := s.cache.Get(s.ctx(), "empty"); err != nil || len(got) != 0 {
			t.Errorf("an empty value is a value: %q, %v", got, err)
		}
	},
	"callers do not share a value": func(t *testing.T, s *suite) {
		mine := []byte("abc")
		if err := s.cache.Set(s.ctx(), "a", mine, time.Minute); err != nil {
			t.Fatal(err)
		}
		mine[0] = 'x'
		got, err := s.cache.Get(s.ctx(), "a")
		if err != nil || string(got) != "abc" {
			t.Fatalf("got %q, %v", got, err)
		}
		got[0] = 'y'
		s.has("a", "abc")
	},
	"a value expires": func(t *testing.T, s *suite) {
		s.set("short", "1", 50*time.Millisecond)
		s.set("long", "2", time.Hour)
		deadline := time.Now().Add(patience)
		tick := time.NewTicker(10 * time.Millisecond)
		defer tick.Stop()
		for {
			if _, err := s.cache.Get(s.ctx(), "short"); errors.Is(err, cache.ErrMiss) {
				break
			}
			if time.Now().After(deadline) {
				t.Fatal("it did not expire")
			}
			<-tick.C
		}
		s.has("long", "2")
		if n := s.total().Entries; n != 1 {
			t.Errorf("%d entries, want the one that is left", n)
		}
	},
	"add keeps the first": func(t *testing.T, s *suite) {
		var added atomic.Int64
		var all sync.WaitGroup
		for i := range 20 {
			all.Go(func() {
				ok, err := s.cache.Add(s.ctx(), "a", []byte(strconv.Itoa(i)), time.Minute)
				if err != nil {
					t.Errorf("Add: %v", err)
				}
				if ok {
					added.Add(1)
				}
			})
		}
		all.Wait()
		if n := added.Load(); n != 1 {
			t.Errorf("%d of 20 were the first", n)
		}
		if err := s.cache.Delete(s.ctx(), "a"); err != nil {
			t.Fatal(err)
		}
		if ok, err := s.cache.Add(s.ctx(), "a", []byte("again"), time.Minute); !ok || err != nil {
			t.Errorf("Add after Delete: %t, %v", ok, err)
		}
		s.has("a", "again")
	},
	"delete": func(t *testing.T, s *suite) {
		s.set("a", "1", time.Minute)
		s.set("b", "2", time.Minute)
		s.set("c", "3", time.Minute)
		for _, keys := range [][]string{{"a", "b", "none"}, {"a"}, {}} {
			if err := s.cache.Delete(s.ctx(), keys...); err != nil {
				t.Errorf("Delete(%q): %v", keys, err)
			}
		}
		s.has("a", "")
		s.has("b", "")
		s.has("c", "3")
	},
	"clear": func(t *testing.T, s *suite) {
		for i := range 50 {
			s.set("key"+strconv.Itoa(i), "1", time.Minute)
		}
		if n := s.total().Entries; n != 50 {
			t.Errorf("%d entries, want 50", n)
		}
		if err := s.cache.Clear(s.ctx()); err != nil {
			t.Fatal(err)
		}
		s.has("key7", "")
		if n := s.total().Entries; n != 0 {
			t.Errorf("%d entries after Clear", n)
		}
		s.set("key7", "2", time.Minute)
		s.has("key7", "2")
	},
	"hits and misses are counted": func(t *testing.T, s *suite) {
		s.has("a", "")
		s.set("a", "1", time.Minute)
		for range 3 {
			s.has("a", "1")
		}
		if got := s.total(); got.Hits != 3 || got.Misses != 1 || got.HitRate() != 0.75 || got.Errors != 0 || !got.Available {
			t.Errorf("stats: %+v", got)
		}
	},
}
