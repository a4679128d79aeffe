package auth

import (
	"context"
	"errors"
	"log/slog"
	"strings"

	"github.com/etrainer/backend/pkg/errs"
)

// What operators can do with accounts, by the commands of the program. Accounts
// are named by their mail address or their id.

// CreateAdmin makes an account that is an administrator's. It fails when the
// address has an account, or breaks the rules of a registration.
func (s *Service) CreateAdmin(ctx context.Context, name, email, password string) (User, error) {
	input, err := registrationBody{Name: &name, Email: &email, Password: &password}.check()
	if err != nil {
		return User{}, err
	}
	hash, err := s.passwords.Hash(ctx, input.Password)
	if err != nil {
		return User{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, CreateTimeout)
	defer cancel()
	user, err := s.users.Create(ctx, NewUser{Name: input.Name, Email: input.Email, PasswordHash: hash, Verified: true, Right: Operator})
	if errors.Is(err, ErrTaken) {
		return User{}, errs.Newf(errs.Conflict, "%s has an account; make it an administrator's with: api admin grant %s", email, email)
	}
	return user, err
}

// GrantAdmin makes an account an administrator's.
func (s *Service) GrantAdmin(ctx context.Context, account string) (User, error) {
	user, err := s.find(ctx, account)
	if err != nil {
		return User{}, s.explain(err, account)
	}
	if err := s.users.Grant(ctx, user.ID); err != nil {
		return User{}, s.explain(err, account)
	}
	s.recent.changed(ctx, accountOf(user.ID))
	return user, nil
}

// EndSessions ends all sessions of an account.
func (s *Service) EndSessions(ctx context.Context, account string) (User, error) {
	user, err := s.find(ctx, account)
	if err != nil {
		return User{}, s.explain(err, account)
	}
	return user, s.explain(s.endSessions(ctx, user.ID), account)
}

func (s *Service) explain(err error, account string) error {
	if errors.Is(err, ErrNoUser) {
		return errs.Newf(errs.NotFound, "no account has the address or id %q", account)
	}
	return err
}

// HasAdmin reports whether there is an administrator.
func (s *Service) HasAdmin(ctx context.Context) (bool, error) { return s.users.HasAdmin(ctx) }

// WarnWithoutAdmin says in the log, and loudly, when there is no administrator,
// and reports whether there is one.
func (s *Service) WarnWithoutAdmin(ctx context.Context) bool {
	there, err := s.HasAdmin(ctx)
	if err != nil {
		s.log.WarnContext(ctx, "not known whether there is an administrator", slog.Any("error", err))
		return false
	}
	if there {
		return true
	}
	how := "whoever registers first becomes the administrator of this public deployment"
	if len(s.bootstrap) > 0 {
		how = "whoever registers with the BOOTSTRAP_SECRET becomes the administrator"
	}
	s.log.WarnContext(ctx, "THERE IS NO ADMINISTRATOR; run: api admin create EMAIL", slog.String("meanwhile", how))
	return false
}

// find returns the account with an id or an address.
func (s *Service) find(ctx context.Context, name string) (User, error) {
	if strings.Contains(name, "@") {
		return s.users.ByEmail(ctx, name)
	}
	return s.users.ByID(ctx, name)
}
