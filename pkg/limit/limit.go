package limit

import (
	"context"
	"fmt"
	"time"

	"github.com/jonboulle/clockwork"
)

// Rule is how much may be taken.
type Rule struct {
	// Name keeps the keys of different rules apart, such as "auth". It is also
	// part of what the Store keeps, so replicas must agree on it.
	Name string
	// Max is how many may be taken in a Window; 0 = as many as one likes.
	Max int
	// Window is a multiple of a millisecond, at least MinWindow.
	Window time.Duration
}

// MinWindow is the shortest Window: each of its slots lasts a millisecond.
const MinWindow = Slots * time.Millisecond

// Slots is how finely a window slides. What was taken counts for a window, less
// up to the thirtieth part of it.
const Slots = 30

// Slot is the length of one slot.
func (r Rule) Slot() time.Duration { return max(r.Window/Slots, time.Millisecond) }

// Result is what became of one Take.
type Result struct {
	Allowed bool
	// Remaining is how many more may be taken at once, now.
	Remaining int
	// Reset is when Remaining grows next; 0 = nothing is taken.
	Reset time.Duration
	// RetryAfter is when the same Take will be allowed if nobody takes more; 0
	// when it was allowed.
	RetryAfter time.Duration
}

// Store keeps the counts.
type Store interface {
	// Take takes n of a key, or nothing at all when fewer are left.
	Take(ctx context.Context, rule Rule, key string, n int) (Result, error)
	// Refund gives back n that were taken, the newest first.
	Refund(ctx context.Context, rule Rule, key string, n int) error
}

// Limiter is one rule and the store that counts for it. It is safe for
// concurrent use.
type Limiter struct {
	Rule
	store Store
	clock clockwork.Clock
}

// New returns a Limiter.
func New(store Store, rule Rule) *Limiter {
	return &Limiter{Rule: rule, store: store, clock: clockwork.NewRealClock()}
}

// WithClock returns a copy whose Wait sleeps by another clock.
func (l *Limiter) WithClock(clock clockwork.Clock) *Limiter {
	copied := *l
	copied.clock = clock
	return &copied
}

// Unlimited reports whether the rule allows everything.
func (l *Limiter) Unlimited() bool { return l.Max <= 0 }

// Take takes n of a key, or nothing at all when fewer are left.
func (l *Limiter) Take(ctx context.Context, key string, n int) (Result, error) {
	if l.Unlimited() {
		return Result{Allowed: true}, nil
	}
	return l.store.Take(ctx, l.Rule, key, n)
}

// Refund gives back n that were taken.
func (l *Limiter) Refund(ctx context.Context, key string, n int) error {
	if l.Unlimited() {
		return nil
	}
	return l.store.Refund(ctx, l.Rule, key, n)
}

// Wait takes n of a key, and waits until that is allowed. It fails at once when
// n is more than the rule ever allows, and with the context.
func (l *Limiter) Wait(ctx context.Context, key string, n int) error {
	if n > l.Max && !l.Unlimited() {
		return fmt.Errorf("wait for %d of the limit %q, which allows %d at once", n, l.Name, l.Max)
	}
	for {
		result, err := l.Take(ctx, key, n)
		if err != nil || result.Allowed {
			return err
		}
		select {
		case <-l.clock.After(max(result.RetryAfter, time.Millisecond)):
		case <-ctx.Done():
			return fmt.Errorf("wait for the limit %q: %w", l.Name, ctx.Err())
		}
	}
}
