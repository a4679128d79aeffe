package orphanedmedia

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/etrainer/backend/pkg/media"
	"github.com/etrainer/backend/pkg/runner"
)

// pageSize is how many files or records are looked up at once. The run can be
// cancelled between two pages.
const pageSize = 500

// files walks over a store, finds files without a record, and returns which
// files there are.
func (c check) files(ctx context.Context, store media.Store, found *StoreResult) (*idSet, error) {
	there := newIDSet()
	page := make([]media.Asset, 0, pageSize)
	look := func() error {
		err := c.lookUp(ctx, store, page, found)
		page = page[:0]
		c.progress(0, fmt.Sprintf("%d files", found.Files))
		return err
	}
	for asset, err := range store.All(ctx) {
		if err != nil {
			return nil, err
		}
		there.add(asset.PublicID)
		found.Files++
		if !media.Own(asset.PublicID) {
			found.Foreign++
			continue
		}
		if !asset.CreatedAt.Before(c.cutoff) {
			continue
		}
		if page = append(page, asset); len(page) == pageSize {
			if err := look(); err != nil {
				return nil, err
			}
		}
	}
	if err := look(); err != nil {
		return nil, err
	}
	there.seal()
	return there, nil
}

// lookUp asks for the records of a page of files.
func (c check) lookUp(ctx context.Context, store media.Store, page []media.Asset, found *StoreResult) error {
	if err := runner.Heartbeat(ctx); err != nil {
		return err
	}
	ids := make([]string, len(page))
	for i, asset := range page {
		ids[i] = asset.PublicID
	}
	known, err := c.Records.Known(ctx, ids)
	if err != nil {
		return err
	}
	for _, asset := range page {
		if known[asset.PublicID] {
			continue
		}
		found.FilesWithoutRecord.add(asset.PublicID, asset.Bytes)
		if !c.remove {
			continue
		}
		if err := store.Delete(ctx, asset.Ref); err != nil && !errors.Is(err, media.ErrNotFound) {
			return err
		}
		found.FilesWithoutRecord.Removed++
		runner.Logger(ctx).InfoContext(ctx, "file without a record removed", slog.String("public_id", asset.PublicID), slog.Int64("bytes", asset.Bytes))
	}
	return nil
}
