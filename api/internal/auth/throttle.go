package auth

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/etrainer/backend/api/internal/web"
	"github.com/etrainer/backend/pkg/errs"
	"github.com/etrainer/backend/pkg/limit"
)

// Failed logins, beside the limit of /api/auth. That of an address stops who
// tries many accounts slowly.
//
// That of an account slows down who guesses one password from many addresses: what
// is over accountRule takes its turn, one every two seconds, and what is over
// slowRule as well one every twenty. So the owner gets in all the while, from a
// known address as always and from a new one after a wait.
var (
	accountRule = limit.Rule{Name: "login-account", Max: 20, Window: 15 * time.Minute}
	slowRule    = limit.Rule{Name: "login-slow", Max: 40, Window: 15 * time.Minute}
	turnRule    = limit.Rule{Name: "login-turn", Max: 1, Window: 2 * time.Second}
	longRule    = limit.Rule{Name: "login-long-turn", Max: 1, Window: 20 * time.Second}
	addressRule = limit.Rule{Name: "login-address", Max: 60, Window: 2 * time.Hour}
)

// patience is how long a login waits for its turn before it is refused: with the
// check of the password it takes less than the ten seconds of the mobile app.
const patience = 5 * time.Second

const textTooManyLogins = "Too many authentication attempts, please try again later."

// throttle counts logins that fail.
type throttle struct {
	address, account, slow, turn, long *limit.Limiter
	after                              func(time.Duration) <-chan time.Time
	log                                *slog.Logger
}

func newThrottle(store limit.Store, log *slog.Logger) *throttle {
	return &throttle{
		address: limit.New(store, addressRule), account: limit.New(store, accountRule), slow: limit.New(store, slowRule),
		turn: limit.New(store, turnRule), long: limit.New(store, longRule), after: time.After, log: log,
	}
}

// attempt is one login, of an address that is written as it was typed.
type attempt struct {
	account string // its key
	client  string
	// known reports that the owner of the account was at this client before. It is
	// asked when the account had many failures.
	known func(context.Context) (bool, error)
	// slowed is told that the attempt has to take its turn.
	slowed func()
}

// admit counts a login before its password is looked at, lets it wait where its
// account had many failures, and refuses one too many. giveBack uncounts it. A
// nil throttle admits all.
func (t *throttle) admit(ctx context.Context, a attempt) (giveBack func(), err error) {
	if t == nil {
		return func() {}, nil
	}
	var taken []func(context.Context) error
	take := func(limiter *limit.Limiter, key string) limit.Result {
		result, err := limiter.Take(ctx, key, 1)
		switch {
		case err != nil: // the limit of /api/auth still counts
			t.log.WarnContext(ctx, "login not counted", slog.String("limit", limiter.Name), slog.Any("error", err))
			return limit.Result{Allowed: true}
		case result.Allowed:
			taken = append(taken, func(ctx context.Context) error { return limiter.Refund(ctx, key, 1) })
		}
		return result
	}
	if result := take(t.address, a.client); !result.Allowed {
		return nil, refusal(result.RetryAfter)
	}
	if !take(t.account, a.account).Allowed && !t.isKnown(ctx, a) {
		a.slowed()
		turn := t.turn
		if !take(t.slow, a.account).Allowed {
			turn = t.long
		}
		if err := t.wait(ctx, turn, a.account); err != nil {
			return nil, err
		}
	}
	return func() {
		ctx := context.WithoutCancel(ctx)
		var failed error
		for _, refund := range taken {
			failed = errors.Join(failed, refund(ctx))
		}
		if failed != nil {
			t.log.WarnContext(ctx, "login not given back", slog.Any("error", failed))
		}
	}, nil
}

func (t *throttle) isKnown(ctx context.Context, a attempt) bool {
	known, err := a.known(ctx)
	if err != nil { // it waits like a stranger
		t.log.WarnContext(ctx, "not known whether the owner of the account was at this address before", slog.Any("error", err))
	}
	return known
}

// wait takes a turn as soon as it is free, or refuses when that is too late.
func (t *throttle) wait(ctx context.Context, turn *limit.Limiter, account string) error {
	for waited := time.Duration(0); ; {
		result, err := turn.Take(ctx, account, 1)
		if err != nil || result.Allowed {
			return nil //nolint:nilerr // a store that is away stops nobody
		}
		pause := max(result.RetryAfter, time.Millisecond)
		if waited += pause; waited > patience {
			return refusal(result.RetryAfter)
		}
		select {
		case <-t.after(pause):
		case <-ctx.Done():
			return errs.Wrap(errs.Unavailable, ctx.Err(), busy)
		}
	}
}

// errLockedOut is the cause of a login that was refused by what failed before it.
var errLockedOut = errors.New("too many logins of the account or the address failed")

func refusal(retryAfter time.Duration) error {
	return web.After(retryAfter, withCause(web.Title(textTooManyLogins, errs.New(errs.TooMany, textTooManyLogins)), errLockedOut))
}
