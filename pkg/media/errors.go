package media

import (
	"errors"
	"fmt"
	"time"
)

// ErrNotFound means that the store or the records have no such file.
var ErrNotFound = errors.New("no such file")

// UnavailableError means that the store is away, overloaded, or limits us.
type UnavailableError struct {
	Store      string
	RetryAfter time.Duration // when to try again; 0 = unknown
	Sent       bool          // the file of a Put may have come there nevertheless
	Err        error
}

// Error implements error.
func (e *UnavailableError) Error() string {
	return fmt.Sprintf("%s is unavailable: %v", e.Store, e.Err)
}

// Unwrap returns the cause.
func (e *UnavailableError) Unwrap() error { return e.Err }

// RefusedError means that the file or the request is at fault. Reason is fit
// for users.
type RefusedError struct{ Reason string }

// Error implements error.
func (e *RefusedError) Error() string { return e.Reason }
