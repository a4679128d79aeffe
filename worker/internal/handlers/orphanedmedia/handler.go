// Package orphanedmedia is the job "check orphaned media": it compares the
// stores of uploaded files with the records of who owns them, and reports
// files without a record and records without a file. A crash between the two
// steps of an upload or a delete leaves such things, and so does a store that
// went away in between.
//
// It changes nothing unless it is asked to, and never touches files of the Node
// backend, which have no record, nor anything younger than its grace.
package orphanedmedia

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/etrainer/backend/pkg/catalog"
	"github.com/etrainer/backend/pkg/media"
	"github.com/etrainer/backend/pkg/runner"
)

// Result is what a run tells.
type Result struct {
	Removed bool          `json:"removed"` // false = it was only reported
	Cutoff  time.Time     `json:"cutoff"`  // younger files and records were left alone
	Stores  []StoreResult `json:"stores"`
}

// StoreResult is what was found in one store.
type StoreResult struct {
	Store   string `json:"store"`   // local or cloudinary
	Files   int64  `json:"files"`   // looked at
	Records int64  `json:"records"` // looked at
	// Foreign are files that no api of this product has named: those of the
	// Node backend. They are kept.
	Foreign            int64   `json:"foreign"`
	FilesWithoutRecord Orphans `json:"filesWithoutRecord"`
	RecordsWithoutFile Orphans `json:"recordsWithoutFile"`
}

// Orphans is one sort of finding.
type Orphans struct {
	Count   int64    `json:"count"`
	Bytes   int64    `json:"bytes"`   // of the files, or what the records say
	Removed int64    `json:"removed"` // of them
	IDs     []string `json:"ids"`     // public ids of the first ones
}

// maxIDs is how many public ids a finding lists.
const maxIDs = 500

// Source is a store that may have files.
type Source struct {
	Name string // as in media.Record.Store
	// Open returns the store, or ErrNoStore where this worker has none of that
	// name.
	Open func() (media.Store, error)
}

// ErrNoStore means that the worker is not told of a store, or does not see it.
var ErrNoStore = errors.New("the worker has no such store")

// Options are what the job needs.
type Options struct {
	Sources []Source
	Records media.Records
	// Now is the clock.
	Now func() time.Time
}

// New returns the handler.
func New(o Options) runner.Handler {
	return runner.Handle(catalog.OrphanedMedia, func(ctx context.Context, j runner.Job[catalog.OrphanedMediaPayload]) (Result, error) {
		grace := j.Payload.GraceHours
		if grace == 0 {
			grace = catalog.DefaultMediaGrace
		}
		result := Result{
			Removed: j.Payload.Remove, Stores: []StoreResult{},
			Cutoff: o.Now().Add(-time.Duration(grace) * time.Hour).UTC(),
		}
		for i, source := range o.Sources {
			c := check{Options: o, source: source, cutoff: result.Cutoff, remove: j.Payload.Remove, progress: func(half float64, message string) {
				runner.Progress(ctx, 100*(float64(i)+half/2)/float64(len(o.Sources)), source.Name+": "+message)
			}}
			found, err := c.run(ctx)
			if err != nil {
				return result, err
			}
			if found != nil {
				result.Stores = append(result.Stores, *found)
			}
		}
		runner.Progress(ctx, 100, "every store is compared")
		return result, nil
	})
}

// check compares one store.
type check struct {
	Options
	source   Source
	cutoff   time.Time
	remove   bool
	progress func(half float64, message string)
}

// run returns what was found; nil = there is no such store, and nothing is
// missing in it.
func (c check) run(ctx context.Context) (*StoreResult, error) {
	store, err := c.source.Open()
	if errors.Is(err, ErrNoStore) {
		return nil, c.mustBeUnused(ctx, err)
	}
	if err != nil {
		return nil, fmt.Errorf("open the store %s: %w", c.source.Name, err)
	}
	found := &StoreResult{Store: c.source.Name}
	found.FilesWithoutRecord.IDs, found.RecordsWithoutFile.IDs = []string{}, []string{}
	there, err := c.files(ctx, store, found)
	if err != nil {
		return nil, err
	}
	if err := c.records(ctx, store, there, found); err != nil {
		return nil, err
	}
	level := slog.LevelInfo
	if found.FilesWithoutRecord.Count+found.RecordsWithoutFile.Count > 0 {
		level = slog.LevelWarn
	}
	runner.Logger(ctx).Log(ctx, level, "store compared with its records", slog.String("store", c.source.Name),
		slog.Int64("files", found.Files), slog.Int64("records", found.Records), slog.Int64("foreign", found.Foreign),
		slog.Int64("files_without_record", found.FilesWithoutRecord.Count), slog.Int64("records_without_file", found.RecordsWithoutFile.Count),
		slog.Int64("files_removed", found.FilesWithoutRecord.Removed), slog.Int64("records_removed", found.RecordsWithoutFile.Removed))
	return found, nil
}

// mustBeUnused fails for good when records name a store that the worker does
// not see: to find all of their files missing would be false.
func (c check) mustBeUnused(ctx context.Context, missing error) error {
	for _, err := range c.Records.CreatedBefore(ctx, c.source.Name, c.cutoff) {
		if err != nil {
			return err
		}
		return runner.Permanent(fmt.Errorf("records name the store %s: %w; give the worker the CLOUDINARY_ variables and the MEDIA_DIR of the api", c.source.Name, missing))
	}
	return nil
}

func (o *Orphans) add(id string, bytes int64) {
	o.Count++
	o.Bytes += bytes
	if len(o.IDs) < maxIDs {
		o.IDs = append(o.IDs, id)
	}
}
