package cloudinary

import (
	"context"
	"errors"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/sony/gobreaker/v2"

	"github.com/etrainer/backend/pkg/media"
)

// The bounds of the guard. A Cloudinary that refuses connections is known to
// be away within a second, retries included.
const (
	tries      = 3
	firstPause = 100 * time.Millisecond
	breakAfter = 3
)

// newBreaker opens after several failures in a row, or after one that leaves no
// doubt: mute is then true.
func newBreaker(breakFor time.Duration, mute *atomic.Bool) *gobreaker.CircuitBreaker[struct{}] {
	return gobreaker.NewCircuitBreaker[struct{}](gobreaker.Settings{
		Name: "cloudinary", MaxRequests: 1, Timeout: breakFor,
		ReadyToTrip:  func(c gobreaker.Counts) bool { return mute.Swap(false) || c.ConsecutiveFailures >= breakAfter },
		IsSuccessful: func(err error) bool { return !counts(err) },
	})
}

// counts reports whether a failure is one of Cloudinary's: not of a request
// that was at fault, nor of a caller who went away.
func counts(err error) bool {
	if errors.Is(err, errMute) {
		return true
	}
	if err == nil || errors.Is(err, context.Canceled) || errors.Is(err, media.ErrNotFound) {
		return false
	}
	if failure, ok := errors.AsType[*statusError](err); ok {
		return failure.status >= http.StatusInternalServerError || limited(failure)
	}
	return true
}

func limited(failure *statusError) bool {
	return failure.status == http.StatusTooManyRequests || failure.status == statusRateLimited
}

// do makes a call with a time limit, retries and the breaker. call may be made
// several times.
func (s *Store) do(ctx context.Context, timeout time.Duration, call func(context.Context) error) error {
	pauses := backoff.NewExponentialBackOff()
	pauses.InitialInterval = firstPause
	_, err := backoff.Retry(ctx, func() (struct{}, error) {
		_, err := s.breaker.Execute(func() (struct{}, error) {
			limited, cancel := context.WithTimeout(ctx, timeout)
			defer cancel()
			err := call(limited)
			if err == nil || errors.Is(err, errMute) {
				s.mute.Store(err != nil)
			}
			if counts(err) {
				s.ill.Store(true)
			}
			return struct{}{}, err
		})
		if err != nil && !again(err) {
			return struct{}{}, backoff.Permanent(err)
		}
		return struct{}{}, err
	}, backoff.WithBackOff(pauses), backoff.WithMaxTries(tries))
	if permanent, ok := errors.AsType[*backoff.PermanentError](err); ok {
		err = permanent.Err
	}
	return s.translate(ctx, err)
}

// again reports whether a call may help that failed now: not one that was
// waited for to the end of its time, nor one that a limit refused.
func again(err error) bool {
	if failure, ok := errors.AsType[*statusError](err); ok {
		return failure.status >= http.StatusInternalServerError
	}
	return counts(err) && !errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, errMute) && !isOpen(err)
}

func isOpen(err error) bool {
	return errors.Is(err, gobreaker.ErrOpenState) || errors.Is(err, gobreaker.ErrTooManyRequests)
}

// translate makes a failure one of the port's.
func (s *Store) translate(ctx context.Context, err error) error {
	failure, answered := errors.AsType[*statusError](err)
	switch {
	case err == nil, errors.Is(err, media.ErrNotFound):
		return err
	case ctx.Err() != nil && !answered:
		return err
	case !answered || counts(err):
		away := &media.UnavailableError{Store: media.StoreCloudinary, RetryAfter: s.breakFor, Err: err}
		if answered && failure.retryAfter > 0 {
			away.RetryAfter = failure.retryAfter
		}
		return away
	case failure.status == http.StatusNotFound:
		return media.ErrNotFound
	case failure.status == http.StatusBadRequest:
		return &media.RefusedError{Reason: failure.message}
	default: // 401, 403: our credentials are wrong, which is no business of users
		return err
	}
}
