package mongodb

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/cenkalti/backoff/v5"
	"go.mongodb.org/mongo-driver/v2/mongo"
)

// Persist is for what a program does with the database before it runs: it calls
// do again, with the pauses of Connect, for as long as the database is away. A
// failure for another reason is returned at once, and that of a client that is
// closed too. Each call has DefaultAttemptTimeout.
func Persist(ctx context.Context, log *slog.Logger, do func(context.Context) error) error {
	var last error
	attempt := 0
	_, err := backoff.Retry(ctx, func() (struct{}, error) {
		attempt++
		within, cancel := context.WithTimeout(ctx, DefaultAttemptTimeout)
		defer cancel()
		switch last = do(within); {
		case last == nil:
			return struct{}{}, nil
		case !IsUnavailable(last), errors.Is(last, mongo.ErrClientDisconnected):
			return struct{}{}, backoff.Permanent(last)
		case ctx.Err() == nil:
			log.WarnContext(ctx, "MongoDB does not answer", slog.Int("attempt", attempt), slog.Any("error", last))
		}
		return struct{}{}, last
	}, backoff.WithMaxElapsedTime(0), backoff.WithBackOff(pauses()))
	if err != nil && !errors.Is(last, err) {
		return fmt.Errorf("gave up after %d attempts: %w: %w", attempt, err, last)
	}
	return err
}
