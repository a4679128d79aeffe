package auth

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"

	"golang.org/x/crypto/bcrypt"

	"github.com/etrainer/backend/pkg/errs"
)

// maxPasswordBytes is how much of a password bcrypt uses. The library of the
// Node backend cut longer ones off silently, so the hashes that it made are of
// the first 72 bytes; Go's refuses to hash more.
const maxPasswordBytes = 72

// busy is what a client reads whose request ended before its turn came.
const busy = "Too many logins at once. Please try again."

// Passwords hashes and checks passwords. At most one per processor is worked
// on at a time, since each takes tens of milliseconds of one.
type Passwords struct {
	cost  int
	slots chan struct{}
	decoy []byte
}

// NewPasswords returns a Passwords that makes hashes of a bcrypt cost.
func NewPasswords(cost int) *Passwords {
	return &Passwords{
		cost:  cost,
		slots: make(chan struct{}, runtime.GOMAXPROCS(0)),
		// A well-formed hash of nothing: checking against it takes as long as
		// against a real one, and never succeeds.
		decoy: fmt.Appendf(nil, "$2b$%02d$%s", cost, strings.Repeat("x", 53)),
	}
}

// Hash returns the bcrypt hash of a password.
func (p *Passwords) Hash(ctx context.Context, password string) (string, error) {
	var hash []byte
	err := p.work(ctx, func() (err error) {
		hash, err = bcrypt.GenerateFromPassword(cut(password), p.cost)
		return err
	})
	if err != nil {
		return "", fmt.Errorf("hash a password: %w", err)
	}
	return string(hash), nil
}

// Check reports whether a password belongs to a hash. It tries the password as
// it came, then as the Node backend altered it before hashing (see sanitise).
// hash "" is that of nobody: it takes the same time, and the answer is false.
func (p *Passwords) Check(ctx context.Context, hash, password string) (bool, error) {
	stored := []byte(hash)
	if hash == "" {
		stored = p.decoy
	}
	for i, form := range forms(password) {
		if i > 0 && form == password {
			break
		}
		err := p.work(ctx, func() error { return bcrypt.CompareHashAndPassword(stored, cut(form)) })
		switch {
		case err == nil:
			return hash != "", nil
		case errors.Is(err, bcrypt.ErrMismatchedHashAndPassword):
		case errs.KindOf(err) == errs.Unavailable:
			return false, fmt.Errorf("check a password: %w", err)
		default: // what is stored is no bcrypt hash, so nothing matches it
			return false, nil
		}
	}
	return false, nil
}

func forms(password string) [2]string { return [2]string{password, sanitise(password)} }

func (p *Passwords) work(ctx context.Context, task func() error) error {
	select {
	case p.slots <- struct{}{}:
		defer func() { <-p.slots }()
		return task()
	case <-ctx.Done():
		return errs.Wrap(errs.Unavailable, ctx.Err(), busy)
	}
}

func cut(password string) []byte {
	return []byte(password)[:min(len(password), maxPasswordBytes)]
}
