package auth

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/etrainer/backend/pkg/cache"
)

const (
	// recentFor is how long what was read of an account or a session is believed
	// without another look: the longest that a change of a role, or a logout that
	// nobody announced, takes to be noticed.
	recentFor = 2 * time.Second
	// recentEntries bounds what is remembered: far more callers than one process
	// serves in that time.
	recentEntries = 20_000
)

// Announce tells the other replicas to Forget some keys. It may fail: they
// forget by themselves soon.
type Announce func(ctx context.Context, keys ...string) error

// recent remembers what was read of accounts and sessions a moment ago, so that
// a caller who asks often does not cost a look at the database each time. It is
// the memory of one process.
type recent struct {
	accounts *cache.Through[account]
	sessions *cache.Through[bool] // whether it has ended
	announce Announce             // nil = there is nobody to tell
	log      *slog.Logger
}

// account is what a request needs of a User.
type account struct {
	Email         string
	Role          Role
	LastLogoutAt  time.Time
	EndedSessions []string
	Stamp         string
	AllEndedAt    time.Time
}

func newRecent(now func() time.Time, announce Announce, log *slog.Logger) (*recent, error) {
	memory, err := cache.NewMemory(cache.MemoryOptions{Entries: recentEntries, Now: now})
	if err != nil {
		return nil, err
	}
	policy := cache.Policy{Fresh: recentFor, Absent: recentFor}
	return &recent{
		accounts: cache.NewThrough[account](memory, policy, now, log),
		sessions: cache.NewThrough[bool](memory, policy, now, log),
		announce: announce, log: log,
	}, nil
}

func accountOf(id string) string { return "account:" + id }

func sessionOf(id string) string { return "session:" + id }

// user returns an account, or ErrNoUser.
func (r *recent) user(ctx context.Context, users Users, id string) (User, error) {
	found, err := r.accounts.Get(ctx, accountOf(id), func(ctx context.Context) (account, error) {
		user, err := users.ByID(ctx, id)
		if errors.Is(err, ErrNoUser) {
			err = fmt.Errorf("%w: %w", cache.ErrAbsent, err)
		}
		return account{user.Email, user.Role, user.LastLogoutAt, user.EndedSessions, user.Stamp, user.AllEndedAt}, err
	})
	if errors.Is(err, cache.ErrAbsent) {
		return User{}, ErrNoUser
	}
	seen := found.Value
	return User{
		ID: id, Email: seen.Email, Role: seen.Role, LastLogoutAt: seen.LastLogoutAt, EndedSessions: seen.EndedSessions,
		Stamp: seen.Stamp, AllEndedAt: seen.AllEndedAt,
	}, err
}

// ended reports whether a session has ended.
func (r *recent) ended(ctx context.Context, sessions Sessions, id string) (bool, error) {
	found, err := r.sessions.Get(ctx, sessionOf(id), func(ctx context.Context) (bool, error) {
		return sessions.Ended(ctx, id)
	})
	return found.Value, err
}

// changed forgets accounts and sessions, here and in the other replicas.
func (r *recent) changed(ctx context.Context, keys ...string) {
	r.forget(ctx, cache.Notice{Keys: keys})
	if r.announce == nil {
		return
	}
	if err := r.announce(context.WithoutCancel(ctx), keys...); err != nil {
		r.log.DebugContext(ctx, "change of an account or a session not announced; it is noticed soon", slog.Any("error", err))
	}
}

// forgetAccount forgets one account, here.
func (r *recent) forgetAccount(ctx context.Context, id string) {
	r.forget(ctx, cache.Notice{Keys: []string{accountOf(id)}})
}

// forget takes keys of other kinds, too: what is not remembered is not missed.
func (r *recent) forget(ctx context.Context, notice cache.Notice) {
	if notice.All {
		_ = errors.Join(r.accounts.ForgetAll(ctx), r.sessions.ForgetAll(ctx)) // memory never fails
		return
	}
	_ = errors.Join(r.accounts.Forget(ctx, notice.Keys...), r.sessions.Forget(ctx, notice.Keys...))
}
