package auth

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"unicode/utf8"

	"golang.org/x/crypto/bcrypt"

	"github.com/etrainer/backend/pkg/errs"
)

// maxPasswordBytes is how much of a password bcrypt uses. The library of the
// Node backend cut longer ones off silently, so the hashes that it made are of
// the first 72 bytes; Go's refuses to hash more.
const maxPasswordBytes = 72

// digested begins the hash of a longer password that was chosen here: bcrypt's of
// its SHA-256, so that all of it counts. What follows is the hash as bcrypt writes
// it. Node, which cannot check such a password, finds no hash there and refuses it.
const digested = "sha256"

// maxAlteredBytes is the longest password that the Node backend can have
// altered: it registered 128 characters at most.
const maxAlteredBytes = 128 * utf8.UTFMax

// busy is what a client reads whose request ended before its turn came.
const busy = "Too many logins at once. Please try again."

// Passwords hashes and checks passwords. At most one per processor is worked
// on at a time, since each takes tens of milliseconds of one.
type Passwords struct {
	cost    int
	slots   chan struct{}
	compare func(hash, password []byte) error // bcrypt's
}

// NewPasswords returns a Passwords that makes hashes of a bcrypt cost.
func NewPasswords(cost int) *Passwords {
	return &Passwords{cost: cost, slots: make(chan struct{}, runtime.GOMAXPROCS(0)), compare: bcrypt.CompareHashAndPassword}
}

// Hash returns the bcrypt hash of a password, with the prefix that the library
// of the Node backend writes: one that it can check, unless the password is longer
// than bcrypt can tell apart.
func (p *Passwords) Hash(ctx context.Context, password string) (string, error) {
	if len(password) > maxPasswordBytes {
		hash, err := p.hash(ctx, digest(password))
		return digested + hash, err
	}
	return p.hash(ctx, []byte(password))
}

// hash returns the bcrypt hash of what bcrypt can tell apart.
func (p *Passwords) hash(ctx context.Context, password []byte) (string, error) {
	var hash []byte
	err := p.work(ctx, func() (err error) {
		hash, err = bcrypt.GenerateFromPassword(password, p.cost)
		return err
	})
	if err != nil {
		return "", fmt.Errorf("hash a password: %w", err)
	}
	return "$2b$" + strings.TrimPrefix(string(hash), "$2a$"), nil
}

// digest is what stands for a long password. It is text, since bcrypt libraries
// stop at a zero byte.
func digest(password string) []byte {
	sum := sha256.Sum256([]byte(password))
	return base64.StdEncoding.AppendEncode(nil, sum[:])
}

// Check reports whether a password belongs to a hash. It tries the password as
// it came, then as the Node backend altered it before hashing (see sanitise).
// hash "" is that of nobody: it takes the same time, and the answer is false.
//
// dearer is a hash to be stored instead, of the same form of the password, when
// the stored one cost less than new ones do; else it is "".
func (p *Passwords) Check(ctx context.Context, hash, password string) (ok bool, dearer string, err error) {
	hash, isDigested := strings.CutPrefix(hash, digested)
	for _, form := range forms(password) {
		hashed := cut(form)
		if isDigested {
			hashed = digest(form)
		}
		err := p.work(ctx, func() error {
			ok = p.matches([]byte(hash), hashed)
			return nil
		})
		if err != nil {
			return false, "", fmt.Errorf("check a password: %w", err)
		}
		if ok {
			return true, p.dearer(ctx, hash, hashed, isDigested), nil
		}
	}
	return false, "", nil
}

// matches takes the same time for every hash that does not match: that of one
// of the configured cost. The rounds of a cheaper one of cost k, and of decoys
// of cost k, k+1, … below the configured cost, add up to as many.
func (p *Passwords) matches(hash, password []byte) bool {
	switch err := p.compare(hash, password); {
	case err == nil:
		return true
	case errors.Is(err, bcrypt.ErrMismatchedHashAndPassword):
		cost, _ := bcrypt.Cost(hash) // it was just read
		for ; cost < p.cost; cost++ {
			_ = p.compare(decoy(cost), password)
		}
	default: // nobody's, or what is stored is no bcrypt hash
		_ = p.compare(decoy(p.cost), password)
	}
	return false
}

// decoy is a well-formed hash of nothing: checking against it takes as long as
// against a real one, and never succeeds.
func decoy(cost int) []byte { return fmt.Appendf(nil, "$2b$%02d$%s", cost, strings.Repeat("x", 53)) }

// dearer makes a hash of the same, which who could check the old one can check.
func (p *Passwords) dearer(ctx context.Context, hash string, hashed []byte, isDigested bool) string {
	if cost, err := bcrypt.Cost([]byte(hash)); err != nil || cost >= p.cost {
		return ""
	}
	dearer, err := p.hash(ctx, hashed)
	switch {
	case err != nil: // the line was long; the next login makes it
		return ""
	case isDigested:
		return digested + dearer
	default:
		return dearer
	}
}

func forms(password string) []string {
	if len(password) <= maxAlteredBytes {
		if altered := sanitise(password); altered != password {
			return []string{password, altered}
		}
	}
	return []string{password}
}

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
