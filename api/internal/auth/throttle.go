package auth

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"log/slog"
	"strings"
	"time"

	"github.com/etrainer/backend/api/internal/web"
	"github.com/etrainer/backend/pkg/errs"
	"github.com/etrainer/backend/pkg/limit"
)

// Failed logins, beside the limit of /api/auth. That of an account stops who
// guesses one password from many addresses, that of an address who tries many
// accounts slowly.
var (
	accountRule = limit.Rule{Name: "login-account", Max: 20, Window: 15 * time.Minute}
	addressRule = limit.Rule{Name: "login-address", Max: 60, Window: 2 * time.Hour}
)

const textTooManyLogins = "Too many authentication attempts, please try again later."

// throttle counts logins that fail.
type throttle struct {
	account, address *limit.Limiter
	log              *slog.Logger
}

func newThrottle(store limit.Store, log *slog.Logger) *throttle {
	return &throttle{account: limit.New(store, accountRule), address: limit.New(store, addressRule), log: log}
}

// admit counts a login before its password is looked at, and refuses one too
// many. giveBack uncounts it. A nil throttle admits all.
func (t *throttle) admit(ctx context.Context, email, address string) (giveBack func(), err error) {
	if t == nil {
		return func() {}, nil
	}
	account := accountKey(email)
	for _, count := range []struct {
		limiter *limit.Limiter
		key     string
	}{{t.address, address}, {t.account, account}} {
		result, err := count.limiter.Take(ctx, count.key, 1)
		switch {
		case err != nil: // the limit of /api/auth still counts
			t.log.WarnContext(ctx, "login not counted", slog.String("limit", count.limiter.Name), slog.Any("error", err))
		case !result.Allowed:
			return nil, web.After(result.RetryAfter, web.Title(textTooManyLogins, errs.New(errs.TooMany, textTooManyLogins)))
		}
	}
	return func() {
		ctx := context.WithoutCancel(ctx)
		if err := errors.Join(t.address.Refund(ctx, address, 1), t.account.Refund(ctx, account, 1)); err != nil {
			t.log.WarnContext(ctx, "login not given back", slog.Any("error", err))
		}
	}, nil
}

// accountKey keeps addresses of people out of what is stored.
func accountKey(email string) string {
	sum := sha256.Sum256([]byte(strings.ToLower(email)))
	return hex.EncodeToString(sum[:16])
}
