package ledger

import (
	"context"
	"time"
)

// State is how a key stands.
type State string

// The states of a key.
const (
	// Free: the effect has not been made. Only as the state to settle with: it
	// gives the claim back.
	Free State = "free"
	// Mine: this holder has just claimed the key, and makes the effect.
	Mine State = "mine"
	// Claimed: another holder claimed it and has not settled; perhaps it died.
	Claimed State = "claimed"
	// Done: the effect was made.
	Done State = "done"
	// Failed: it was tried, and cannot be made.
	Failed State = "failed"
)

// Policy is what happens to claims that were never settled.
type Policy struct{ takeOverAfter time.Duration }

// AtMostOnce leaves them claimed: their effects are never made again.
func AtMostOnce() Policy { return Policy{} }

// AtLeastOnce lets another holder take them over when they are older than
// after.
func AtLeastOnce(after time.Duration) Policy {
	return Policy{takeOverAfter: max(after, time.Millisecond)}
}

// TakeOverAfter returns the age at which claims may be taken over; 0 = never.
func (p Policy) TakeOverAfter() time.Duration { return p.takeOverAfter }

// Claim asks for keys.
type Claim struct {
	Holder string        // who asks; different for every attempt of a run
	Keys   []string      // each once
	Policy Policy        // for claims of others
	Keep   time.Duration // how long the entries are kept, at least
}

// Settlement ends one claim.
type Settlement struct {
	Key    string
	State  State  // Done, Failed or Free
	Reason string // why it failed; "" = nothing to say
}

// Ledger is the port to the place where entries are kept.
type Ledger interface {
	// Claim returns the state of each key, in order. A key that the same
	// holder claimed before and has not settled is Mine again, so that a call
	// whose answer was lost can be repeated.
	Claim(ctx context.Context, claim Claim) ([]State, error)
	// Settle ends claims of a holder. Those that are not its own any more are
	// left alone.
	Settle(ctx context.Context, holder string, settlements []Settlement) error
	// Purge removes the entries whose time has passed, and returns how many.
	Purge(ctx context.Context) (int64, error)
}
