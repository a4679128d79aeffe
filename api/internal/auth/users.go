package auth

import (
	"context"
	"errors"
	"time"
)

// Role is what an account may do.
type Role string

// The roles, as the Node backend stores them.
const (
	RoleUser  Role = "USER"
	RoleAdmin Role = "ADMIN"
)

// The failures that a Users reports. They are tested with errors.Is.
var (
	// ErrNoUser: no account has that address or id.
	ErrNoUser = errors.New("no such user")
	// ErrTaken: another account has the address or the phone number.
	ErrTaken = errors.New("the address or the phone number belongs to another account")
	// ErrHasAdmin: there is an administrator already.
	ErrHasAdmin = errors.New("there is an administrator")
)

// User is an account.
type User struct {
	ID    string // 24 hex digits
	Email string
	Role  Role
	// PasswordHash is "" for an account that logs in with Google.
	PasswordHash string
	// LastLogoutAt is when a session of this user last ended before its time;
	// zero = never. A token that is younger needs no look at the sessions.
	LastLogoutAt time.Time
	// EndedSessions are the ids of the sessions that ended before their time and
	// may have tokens that live; nil = not all are known, and Sessions.Ended tells.
	EndedSessions []string
	// Stamp stands in every token, which is good only while it stays: it changes
	// when the password does, whoever changes it, and when all sessions end.
	Stamp string
	// AllEndedAt is when all sessions last ended; zero = never. Tokens that have
	// no stamp, since the Node backend or an older release issued them, are good
	// when they are younger.
	AllEndedAt time.Time
	// Verified reports that the owner of the address has proved to be its owner.
	Verified bool
	// Profile is what clients may see: every stored field but the password.
	Profile map[string]any
}

// Admin reports whether the account may administer.
func (u User) Admin() bool { return u.Role == RoleAdmin }

// NewUser is an account to be created.
type NewUser struct {
	Name         string
	Email        string
	Phone        string // "" = none
	PasswordHash string // "" = none: it logs in with Google
	AvatarURL    string // "" = none
	// Google: the account was made by a login with Google.
	Google bool
	// Verified: it is known that the address is its owner's.
	Verified bool
	// Right tells whether it becomes an administrator's.
	Right Right
}

// Right is by what a new account may become an administrator's.
type Right int

// The rights.
const (
	// FirstAccount: it does when it is the very first account.
	FirstAccount Right = iota
	// FirstAdmin: it does, and there is no administrator yet.
	FirstAdmin
	// Operator: it does in any case.
	Operator
	// NoRight: it does not.
	NoRight
)

// Users keeps the accounts, in the collection that the Node backend shares.
type Users interface {
	// ByID and ByEmail find one account, or return ErrNoUser. Addresses are
	// compared without case. Of accounts that the Node backend made whose addresses
	// differ in nothing else, ByEmail returns the one that is written as asked, else
	// the one in small letters, else the oldest.
	ByID(ctx context.Context, id string) (User, error)
	ByEmail(ctx context.Context, email string) (User, error)
	// Taken reports whether an account has the address or the phone number;
	// phone "" is nobody's.
	Taken(ctx context.Context, email, phone string) (bool, error)
	// Create stores an account. However many processes create accounts at once, one
	// with the right FirstAccount or FirstAdmin becomes an administrator only where
	// there is none, an address and a phone number are those of one account, and the
	// others get ErrHasAdmin or ErrTaken. The context must end within CreateTimeout.
	Create(ctx context.Context, user NewUser) (User, error)
	// Rehash replaces the hash of the same password, unless it has changed since
	// user was read. The Stamp stays.
	Rehash(ctx context.Context, user User, dearer string) error
	// EndSessions ends all sessions of an account: it changes its Stamp, and sets
	// AllEndedAt. It returns ErrNoUser when there is no such account.
	EndSessions(ctx context.Context, id string, at time.Time) error
	// Verify notes that the owner of the address has proved to be its owner, and
	// removes a password that was set before that, since anybody may have set it.
	// It returns the account as it is then.
	Verify(ctx context.Context, id string, at time.Time) (User, error)
	// HasAdmin reports whether there is an administrator.
	HasAdmin(ctx context.Context) (bool, error)
	// Grant makes an account an administrator's, or returns ErrNoUser.
	Grant(ctx context.Context, id string) error
	// NoteLogout notes in the account that a session of it has ended: it sets
	// LastLogoutAt, and adds to the EndedSessions until session.Expires.
	NoteLogout(ctx context.Context, session Session, at time.Time) error
}

// CreateTimeout bounds Users.Create: a claim to be the first administrator is
// given up after several times as long.
const CreateTimeout = 15 * time.Second
