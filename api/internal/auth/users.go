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
	// ErrTaken: another account has the address.
	ErrTaken = errors.New("the address belongs to another account")
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
}

// Users keeps the accounts, in the collection that the Node backend shares.
type Users interface {
	// ByID and ByEmail find one account, or return ErrNoUser. Addresses are
	// compared letter by letter, as the Node backend does.
	ByID(ctx context.Context, id string) (User, error)
	ByEmail(ctx context.Context, email string) (User, error)
	// Taken reports whether an account has the address or the phone number;
	// phone "" is nobody's.
	Taken(ctx context.Context, email, phone string) (bool, error)
	// Create stores an account. The very first one becomes an administrator,
	// and only that one, however many processes create the first accounts at
	// once. It returns ErrTaken when the address is another account's. The
	// context must end within CreateTimeout.
	Create(ctx context.Context, user NewUser) (User, error)
	// Rehash replaces a password hash, unless it has changed since it was read.
	Rehash(ctx context.Context, id, hash, dearer string) error
	// NoteLogout notes in the account that a session of it has ended: it sets
	// LastLogoutAt, and adds to the EndedSessions until session.Expires.
	NoteLogout(ctx context.Context, session Session, at time.Time) error
}

// CreateTimeout bounds Users.Create: a claim to be the first administrator is
// given up after several times as long.
const CreateTimeout = 15 * time.Second
