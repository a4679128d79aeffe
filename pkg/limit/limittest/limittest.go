// Package limittest is the conformance suite of limit.Store. Run it from a test
// of the implementation.
package limittest

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jonboulle/clockwork"

	"github.com/etrainer/backend/pkg/limit"
)

// Run runs the suite. New makes a store on the clock; stores may share what
// they keep, since every test has keys of its own.
func Run(t *testing.T, New func(t *testing.T, clock clockwork.Clock) limit.Store) {
	t.Helper()
	for name, test := range map[string]func(*testing.T, *suite){
		"allows the most and no more":      most,
		"slides":                           slides,
		"says when to come back":           comeBack,
		"takes all or nothing":             allOrNothing,
		"gives back":                       givesBack,
		"keeps keys and rules apart":       apart,
		"of many at once, the most pass":   race,
		"never more than the most, random": random,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			clock := clockwork.NewFakeClockAt(time.Date(2024, 1, 17, 10, 20, 30, 456e6, time.UTC))
			test(t, &suite{store: New(t, clock), clock: clock, key: fmt.Sprint(t.Name(), rand.Uint64())})
		})
	}
}

type suite struct {
	store limit.Store
	clock *clockwork.FakeClock
	key   string
}

func rule(most int) limit.Rule {
	return limit.Rule{Name: "test", Max: most, Window: 30 * time.Minute} // a slot is a minute
}

func (s *suite) take(t *testing.T, rule limit.Rule, key string, n int) limit.Result {
	t.Helper()
	result, err := s.store.Take(t.Context(), rule, key, n)
	if err != nil {
		t.Fatal(err)
	}
	return result
}

// expect takes one, and compares what is left; -1 = refused.
func (s *suite) expect(t *testing.T, rule limit.Rule, n, remaining int) limit.Result {
	t.Helper()
	result := s.take(t, rule, s.key, n)
	if result.Allowed != (remaining >= 0) || result.Allowed && result.Remaining != remaining {
		t.Fatalf("take %d: %+v, want %d left", n, result, remaining)
	}
	return result
}

func most(t *testing.T, s *suite) {
	for left := range 5 {
		s.expect(t, rule(5), 1, 4-left)
	}
	refused := s.expect(t, rule(5), 1, -1)
	if refused.Remaining != 0 || refused.RetryAfter <= 29*time.Minute || refused.RetryAfter > 30*time.Minute || refused.Reset != refused.RetryAfter {
		t.Errorf("refused with %+v", refused)
	}
}

func slides(t *testing.T, s *suite) {
	s.expect(t, rule(3), 1, 2)
	s.clock.Advance(10 * time.Minute)
	s.expect(t, rule(3), 2, 0)
	s.clock.Advance(19 * time.Minute)
	s.expect(t, rule(3), 1, -1)
	s.clock.Advance(time.Minute) // the first one is half an hour old
	s.expect(t, rule(3), 1, 0)
	s.expect(t, rule(3), 1, -1)
	s.clock.Advance(time.Hour)
	s.expect(t, rule(3), 1, 2)
}

func comeBack(t *testing.T, s *suite) {
	s.expect(t, rule(4), 2, 2)
	s.clock.Advance(10 * time.Minute)
	s.expect(t, rule(4), 2, 0)
	for _, n := range []int{1, 2, 3} {
		refused := s.expect(t, rule(4), n, -1)
		// The stores slide by the minute, and it is half past.
		want := 19*time.Minute + 29*time.Second + 544*time.Millisecond
		if n == 3 {
			want += 10 * time.Minute
		}
		if refused.RetryAfter != want {
			t.Errorf("%d are free in %v, want %v", n, refused.RetryAfter, want)
		}
	}
	s.clock.Advance(s.expect(t, rule(4), 3, -1).RetryAfter)
	s.expect(t, rule(4), 3, 1)
}

func allOrNothing(t *testing.T, s *suite) {
	s.expect(t, rule(5), 3, 2)
	s.expect(t, rule(5), 3, -1)
	s.expect(t, rule(5), 2, 0)
	if result := s.take(t, rule(5), s.key+"more", 6); result.Allowed {
		t.Errorf("six of five: %+v", result)
	}
}

func givesBack(t *testing.T, s *suite) {
	refund := func(n int) {
		t.Helper()
		if err := s.store.Refund(t.Context(), rule(3), s.key, n); err != nil {
			t.Fatal(err)
		}
	}
	refund(2) // of nothing
	s.expect(t, rule(3), 1, 2)
	s.clock.Advance(5 * time.Minute)
	s.expect(t, rule(3), 2, 0)
	refund(1)
	s.expect(t, rule(3), 1, 0)
	refund(3)
	s.expect(t, rule(3), 3, 0)
	refund(99)
	s.expect(t, rule(3), 3, 0)
}

func apart(t *testing.T, s *suite) {
	s.expect(t, rule(1), 1, 0)
	others := []limit.Rule{{Name: "other", Max: 1, Window: 30 * time.Minute}, {Name: "test", Max: 1, Window: time.Hour}}
	for _, other := range others {
		if result := s.take(t, other, s.key, 1); !result.Allowed {
			t.Errorf("%+v: %+v", other, result)
		}
	}
	if result := s.take(t, rule(1), s.key+"other", 1); !result.Allowed {
		t.Errorf("another key: %+v", result)
	}
}

func race(t *testing.T, s *suite) {
	var allowed atomic.Int64
	var all sync.WaitGroup
	for range 40 {
		all.Go(func() {
			result, err := s.store.Take(t.Context(), rule(17), s.key, 1)
			if err != nil {
				t.Error(err)
			}
			if result.Allowed {
				allowed.Add(1)
			}
		})
	}
	all.Wait()
	if n := allowed.Load(); n != 17 {
		t.Errorf("%d of 40 passed, want 17", n)
	}
}

// random takes by chance, and compares with a list of everything taken.
func random(t *testing.T, s *suite) {
	seed := rand.Uint64()
	dice := rand.New(rand.NewPCG(seed, 0))
	type event struct {
		at time.Time
		n  int
	}
	var events []event
	for range 300 {
		n := 1 + dice.IntN(3)
		result := s.take(t, rule(20), s.key, n)
		now, strict, lenient := s.clock.Now(), 0, 0
		for _, e := range events {
			if e.at.After(now.Add(-30 * time.Minute)) {
				lenient += e.n
			}
			if e.at.After(now.Add(-29 * time.Minute)) {
				strict += e.n
			}
		}
		if result.Allowed && strict+n > 20 || !result.Allowed && lenient+n <= 20 {
			t.Fatalf("seed %d: take %d gave %+v, with %d to %d taken", seed, n, result, strict, lenient)
		}
		if result.Allowed {
			events = append(events, event{now, n})
		}
		s.clock.Advance(time.Duration(dice.IntN(180)) * time.Second)
	}
}
