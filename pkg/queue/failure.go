package queue

import (
	"errors"
	"fmt"

	"github.com/etrainer/backend/pkg/errs"
)

// KeyReusedError says by what a request differs from the first one with its
// idempotency key. It is an [ErrKeyReused].
type KeyReusedError struct {
	Field string // "name", or a path such as "data.user.id"
}

// Error implements error.
func (e *KeyReusedError) Error() string { return ErrKeyReused.Error() + ": " + e.Field + " differs" }

// Is makes it an ErrKeyReused.
func (e *KeyReusedError) Is(target error) bool { return target == ErrKeyReused }

func enqueueError(err error, request Request) error {
	if reused, ok := errors.AsType[*KeyReusedError](err); ok {
		return errs.Wrap(errs.Conflict, err, fmt.Sprintf(
			"Idempotency-Key was used before for a different request: %s is another one; send a new key, or repeat the first request unchanged",
			errs.Shorten(reused.Field)))
	}
	if errors.Is(err, ErrRefused) {
		return &errs.Error{
			Kind: errs.KindInvalid, Field: "data", Err: err,
			Message: "data has a shape that the database does not store, such as keys or arrays that are nested too deeply; send it flatter, or as text",
		}
	}
	return fmt.Errorf("enqueue %q: %w", request.Name, err)
}
