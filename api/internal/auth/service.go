package auth

import (
	"context"
	"crypto/hmac"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/etrainer/backend/api/internal/web"
	"github.com/etrainer/backend/pkg/cache"
	"github.com/etrainer/backend/pkg/errs"
)

const (
	// clockSkew is how far the clocks of two replicas may be apart.
	clockSkew = 2 * time.Minute
	// EndTimeout bounds the end of a session, which goes on when its client has
	// left.
	EndTimeout = 5 * time.Second
)

// The failures that clients see, with the texts of the Node backend.
var (
	errCredentials   = web.Title("Invalid credentials", errs.New(errs.Unauthenticated, "Invalid credentials"))
	errNoRefresh     = web.Title("Refresh token is required", errs.Invalid("refreshToken", "Refresh token is required"))
	errBadRefresh    = web.Title("Invalid or expired refresh token", errs.New(errs.Unauthenticated, "Invalid or expired refresh token: log in again"))
	errRefreshOfNone = web.Title("Invalid refresh token", errs.New(errs.Unauthenticated, "Invalid refresh token: the account no longer exists"))
	errTakenAddress  = web.Title("Email or phone already exists", errs.New(errs.KindInvalid, "Email or phone already exists"))
	errNoToken       = web.Title("Access Denied", errs.New(errs.Unauthenticated, "Access Denied: log in, and send the header Authorization: Bearer <token>"))
	errBadToken      = web.Title("Invalid token", errs.New(errs.Unauthenticated, "Invalid token: this is not an access token of this service; log in, and send the header Authorization: Bearer <token>"))
	errExpired       = web.Title("Token expired", errs.New(errs.Unauthenticated, "Token expired: log in again"))
	errAdminNotFound = web.Title("User not found", errs.New(errs.NotFound, "User not found"))
	errBootstrap     = web.Title("Forbidden", errs.New(errs.Forbidden, "Forbidden: bootstrapSecret is not the BOOTSTRAP_SECRET of this deployment; leave it out to register as a user"))
	errHasAdmin      = web.Title("Forbidden", errs.New(errs.Forbidden, "Forbidden: there is an administrator already; leave bootstrapSecret out, and ask for the command: api admin grant"))
	errNoSuchUser    = web.Title("User not found", errs.New(errs.NotFound, "User not found: no account has this id or address"))
)

// Service is what accounts can do.
type Service struct {
	users     Users
	sessions  Sessions
	tokens    *Tokens
	passwords *Passwords
	googleAPI *Google
	throttle  *throttle // nil = none
	bootstrap []byte    // the secret of the first administrator; empty = the first account is its
	recent    *recent
	now       func() time.Time // times what is remembered
	announce  Announce
	events    *prometheus.CounterVec
	log       *slog.Logger
}

// NewService returns a Service. It is a lifecycle.Service: Stop waits for the
// lookups that are going on.
func NewService(users Users, sessions Sessions, tokens *Tokens, passwords *Passwords, options ...Option) (*Service, error) {
	s := &Service{
		users: users, sessions: sessions, tokens: tokens, passwords: passwords, googleAPI: NewGoogle(GoogleOptions{}),
		events: newEvents(), now: time.Now, log: slog.New(slog.DiscardHandler),
	}
	for _, option := range options {
		option(s)
	}
	var err error
	s.recent, err = newRecent(s.now, s.announce, s.log)
	return s, err
}

// Start implements lifecycle.Service.
func (s *Service) Start(ctx context.Context) error {
	return errors.Join(s.recent.accounts.Start(ctx), s.recent.sessions.Start(ctx))
}

// Stop implements lifecycle.Service.
func (s *Service) Stop(ctx context.Context) error {
	return errors.Join(s.recent.accounts.Stop(ctx), s.recent.sessions.Stop(ctx))
}

// Forget does what another replica announced: it drops what is remembered of
// accounts and sessions.
func (s *Service) Forget(ctx context.Context, notice cache.Notice) { s.recent.forget(ctx, notice) }

// register creates an account.
func (s *Service) register(ctx context.Context, input registration) (User, error) {
	right, err := s.right(input.BootstrapSecret)
	if err != nil {
		return User{}, err
	}
	taken, err := s.users.Taken(ctx, input.Email, input.Phone)
	if err != nil {
		return User{}, err
	}
	if taken {
		return User{}, errTakenAddress
	}
	hash, err := s.passwords.Hash(ctx, input.Password)
	if err != nil {
		return User{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, CreateTimeout)
	defer cancel()
	user, err := s.users.Create(ctx, NewUser{Name: input.Name, Email: input.Email, Phone: input.Phone, PasswordHash: hash, Right: right})
	switch {
	case errors.Is(err, ErrTaken):
		return User{}, errTakenAddress
	case errors.Is(err, ErrHasAdmin):
		return User{}, withCause(errHasAdmin, err)
	}
	return user, err
}

// right is what a registration with a bootstrap secret, or with none, may become.
// Where one is set nobody becomes the administrator by being the first.
func (s *Service) right(secret string) (Right, error) {
	switch {
	case secret != "" && (len(s.bootstrap) == 0 || !hmac.Equal([]byte(secret), s.bootstrap)):
		return NoRight, errBootstrap
	case secret != "":
		return FirstAdmin, nil
	case len(s.bootstrap) > 0:
		return NoRight, nil
	default:
		return FirstAccount, nil
	}
}

// login opens a session. An unknown address, a wrong password and an account
// without a password fail alike, and after the same time. Only these are
// guesses: the throttle gets all else back. client is its address.
func (s *Service) login(ctx context.Context, email, password, client string) (User, Pair, error) {
	giveBack, err := s.throttle.admit(ctx, attempt{
		account: accountKey(email), client: client,
		known:  func(ctx context.Context) (bool, error) { return s.known(ctx, email, client) },
		slowed: func() { s.noteSlowed(ctx, client) },
	})
	if errors.Is(err, errLockedOut) {
		s.noteLockOut(ctx, client)
	}
	if err != nil {
		return User{}, Pair{}, err
	}
	user, err := s.verify(ctx, email, password)
	if errors.Is(err, errCredentials) {
		s.count(eventLoginFailed)
	} else {
		giveBack()
	}
	if err != nil {
		return User{}, Pair{}, err
	}
	pair, err := s.open(ctx, user, s.time(), client)
	if err == nil {
		s.count(eventLogin)
	}
	return user, pair, err
}

// known reports that an account has a session which was opened by a client.
func (s *Service) known(ctx context.Context, email, client string) (bool, error) {
	user, err := s.users.ByEmail(ctx, email)
	if errors.Is(err, ErrNoUser) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return s.sessions.Known(ctx, user.ID, s.addressKey(user.ID, client))
}

// noteSlowed and noteLockOut tell of an attack in the log, whose line has the
// account.
func (s *Service) noteSlowed(ctx context.Context, client string) {
	s.count(eventSlowed)
	s.log.WarnContext(ctx, "many logins of the account failed: those from addresses that it does not know take turns", slog.String("client_ip", client))
}

func (s *Service) noteLockOut(ctx context.Context, client string) {
	s.count(eventLockOut)
	s.log.WarnContext(ctx, "a login was refused, since too many failed", slog.String("client_ip", client))
}

// verify returns whose address and password these are, or errCredentials.
func (s *Service) verify(ctx context.Context, email, password string) (User, error) {
	user, err := s.users.ByEmail(ctx, email)
	if err != nil && !errors.Is(err, ErrNoUser) {
		return User{}, err
	}
	ok, dearer, err := s.passwords.Check(ctx, user.PasswordHash, password)
	switch {
	case err != nil:
		return User{}, err
	case !ok:
		return User{}, errCredentials
	}
	if dearer != "" {
		if err := s.users.Rehash(ctx, user, dearer); err != nil { // the next login does it
			s.log.WarnContext(ctx, "password not hashed at the new cost", slog.Any("error", err))
		}
	}
	return user, nil
}

// withCause keeps what clients see of a failure, and adds the reason for the
// log.
func withCause(shown, cause error) error { return fmt.Errorf("%w (%w)", shown, cause) }
