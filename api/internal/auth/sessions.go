package auth

import (
	"context"
	"errors"
	"time"
)

// The failures that a Sessions reports. They are tested with errors.Is.
var (
	// ErrNoSession: there is no such session, or it ended.
	ErrNoSession = errors.New("no such session")
	// ErrReused: the refresh token had been used before. The session has been
	// ended, because one of its two users stole the token.
	ErrReused = errors.New("refresh token was used before")
)

// Session is what one login opened: a family of refresh tokens, of which only
// the newest is good.
type Session struct {
	ID      string
	UserID  string
	Refresh string // jti of the newest refresh token
	Expires time.Time
}

// Sessions keeps the sessions where every replica sees them.
type Sessions interface {
	// Open stores a new session.
	Open(ctx context.Context, session Session) error
	// Rotate replaces the refresh token `used` of a session by next.Refresh.
	// Of any number of callers with the same token one succeeds. The others
	// end the session and get ErrReused.
	Rotate(ctx context.Context, used string, next Session) error
	// End ends a session. One that was never opened is ended all the same:
	// its ID is that of a token of the Node backend. The record is kept until
	// session.Expires.
	End(ctx context.Context, session Session) error
	// Ended reports whether a session was ended.
	Ended(ctx context.Context, id string) (bool, error)
}
