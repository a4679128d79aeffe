package orphanedmedia

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/etrainer/backend/pkg/media"
	"github.com/etrainer/backend/pkg/runner"
)

// records walks over the records of a store, and finds those without a file.
// They are removed at the end, when it is known that this is the right store.
func (c check) records(ctx context.Context, store media.Store, there *idSet, found *StoreResult) error {
	for record, err := range c.Records.CreatedBefore(ctx, c.source.Name, c.cutoff) {
		if err != nil {
			return err
		}
		if !there.has(record.PublicID) {
			found.RecordsWithoutFile.add(record.PublicID, record.Bytes)
		}
		if found.Records++; found.Records%pageSize == 0 {
			if err := runner.Heartbeat(ctx); err != nil {
				return err
			}
			c.progress(1, fmt.Sprintf("%d records", found.Records))
		}
	}
	if !c.remove || found.RecordsWithoutFile.Count == 0 {
		return nil
	}
	if found.RecordsWithoutFile.Count == found.Records {
		return runner.Permanent(fmt.Errorf("none of the %d recorded files is in the store %s, so nothing was removed: it seems to be another folder or account than the api's",
			found.Records, c.source.Name))
	}
	return c.removeRecords(ctx, store, there, found)
}

// removeRecords walks once more, since the first walk kept no more than it
// reports, and asks the store for each file before its record goes.
func (c check) removeRecords(ctx context.Context, store media.Store, there *idSet, found *StoreResult) error {
	for record, err := range c.Records.CreatedBefore(ctx, c.source.Name, c.cutoff) {
		if err != nil {
			return err
		}
		if there.has(record.PublicID) {
			continue
		}
		if err := runner.Heartbeat(ctx); err != nil {
			return err
		}
		if _, err := store.Info(ctx, record.Ref); !errors.Is(err, media.ErrNotFound) {
			if err != nil {
				return err
			}
			continue // it is there after all
		}
		if err := c.Records.Remove(ctx, record.PublicID); err != nil {
			return err
		}
		found.RecordsWithoutFile.Removed++
		runner.Logger(ctx).InfoContext(ctx, "record without a file removed", slog.String("public_id", record.PublicID), slog.String("owner", record.Owner))
	}
	return nil
}
