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
	return fmt.Errorf("enqueue %q: %w", request.Name, err)
}
