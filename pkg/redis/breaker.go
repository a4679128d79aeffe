package redis

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/sony/gobreaker/v2"
)

// ErrAway is the failure of a command that was not sent, because those before
// it got no answer.
var ErrAway = errors.New("redis is away")

const (
	// failuresToOpen is how many commands in a row must fail before no more are
	// sent: one alone may have been slow.
	failuresToOpen = 3
	// tryAgainAfter is how long no commands are sent; then one tries.
	tryAgainAfter = time.Second
)

// breaker is a hook of the client that makes commands fail at once while Redis
// is away, so that no request waits for its timeout. Subscriptions have
// connections of their own and are not touched.
type breaker struct {
	state *gobreaker.CircuitBreaker[struct{}]
}

func newBreaker() breaker {
	return breaker{gobreaker.NewCircuitBreaker[struct{}](gobreaker.Settings{
		Name:         "redis",
		Timeout:      tryAgainAfter,
		ReadyToTrip:  func(counts gobreaker.Counts) bool { return counts.ConsecutiveFailures >= failuresToOpen },
		IsSuccessful: func(err error) bool { return !noAnswer(err) },
	})}
}

// noAnswer tells a Redis that is away from one that answered with an error, and
// from a caller that gave up.
func noAnswer(err error) bool {
	var reply redis.Error
	switch {
	case err == nil, errors.As(err, &reply), errors.Is(err, context.Canceled), errors.Is(err, redis.ErrClosed):
		return false
	default:
		return true
	}
}

// guarded marks the context of a command that the breaker has let through: what
// the driver sends to greet Redis on a new connection belongs to it.
type guarded struct{}

func (b breaker) guard(ctx context.Context, send func(context.Context) error) error {
	if ctx.Value(guarded{}) != nil {
		return send(ctx)
	}
	if err := ctx.Err(); err != nil { // a caller without any time says nothing about Redis
		return err
	}
	_, err := b.state.Execute(func() (struct{}, error) {
		return struct{}{}, send(context.WithValue(ctx, guarded{}, true))
	})
	if errors.Is(err, gobreaker.ErrOpenState) || errors.Is(err, gobreaker.ErrTooManyRequests) {
		return fmt.Errorf("%w: %w", ErrAway, err)
	}
	return err
}

// DialHook implements redis.Hook: it changes nothing.
func (breaker) DialHook(next redis.DialHook) redis.DialHook {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		return next(ctx, network, address)
	}
}

// ProcessHook implements redis.Hook.
func (b breaker) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		return b.guard(ctx, func(ctx context.Context) error { return next(ctx, cmd) })
	}
}

// ProcessPipelineHook implements redis.Hook.
func (b breaker) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		sent := false
		err := b.guard(ctx, func(ctx context.Context) error { sent = true; return next(ctx, cmds) })
		if err != nil && !sent {
			for _, cmd := range cmds {
				cmd.SetErr(err)
			}
		}
		return err
	}
}
