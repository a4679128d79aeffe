package auth

import (
	"errors"
	"sync/atomic"

	"golang.org/x/crypto/bcrypt"
)

// What the tests of single rules reach.
var (
	Sanitise   = sanitise
	ValidEmail = validEmail
)

// CountRounds returns what tells how many rounds of bcrypt were worked.
func (p *Passwords) CountRounds() (rounds func() int64) {
	var worked atomic.Int64
	compare := p.compare
	p.compare = func(hash, password []byte) error {
		err := compare(hash, password)
		if err == nil || errors.Is(err, bcrypt.ErrMismatchedHashAndPassword) {
			cost, _ := bcrypt.Cost(hash)
			worked.Add(1 << cost)
		}
		return err
	}
	return worked.Load
}

// Occupy takes every place in the line of passwords.
func (p *Passwords) Occupy() (release func()) {
	for range cap(p.slots) {
		p.slots <- struct{}{}
	}
	return func() {
		for range cap(p.slots) {
			<-p.slots
		}
	}
}
