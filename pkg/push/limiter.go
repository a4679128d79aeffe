package push

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/time/rate"
)

// Limiter is the budget of messages that all senders to a provider share.
type Limiter interface {
	// Wait blocks until n messages may leave, or returns why not.
	Wait(ctx context.Context, n int) error
}

// NewLocalLimiter returns a Limiter for this process alone: perSecond messages
// a second, and never more than the greater of burst and a tenth of a second's
// worth at once. perSecond 0 or less = no limit.
func NewLocalLimiter(perSecond float64, burst int) Limiter {
	limit := rate.Limit(perSecond)
	if perSecond <= 0 {
		limit = rate.Inf
	}
	return localLimiter{rate.NewLimiter(limit, max(burst, int(perSecond/10), 1))}
}

type localLimiter struct{ bucket *rate.Limiter }

// Wait takes what is asked for in parts that fit into the bucket.
func (l localLimiter) Wait(ctx context.Context, n int) error {
	for n > 0 {
		part := min(n, l.bucket.Burst())
		if err := l.wait(ctx, part); err != nil {
			return err
		}
		n -= part
	}
	return nil
}

// wait does not use the bucket's own WaitN, which refuses at once when the
// context would end before the turn: nobody asked it to guess.
func (l localLimiter) wait(ctx context.Context, n int) error {
	reservation := l.bucket.ReserveN(time.Now(), n)
	if !reservation.OK() {
		return fmt.Errorf("wait for the turn of %d messages: the budget has room for %d", n, l.bucket.Burst())
	}
	if err := sleep(ctx, reservation.Delay()); err != nil {
		reservation.Cancel()
		return err
	}
	return nil
}

// sleep waits, or returns why ctx ended.
func sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return context.Cause(ctx)
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
