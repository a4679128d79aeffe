// Package ledgertest is the suite that every ledger.Ledger passes.
package ledgertest

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/etrainer/backend/pkg/ledger"
)

// Clock is a clock that tests move.
type Clock struct {
	mu sync.Mutex
	at time.Time
}

// Now returns the time.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

// Pass moves the time on.
func (c *Clock) Pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// Run checks a Ledger. fresh makes an empty one on a clock.
func Run(t *testing.T, fresh func(t *testing.T, now func() time.Time) ledger.Ledger) {
	t.Helper()
	for name, check := range map[string]func(*bench){
		"claims once":              claimsOnce,
		"a claim can be repeated":  repeats,
		"what is free comes again": freed,
		"only the holder settles":  onlyTheHolder,
		"claims of the dead":       ofTheDead,
		"entries expire":           expire,
		"one of many wins":         race,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			clock := &Clock{at: time.Date(2025, 8, 4, 2, 0, 0, 0, time.UTC)}
			check(&bench{t, fresh(t, clock.Now), clock})
		})
	}
}

type bench struct {
	*testing.T
	ledger ledger.Ledger
	clock  *Clock
}

func (b *bench) claim(holder string, policy ledger.Policy, keys ...string) []ledger.State {
	b.Helper()
	states, err := b.ledger.Claim(b.Context(), ledger.Claim{Holder: holder, Keys: keys, Policy: policy, Keep: time.Hour})
	if err != nil {
		b.Fatalf("Claim: %v", err)
	}
	return states
}

func (b *bench) settle(holder string, settlements ...ledger.Settlement) {
	b.Helper()
	if err := b.ledger.Settle(b.Context(), holder, settlements); err != nil {
		b.Fatalf("Settle: %v", err)
	}
}

func (b *bench) want(got []ledger.State, want ...ledger.State) {
	b.Helper()
	if !slices.Equal(got, want) {
		b.Errorf("the states are %v, want %v", got, want)
	}
}

func claimsOnce(b *bench) {
	b.want(b.claim("one", ledger.AtMostOnce(), "a", "b", "c"), ledger.Mine, ledger.Mine, ledger.Mine)
	b.settle("one", ledger.Settlement{Key: "a", State: ledger.Done}, ledger.Settlement{Key: "b", State: ledger.Failed, Reason: "dead"})
	b.want(b.claim("two", ledger.AtMostOnce(), "c", "new", "b", "a"), ledger.Claimed, ledger.Mine, ledger.Failed, ledger.Done)
}

func repeats(b *bench) {
	b.claim("one", ledger.AtMostOnce(), "a", "b")
	b.settle("one", ledger.Settlement{Key: "a", State: ledger.Done})
	b.want(b.claim("one", ledger.AtMostOnce(), "a", "b"), ledger.Done, ledger.Mine)
}

func freed(b *bench) {
	b.claim("one", ledger.AtMostOnce(), "a", "b")
	b.settle("one", ledger.Settlement{Key: "a", State: ledger.Free}, ledger.Settlement{Key: "b", State: ledger.Done})
	b.want(b.claim("two", ledger.AtMostOnce(), "a", "b"), ledger.Mine, ledger.Done)
}

func onlyTheHolder(b *bench) {
	b.claim("one", ledger.AtMostOnce(), "a", "b")
	b.settle("two", ledger.Settlement{Key: "a", State: ledger.Done}, ledger.Settlement{Key: "b", State: ledger.Free})
	b.want(b.claim("two", ledger.AtMostOnce(), "a", "b"), ledger.Claimed, ledger.Claimed)
	b.settle("one", ledger.Settlement{Key: "a", State: ledger.Done})
	b.settle("one", ledger.Settlement{Key: "a", State: ledger.Free})
	b.want(b.claim("two", ledger.AtMostOnce(), "a"), ledger.Done)
}

func ofTheDead(b *bench) {
	again := ledger.AtLeastOnce(10 * time.Minute)
	b.claim("one", again, "a", "b")
	b.settle("one", ledger.Settlement{Key: "b", State: ledger.Done})
	b.clock.Pass(9 * time.Minute)
	b.want(b.claim("two", again, "a", "b"), ledger.Claimed, ledger.Done)
	b.clock.Pass(time.Minute)
	b.want(b.claim("three", ledger.AtMostOnce(), "a"), ledger.Claimed)
	b.want(b.claim("two", again, "a", "b"), ledger.Mine, ledger.Done)
	b.settle("one", ledger.Settlement{Key: "a", State: ledger.Free}) // it lives after all, and comes too late
	b.want(b.claim("three", again, "a"), ledger.Claimed)
}

func expire(b *bench) {
	b.claim("one", ledger.AtMostOnce(), "a")
	b.clock.Pass(30 * time.Minute)
	b.claim("one", ledger.AtMostOnce(), "b")
	b.clock.Pass(30 * time.Minute)
	if n, err := b.ledger.Purge(b.Context()); n != 1 || err != nil {
		b.Errorf("Purge removes %d, %v; want 1", n, err)
	}
	b.want(b.claim("two", ledger.AtMostOnce(), "a", "b"), ledger.Mine, ledger.Claimed)
}

func race(b *bench) {
	const holders = 8
	keys := make([]string, 50)
	for i := range keys {
		keys[i] = fmt.Sprint("key", i)
	}
	var all sync.WaitGroup
	wins := make([]int, holders)
	for h := range holders {
		all.Go(func() {
			states, err := b.ledger.Claim(context.WithoutCancel(b.Context()), ledger.Claim{Holder: fmt.Sprint("h", h), Keys: keys, Keep: time.Hour})
			if err != nil {
				b.Errorf("Claim: %v", err)
			}
			for _, state := range states {
				if state == ledger.Mine {
					wins[h]++
				}
			}
		})
	}
	all.Wait()
	total := 0
	for _, n := range wins {
		total += n
	}
	if total != len(keys) {
		b.Errorf("%d claims succeeded over %d keys: %v", total, len(keys), wins)
	}
}
