package auth

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

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
	errCredentials    = web.Title("Invalid credentials", errs.New(errs.Unauthenticated, "Invalid credentials"))
	errNoRefresh      = web.Title("Refresh token is required", errs.Invalid("refreshToken", "Refresh token is required"))
	errBadRefresh     = web.Title("Invalid or expired refresh token", errs.New(errs.Unauthenticated, "Invalid or expired refresh token: log in again"))
	errRefreshOfNone  = web.Title("Invalid refresh token", errs.New(errs.Unauthenticated, "Invalid refresh token: the account no longer exists"))
	errTakenAddress   = web.Title("Email or phone already exists", errs.New(errs.KindInvalid, "Email or phone already exists"))
	errNoToken        = web.Title("Access Denied", errs.New(errs.Unauthenticated, "Access Denied: log in, and send the header Authorization: Bearer <token>"))
	errBadToken       = web.Title("Token expired", errs.New(errs.Unauthenticated, "Token expired: log in again"))
	errAdminNotFound  = web.Title("User not found", errs.New(errs.NotFound, "User not found"))
	errAdminForbidden = web.Title("Forbidden", errs.New(errs.Forbidden, "Forbidden"))
)

// Service is what accounts can do.
type Service struct {
	users     Users
	sessions  Sessions
	tokens    *Tokens
	passwords *Passwords
	googleAPI *Google
	throttle  *throttle // nil = none
	recent    *recent
	now       func() time.Time // times what is remembered
	announce  Announce
	log       *slog.Logger
}

// NewService returns a Service. It is a lifecycle.Service: Stop waits for the
// lookups that are going on.
func NewService(users Users, sessions Sessions, tokens *Tokens, passwords *Passwords, options ...Option) (*Service, error) {
	s := &Service{
		users: users, sessions: sessions, tokens: tokens, passwords: passwords, googleAPI: NewGoogle(GoogleOptions{}),
		now: time.Now, log: slog.New(slog.DiscardHandler),
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
	user, err := s.users.Create(ctx, NewUser{Name: input.Name, Email: input.Email, Phone: input.Phone, PasswordHash: hash})
	if errors.Is(err, ErrTaken) {
		return User{}, errTakenAddress
	}
	return user, err
}

// login opens a session. An unknown address, a wrong password and an account
// without a password fail alike, and after the same time. Only these are
// guesses: the throttle gets all else back. address names the client.
func (s *Service) login(ctx context.Context, email, password, address string) (User, Pair, error) {
	giveBack, err := s.throttle.admit(ctx, email, address)
	if err != nil {
		return User{}, Pair{}, err
	}
	user, err := s.verify(ctx, email, password)
	if !errors.Is(err, errCredentials) {
		giveBack()
	}
	if err != nil {
		return User{}, Pair{}, err
	}
	pair, err := s.open(ctx, user)
	return user, pair, err
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
		if err := s.users.Rehash(ctx, user.ID, user.PasswordHash, dearer); err != nil { // the next login does it
			s.log.WarnContext(ctx, "password not hashed at the new cost", slog.Any("error", err))
		}
	}
	return user, nil
}

func (s *Service) open(ctx context.Context, user User) (Pair, error) {
	session := s.session(newID(), user.ID)
	if err := s.sessions.Open(ctx, session); err != nil {
		return Pair{}, err
	}
	return s.tokens.issue(user, session.ID, session.Refresh)
}

func (s *Service) session(id, userID string) Session {
	expires := s.tokens.options.Now().Add(s.tokens.options.RefreshLifetime)
	return Session{ID: id, UserID: userID, Refresh: newID(), Expires: expires}
}

// refresh exchanges a refresh token for a new pair. One of the Node backend,
// which belongs to no session, opens one.
func (s *Service) refresh(ctx context.Context, token string) (Pair, error) {
	used, err := s.tokens.readRefresh(token)
	if err != nil {
		return Pair{}, withCause(errBadRefresh, err)
	}
	user, err := s.users.ByID(ctx, used.UserID)
	switch {
	case errors.Is(err, ErrNoUser):
		return Pair{}, errRefreshOfNone
	case err != nil:
		return Pair{}, err
	case used.legacy():
		return s.open(ctx, user)
	}
	next := s.session(used.Session, user.ID)
	err = s.sessions.Rotate(ctx, used.ID, next)
	switch {
	case errors.Is(err, ErrReused), errors.Is(err, ErrNoSession): // also where it ended and that was not noted
		return Pair{}, withCause(errBadRefresh, errors.Join(err, s.noteEnd(ctx, next)))
	case err != nil:
		return Pair{}, err
	}
	return s.tokens.issue(user, next.ID, next.Refresh)
}

// logout ends the session of a caller: here at once, and in the other replicas
// as soon as they hear of it, recentFor at the latest. The caller can repeat one
// that failed, since its token is good until the end is noted.
func (s *Service) logout(ctx context.Context, caller Caller) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), EndTimeout)
	defer cancel()
	session := s.session(caller.session, caller.User.ID)
	if err := s.sessions.End(ctx, session); err != nil {
		return err
	}
	return s.noteEnd(ctx, session)
}

// noteEnd lets every replica know that a session has ended.
func (s *Service) noteEnd(ctx context.Context, session Session) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), EndTimeout)
	defer cancel()
	err := s.users.NoteLogout(ctx, session, s.tokens.options.Now())
	s.recent.changed(ctx, session.UserID, session.ID)
	return err
}

// identify finds out who an access token belongs to, by what is stored or was
// recently. It returns errBadToken, or ErrNoUser for a deleted account.
func (s *Service) identify(ctx context.Context, token string) (Caller, error) {
	content, err := s.tokens.readAccess(token)
	if err != nil {
		return Caller{}, withCause(errBadToken, err)
	}
	user, err := s.recent.user(ctx, s.users, content.UserID)
	if err != nil {
		return Caller{}, err
	}
	if !user.LastLogoutAt.IsZero() && content.issuedAt().Before(user.LastLogoutAt.Add(clockSkew)) {
		ended, err := s.ended(ctx, user, content.Session)
		if err != nil {
			return Caller{}, err
		}
		if ended {
			return Caller{}, withCause(errBadToken, ErrNoSession)
		}
	}
	return Caller{User: user, session: content.Session}, nil
}

// ended reports whether a session of a user ended before its time.
func (s *Service) ended(ctx context.Context, user User, session string) (bool, error) {
	if user.EndedSessions != nil {
		return slices.Contains(user.EndedSessions, session), nil
	}
	return s.recent.ended(ctx, s.sessions, session)
}

// withCause keeps what clients see of a failure, and adds the reason for the
// log.
func withCause(shown, cause error) error { return fmt.Errorf("%w (%w)", shown, cause) }
