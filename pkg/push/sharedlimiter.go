package push

import (
	"context"
	"math"
	"time"

	"github.com/etrainer/backend/pkg/limit"
)

// NewSharedLimiter returns a Limiter for all processes that count in one
// store: perSecond messages a second to a provider. It takes a fiftieth of a
// second's worth at a time, so that a provider with one message in a request
// does not ask the store for each. perSecond 0 or less = no limit.
func NewSharedLimiter(store limit.Store, provider string, perSecond float64) Limiter {
	rule := limit.Rule{Name: "push", Max: int(perSecond), Window: time.Second}
	if perSecond > 0 && perSecond < 1 {
		rule.Max, rule.Window = 1, time.Duration(math.Ceil(1000/perSecond))*time.Millisecond
	}
	return &sharedLimiter{limiter: limit.New(store, rule), key: provider, part: max(rule.Max/50, 1), turn: make(chan struct{}, 1)}
}

type sharedLimiter struct {
	limiter *limit.Limiter
	key     string
	part    int

	turn chan struct{} // held by who takes
	left int           // taken from the store and not used yet
}

// Wait implements Limiter. Who comes meanwhile waits for the same store.
func (l *sharedLimiter) Wait(ctx context.Context, n int) error {
	if l.limiter.Unlimited() {
		return context.Cause(ctx)
	}
	select {
	case l.turn <- struct{}{}:
		defer func() { <-l.turn }()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	for l.left < n {
		if err := context.Cause(ctx); err != nil {
			return err
		}
		take := min(max(l.part, n-l.left), l.limiter.Max)
		if err := l.limiter.Wait(ctx, l.key, take); err != nil {
			return err
		}
		l.left += take
	}
	l.left -= n
	return nil
}
