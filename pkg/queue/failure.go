package queue

import (
	"errors"
	"fmt"

	"github.com/etrainer/backend/pkg/errs"
)

func enqueueError(err error, request Request) error {
	if errors.Is(err, ErrKeyReused) {
		return errs.Wrap(errs.Conflict, err,
			"Idempotency-Key was used before for a different request; send a new key, or repeat the first request unchanged")
	}
	if errors.Is(err, ErrRefused) {
		return &errs.Error{
			Kind: errs.KindInvalid, Field: "data", Err: err,
			Message: "data has a shape that the database does not store, such as keys or arrays that are nested too deeply; send it flatter, or as text",
		}
	}
	return fmt.Errorf("enqueue %q: %w", request.Name, err)
}
