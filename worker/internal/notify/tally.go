package notify

import (
	"fmt"
	"log/slog"

	"github.com/etrainer/backend/pkg/push"
)

// Tally counts what became of recipients. It is part of the results of the
// jobs that notify.
type Tally struct {
	// SentCount is the users whose push message a provider took, in this
	// attempt. (The key is the Node backend's.)
	SentCount int `json:"sentCount"`
	// InAppCount is the notifications stored in the app, in this attempt.
	InAppCount int `json:"inAppCount"`
	// WithoutDevice is the users with no push token: told in the app only.
	WithoutDevice int `json:"withoutDevice"`
	// AlreadyDone is the users that an earlier run had told.
	AlreadyDone int `json:"alreadyDone"`
	// Uncertain is the users of whom nobody knows whether the push message
	// arrived: an earlier run died while it was on its way, or the provider's
	// answer was lost. They are not pushed again.
	Uncertain int `json:"uncertain"`
	// DeadTokensRemoved is the tokens that a provider no longer knows.
	DeadTokensRemoved int `json:"deadTokensRemoved"`
	// Failures counts the users whose push message was not sent, by reason.
	Failures map[string]int `json:"failures"`
	// BadRows counts what was found in the database and cannot be right, by
	// kind.
	BadRows map[string]int `json:"badRows"`

	tried, unsent int
}

// NewTally returns an empty Tally.
func NewTally() Tally { return Tally{Failures: map[string]int{}, BadRows: map[string]int{}} }

// Add adds another tally.
func (t *Tally) Add(other Tally) {
	t.SentCount += other.SentCount
	t.InAppCount += other.InAppCount
	t.WithoutDevice += other.WithoutDevice
	t.AlreadyDone += other.AlreadyDone
	t.Uncertain += other.Uncertain
	t.DeadTokensRemoved += other.DeadTokensRemoved
	t.tried += other.tried
	t.unsent += other.unsent
	for reason, n := range other.Failures {
		t.Failures[reason] += n
	}
	for kind, n := range other.BadRows {
		t.BadRows[kind] += n
	}
}

// Bad counts bad rows.
func (t *Tally) Bad(kinds ...string) {
	for _, kind := range kinds {
		t.BadRows[kind]++
	}
}

// Down reports that most push messages could not be sent, for reasons that
// may pass: the providers are away, and going on is of no use.
func (t *Tally) Down() bool { return t.unsent > 0 && 2*t.unsent > t.tried }

// Later returns an error when messages could not be sent for reasons that may
// pass and this is not the last attempt: the next one sends them. On the last
// attempt they are failures like others.
func (t *Tally) Later(attempt, attempts int) error {
	if t.unsent == 0 || attempt >= attempts {
		return nil
	}
	return fmt.Errorf("%d of %d push messages could not be sent now (%v); the next attempt sends them", t.unsent, t.tried, t.Failures)
}

// LogValue is the tally in a log line.
func (t Tally) LogValue() slog.Value {
	return slog.GroupValue(
		slog.Int("sent", t.SentCount), slog.Int("in_app", t.InAppCount), slog.Int("without_device", t.WithoutDevice),
		slog.Int("already_done", t.AlreadyDone), slog.Int("uncertain", t.Uncertain),
		slog.Any("failures", t.Failures), slog.Any("bad_rows", t.BadRows),
	)
}

// count adds the outcome of one push message.
func (t *Tally) count(o push.Outcome) {
	switch {
	case o.Reason == push.NoDevice:
		t.WithoutDevice++
		return
	case o.Accepted():
		t.SentCount++
	case o.Reason == push.Uncertain:
		t.Uncertain++
		t.Failures[string(o.Reason)]++
	default:
		t.Failures[string(o.Reason)]++
	}
	t.tried++
	if o.Reason.Temporary() {
		t.unsent++
	}
}
