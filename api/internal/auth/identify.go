package auth

import (
	"context"
	"errors"
	"slices"

	"github.com/golang-jwt/jwt/v5"
)

// errAllEnded is the cause of a token whose stamp is no longer that of its
// account.
var errAllEnded = errors.New("all sessions were ended, or the password was changed")

// stands reports whether the sessions of a user were not all ended since the
// token was issued.
func (c claims) stands(user User) bool {
	if c.Stamp != "" {
		return c.Stamp == user.Stamp
	}
	return user.AllEndedAt.IsZero() || c.issuedAt().After(user.AllEndedAt)
}

// identify finds out who an access token belongs to, by what is stored or was
// recently. It returns errBadToken, errExpired, or ErrNoUser for a deleted
// account.
func (s *Service) identify(ctx context.Context, token string) (Caller, error) {
	content, err := s.tokens.readAccess(token)
	if errors.Is(err, jwt.ErrTokenExpired) {
		return Caller{}, withCause(errExpired, err)
	}
	if err != nil {
		return Caller{}, withCause(errBadToken, err)
	}
	user, err := s.owner(ctx, content)
	if err != nil {
		return Caller{}, err
	}
	if !content.stands(user) {
		return Caller{}, withCause(errExpired, errAllEnded)
	}
	if !user.LastLogoutAt.IsZero() && content.issuedAt().Before(user.LastLogoutAt.Add(clockSkew)) {
		ended, err := s.ended(ctx, user, content.Session)
		if err != nil {
			return Caller{}, err
		}
		if ended {
			return Caller{}, withCause(errExpired, ErrNoSession)
		}
	}
	return Caller{User: user, session: content.Session}, nil
}

// owner returns the account of a token. One that was remembered may be older than
// a token that is new and does not fit: then the account is looked at again.
func (s *Service) owner(ctx context.Context, content claims) (User, error) {
	user, err := s.recent.user(ctx, s.users, content.UserID)
	isNew := s.tokens.options.Now().Sub(content.issuedAt()) < clockSkew
	if err != nil || content.stands(user) || !isNew {
		return user, err
	}
	s.recent.forgetAccount(ctx, content.UserID)
	return s.recent.user(ctx, s.users, content.UserID)
}

// ended reports whether a session of a user ended before its time.
func (s *Service) ended(ctx context.Context, user User, session string) (bool, error) {
	if user.EndedSessions != nil {
		return slices.Contains(user.EndedSessions, session), nil
	}
	return s.recent.ended(ctx, s.sessions, session)
}
