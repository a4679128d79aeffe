// Package wake is the port by which processes tell each other that something
// changed in the queue, so that workers react at once instead of at their
// next poll. A signal is a hint and never the truth: it may be lost, doubled
// or late, and the database alone says what is due.
package wake

import "context"

// Kind says what changed.
type Kind string

// The kinds of signal.
const (
	Due      Kind = "due"      // a job of Name may be due now
	Cancel   Kind = "cancel"   // somebody asked for the job JobID to be cancelled
	Settings Kind = "settings" // the settings of Name changed
	Busy     Kind = "busy"     // an idle worker began to hold leases: watch its heartbeat
)

// Signal is one hint.
type Signal struct {
	Kind  Kind   `json:"kind"`
	Name  string `json:"name,omitempty"`
	JobID string `json:"jobId,omitempty"` // hex
}

// Publisher sends signals.
type Publisher interface {
	// Publish sends one signal to every subscriber in every process. An error
	// means that nobody may have heard it; the caller goes on, because
	// workers also poll.
	Publish(ctx context.Context, signal Signal) error
}

// Subscriber receives signals.
type Subscriber interface {
	// Signals returns the channel on which signals arrive. Signals that find
	// the receiver busy are dropped once the channel's buffer is full.
	Signals() <-chan Signal
	// Connected reports whether signals can arrive now. While they cannot,
	// workers poll at their shortest interval.
	Connected() bool
}

// Silent is a Publisher and Subscriber for a process without a channel to
// the others: workers find everything by polling.
type Silent struct{}

// Publish drops the signal.
func (Silent) Publish(context.Context, Signal) error { return nil }

// Signals returns a channel on which nothing ever arrives.
func (Silent) Signals() <-chan Signal { return nil }

// Connected is always false.
func (Silent) Connected() bool { return false }
