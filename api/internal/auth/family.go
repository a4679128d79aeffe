package auth

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"log/slog"
	"time"
)

// open opens a session that began at some time, for a client.
func (s *Service) open(ctx context.Context, user User, began time.Time, client string) (Pair, error) {
	session := s.session(newID(), user.ID, began, client)
	if err := s.sessions.Open(ctx, session); err != nil {
		return Pair{}, err
	}
	return s.tokens.issue(user, session)
}

// session is one whose newest refresh token is issued now.
func (s *Service) session(id, userID string, began time.Time, client string) Session {
	session := Session{ID: id, UserID: userID, Refresh: newID(), Began: began, Issued: s.time(), Address: s.addressKey(userID, client)}
	session.Expires = s.tokens.expiry(session, s.tokens.options.RefreshLifetime)
	return session
}

// time is now, as precisely as it is stored.
func (s *Service) time() time.Time { return s.tokens.options.Now().Truncate(time.Millisecond) }

// addressKey names a client of an account in what is stored, so that nobody can
// read there who was where.
func (s *Service) addressKey(userID, client string) string {
	mac := hmac.New(sha256.New, s.tokens.options.AccessSecret)
	mac.Write([]byte(userID + " " + client))
	return hex.EncodeToString(mac.Sum(nil)[:16])
}

// refresh exchanges a refresh token for a new pair. One of the Node backend,
// which belongs to no session, opens one. A session that has reached its
// greatest age has ended: its refresh token expired with it.
func (s *Service) refresh(ctx context.Context, used claims, client string) (Pair, error) {
	user, err := s.users.ByID(ctx, used.UserID)
	switch {
	case errors.Is(err, ErrNoUser):
		return Pair{}, errRefreshOfNone
	case err != nil:
		return Pair{}, err
	case !used.stands(user):
		s.count(eventRefreshFailed)
		return Pair{}, withCause(errBadRefresh, errAllEnded)
	case used.legacy():
		return s.open(ctx, user, used.began(), client)
	}
	next := s.session(used.Session, user.ID, used.began(), client)
	if !next.Expires.After(next.Issued) { // the greatest age was lowered
		s.count(eventRefreshFailed)
		return Pair{}, withCause(errBadRefresh, ErrNoSession)
	}
	session, err := s.sessions.Rotate(ctx, used.ID, next)
	switch {
	case errors.Is(err, ErrReused), errors.Is(err, ErrNoSession): // also where it ended and that was not noted
		s.noteFailedRefresh(ctx, err, client)
		return Pair{}, withCause(errBadRefresh, errors.Join(err, s.noteEnd(ctx, next)))
	case err != nil:
		return Pair{}, err
	}
	s.count(eventRefresh)
	session.Expires = s.tokens.expiry(session, s.tokens.options.RefreshLifetime)
	return s.tokens.issue(user, session)
}

// noteFailedRefresh tells of a theft in the log, whose line has the account and
// the session.
func (s *Service) noteFailedRefresh(ctx context.Context, err error, client string) {
	if !errors.Is(err, ErrReused) {
		s.count(eventRefreshFailed)
		return
	}
	s.count(eventReuse)
	s.log.WarnContext(ctx, "a refresh token came again after it was replaced; its session was ended",
		slog.String("client_ip", client))
}

// logout ends the session of a caller: here at once, and in the other replicas
// as soon as they hear of it, recentFor at the latest. The caller can repeat one
// that failed, since its token is good until the end is noted.
func (s *Service) logout(ctx context.Context, caller Caller) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), EndTimeout)
	defer cancel()
	session := s.session(caller.session, caller.User.ID, s.time(), "")
	if err := s.sessions.End(ctx, session); err != nil {
		return err
	}
	return s.noteEnd(ctx, session)
}

// endSessions ends all sessions of an account, as logout does with one.
func (s *Service) endSessions(ctx context.Context, userID string) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), EndTimeout)
	defer cancel()
	if err := s.users.EndSessions(ctx, userID, s.time()); err != nil {
		return err
	}
	s.count(eventAllEnded)
	s.recent.changed(ctx, accountOf(userID))
	return nil
}

// noteEnd lets every replica know that a session has ended.
func (s *Service) noteEnd(ctx context.Context, session Session) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), EndTimeout)
	defer cancel()
	err := s.users.NoteLogout(ctx, session, s.tokens.options.Now())
	s.recent.changed(ctx, accountOf(session.UserID), sessionOf(session.ID))
	return err
}
