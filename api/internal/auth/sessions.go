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
	// ErrReused: the refresh token had been replaced longer than RefreshGrace ago.
	// The session has been ended, because one of its two users stole the token.
	ErrReused = errors.New("refresh token was used before")
)

// RefreshGrace is how long a refresh token that was replaced buys the same pair
// again: a telephone that lost the answer asks once more, and an app with two
// requests under way asks twice at once.
const RefreshGrace = 30 * time.Second

// Session is what one login opened: a family of refresh tokens, of which only
// the newest is good.
type Session struct {
	ID      string
	UserID  string
	Refresh string    // jti of the newest refresh token
	Began   time.Time // when its user logged in
	Issued  time.Time // when the newest refresh token was issued
	Expires time.Time // when that expires
	// Address names where the session was opened or refreshed, for Known; "" =
	// not known.
	Address string
}

// Sessions keeps the sessions where every replica sees them.
type Sessions interface {
	// Open stores a new session.
	Open(ctx context.Context, session Session) error
	// Rotate replaces the refresh token `used` of a session by next.Refresh, and
	// returns next. Of any number of callers with the same token one does so. For
	// RefreshGrace the others get the Session with the Refresh and Issued that this
	// one stored; after that they end the session and get ErrReused.
	Rotate(ctx context.Context, used string, next Session) (Session, error)
	// End ends a session. One that was never opened is ended all the same:
	// its ID is that of a token of the Node backend. The record is kept until
	// session.Expires.
	End(ctx context.Context, session Session) error
	// Ended reports whether a session was ended.
	Ended(ctx context.Context, id string) (bool, error)
	// Known reports whether a session of a user that has not expired was opened
	// or refreshed at an address.
	Known(ctx context.Context, userID, address string) (bool, error)
}
