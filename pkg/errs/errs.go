package errs

import (
	"errors"
	"fmt"
)

// Error is a failure that a user may learn of.
type Error struct {
	// Kind decides the status.
	Kind Kind
	// Field is the input at fault, as the user spelled it: a JSON field, a
	// parameter, a header. "" = none in particular.
	Field string
	// Message is one sentence that is safe for users: what is wrong, and what
	// mends it. It never holds secrets or internal text.
	Message string
	// Err is the internal cause. It is for logs, never for users. nil = none.
	Err error
}

// New returns an Error of a kind with a message that is safe for users.
func New(kind Kind, message string) *Error {
	return &Error{Kind: kind, Message: message}
}

// Newf is New with a format. It wraps nothing: use Wrap for a cause.
func Newf(kind Kind, format string, args ...any) *Error {
	return New(kind, fmt.Sprintf(format, args...))
}

// Invalid returns an Error of KindInvalid about one field of the input.
func Invalid(field, format string, args ...any) *Error {
	return &Error{Kind: KindInvalid, Field: field, Message: fmt.Sprintf(format, args...)}
}

// Wrap returns an Error with an internal cause, which errors.Is and errors.As
// still find.
func Wrap(kind Kind, err error, message string) *Error {
	return &Error{Kind: kind, Message: message, Err: err}
}

// Error returns the message with the cause, for logs. Users get MessageOf.
func (e *Error) Error() string {
	switch {
	case e.Err == nil:
		return e.Message
	case e.Message == "":
		return e.Err.Error()
	default:
		return e.Message + ": " + e.Err.Error()
	}
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// KindOf returns the kind of the outermost Error in the chain, and Internal
// when there is none.
func KindOf(err error) Kind {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Kind
	}
	return Internal
}

// MessageOf returns the sentence that a user may see, and "" for Internal
// failures, about which a user learns nothing.
func MessageOf(err error) string {
	if e, ok := errors.AsType[*Error](err); ok && e.Kind != Internal {
		return e.Message
	}
	return ""
}

// FieldOf returns the input at fault, and "" when there is none in particular
// or the failure is Internal.
func FieldOf(err error) string {
	if e, ok := errors.AsType[*Error](err); ok && e.Kind != Internal {
		return e.Field
	}
	return ""
}
