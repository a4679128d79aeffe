package runner

import (
	"errors"
	"fmt"
	"time"
)

// The reasons for which a handler's context ends, as context.Cause tells.
var (
	// ErrLeaseLost: another worker may run the job now; nothing that this
	// run returns is recorded.
	ErrLeaseLost = errors.New("the lease of this run was lost")
	// ErrCancelled: somebody asked for the job to be cancelled.
	ErrCancelled = errors.New("the job was cancelled")
	// ErrTimeout: the run took longer than its definition allows.
	ErrTimeout = errors.New("the run timed out")
	// ErrStopping: the worker is stopping and the grace time has passed. The
	// run is handed back and will be continued elsewhere.
	ErrStopping = errors.New("the worker is stopping")
)

type verdict struct {
	kind   verdictKind
	after  time.Duration
	reason error
}

type verdictKind int

const (
	snooze verdictKind = iota + 1
	discard
	cancel
	permanent
)

func (v *verdict) Error() string { return v.reason.Error() }
func (v *verdict) Unwrap() error { return v.reason }

// Snooze asks to run the job again after a time, of a second at least. It is
// not a failure and takes none of the attempts.
func Snooze(after time.Duration) error {
	return &verdict{kind: snooze, after: after, reason: fmt.Errorf("snoozed for %s", after)}
}

// Discard ends the job without a failure, because it is no longer wanted.
func Discard(reason string) error { return &verdict{kind: discard, reason: errors.New(reason)} }

// Cancel ends the job as cancelled.
func Cancel(reason string) error { return &verdict{kind: cancel, reason: errors.New(reason)} }

// Permanent fails the job for good: no further attempt is made. Of nil it is
// nil.
func Permanent(err error) error {
	if err == nil {
		return nil
	}
	return &verdict{kind: permanent, reason: err}
}
