package push

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/sony/gobreaker/v2"
)

// deliver sends one batch. A batch that is refused as a whole because of one
// bad message is halved until that message stands alone.
func (s *Sender) deliver(ctx context.Context, batch []Message) []Result {
	results, failure := s.try(ctx, batch)
	switch {
	case failure == nil:
		return results
	case len(batch) > 1 && (failure.Reason == Rejected || failure.Reason == TooLarge || failure.Reason == WrongSender):
		half := len(batch) / 2
		return append(s.deliver(ctx, batch[:half]), s.deliver(ctx, batch[half:])...)
	}
	results = make([]Result, len(batch))
	for i := range results {
		results[i] = failure.result()
	}
	return results
}

// try makes the exchange until it works, or failed in a way that another try
// does not mend or must not repeat.
func (s *Sender) try(ctx context.Context, batch []Message) ([]Result, *Failure) {
	var last *Failure
	results, err := backoff.Retry(ctx, func() ([]Result, error) {
		var results []Result
		results, last = s.once(ctx, batch)
		return results, s.again(last)
	}, backoff.WithMaxTries(uint(s.options.Tries)), backoff.WithMaxElapsedTime(0), backoff.WithBackOff(s.pauses()))
	if err == nil {
		return results, nil
	}
	return nil, last
}

func (s *Sender) pauses() *backoff.ExponentialBackOff {
	b := backoff.NewExponentialBackOff()
	b.InitialInterval, b.MaxInterval, b.Multiplier, b.RandomizationFactor = s.options.Pause, s.options.LongestPause, 2, 0.2
	return b
}

// again words a failure for the retry loop: only what certainly was not sent
// is sent again, after the time that the provider asked for.
func (s *Sender) again(failure *Failure) error {
	switch {
	case failure == nil:
		return nil
	case failure.Reason != RateLimited && failure.Reason != Unavailable,
		failure.RetryAfter > s.options.LongestPause,
		errors.Is(failure.Err, gobreaker.ErrOpenState), errors.Is(failure.Err, gobreaker.ErrTooManyRequests):
		return backoff.Permanent(failure)
	case failure.RetryAfter > 0:
		return &backoff.RetryAfterError{Duration: failure.RetryAfter}
	default:
		return failure
	}
}

// once makes one exchange when limits and breaker allow it. Waiting ends with
// ctx; an exchange that has begun does not, so that its outcome is known.
func (s *Sender) once(ctx context.Context, batch []Message) ([]Result, *Failure) {
	if err := s.turn(ctx, len(batch)); err != nil {
		return nil, &Failure{Reason: NotSent, Err: err}
	}
	results, err := s.breaker.Execute(func() ([]Result, error) {
		working, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.options.ExchangeTimeout)
		defer cancel()
		started := time.Now()
		results, err := s.provider.Send(working, batch)
		s.options.Metrics.exchanged(s.provider.Name(), err, time.Since(started))
		if err == nil && len(results) != len(batch) {
			err = &Failure{Reason: Uncertain, Detail: fmt.Sprintf("%d answers came for %d messages", len(results), len(batch))}
		}
		return results, err
	})
	switch {
	case err == nil:
		return results, nil
	case errors.Is(err, gobreaker.ErrOpenState), errors.Is(err, gobreaker.ErrTooManyRequests):
		return nil, s.refused(err)
	}
	failure := FailureOf(err)
	if failure.RetryAfter > 0 && failure.RetryAfter <= s.options.LongestPause {
		s.hold(failure.RetryAfter)
	}
	return nil, failure
}

// turn waits for the pause that the provider asked for, then for the budget.
func (s *Sender) turn(ctx context.Context, n int) error {
	for {
		wait := time.Until(time.Unix(0, s.resumeAt.Load()))
		if wait <= 0 {
			break
		}
		if err := sleep(ctx, wait); err != nil {
			return err
		}
	}
	return s.options.Limiter.Wait(ctx, n)
}

// hold makes every exchange of this sender wait, not only the refused one.
func (s *Sender) hold(d time.Duration) {
	until := time.Now().Add(d).UnixNano()
	for {
		old := s.resumeAt.Load()
		if old >= until || s.resumeAt.CompareAndSwap(old, until) {
			return
		}
	}
}

func (s *Sender) newBreaker() *gobreaker.CircuitBreaker[[]Result] {
	return gobreaker.NewCircuitBreaker[[]Result](gobreaker.Settings{
		Name: s.provider.Name(), MaxRequests: 1, Timeout: s.options.BreakFor,
		ReadyToTrip:  func(c gobreaker.Counts) bool { return c.ConsecutiveFailures >= uint32(s.options.BreakAfter) },
		IsSuccessful: s.healthy,
		OnStateChange: func(name string, from, to gobreaker.State) {
			s.options.Metrics.breaker(name, to == gobreaker.StateOpen)
			s.options.Log.Warn("the circuit breaker of a push provider changed",
				slog.String("provider", name), slog.String("from", from.String()), slog.String("to", to.String()))
		},
	})
}

// healthy tells failures of the provider, and of our account with it, from
// refusals of single requests.
func (s *Sender) healthy(err error) bool {
	if err == nil {
		return true
	}
	failure := FailureOf(err)
	switch failure.Reason {
	case Unavailable, Credentials, Uncertain:
		s.broken.Store(failure)
		return false
	default:
		return true
	}
}

// refused is what the open breaker answers: the reason that opened it, since
// nothing else is known. Whatever that was, this message was not sent.
func (s *Sender) refused(err error) *Failure {
	failure := &Failure{Reason: Unavailable, Detail: "the circuit breaker is open", Err: err}
	if cause := s.broken.Load(); cause != nil {
		failure.Detail += " after: " + cause.result().Detail
		if cause.Reason == Credentials {
			failure.Reason = Credentials
		}
	}
	return failure
}
