// Package examcleanup is the job "cleanup old exam histories": it moves exam
// results that are older than their retention into the collection
// examhistories_archive, page by page. Each page is archived before it is
// removed, so nothing is lost whenever the run is cut off, and running again
// goes on with what is left.
//
// A result is old when it was stored (createdAt) and finished (endTime) before
// the cutoff; where endTime is no date, createdAt decides alone. So a result
// that was synchronised late is kept for its whole retention, and so is one from
// a phone whose clock was wrong. A result without a readable createdAt is never
// moved. Whatever stands in isImportant keeps a result, except null and false.
//
// The Node backend deleted everything that was stored more than six months ago,
// in one command, without a copy.
package examcleanup

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/etrainer/backend/pkg/catalog"
	"github.com/etrainer/backend/pkg/runner"
)

// Result is what a run tells. The first key is that of the Node backend's
// result.
type Result struct {
	DeletedCount    int64            `json:"deletedCount"`  // removed from examhistories; all are in the archive
	ArchivedCount   int64            `json:"archivedCount"` // written to the archive
	OldCount        int64            `json:"oldCount"`      // results that were found to be old; in a dry run, what would be moved
	DryRun          bool             `json:"dryRun"`
	RetentionMonths int              `json:"retentionMonths"`
	Cutoff          time.Time        `json:"cutoff"`  // results from before it are old
	Kept            map[string]int64 `json:"kept"`    // older than the cutoff and kept, by reason
	Skipped         map[string]int64 `json:"skipped"` // could not be judged or moved, by reason
}

// The reasons in a Result.
const (
	KeptImportant    = "isImportant is set"
	KeptEndedLater   = "endTime is after the cutoff"
	KeptChanged      = "changed while it was moved"
	SkippedCreatedAt = "createdAt is not a date"
)

// Page is a number of results that are stored before the cutoff.
type Page struct {
	// Old may be moved; each is a whole document.
	Old []Document
	// EndedLater counts those that were finished after the cutoff.
	EndedLater int64
}

// Document is one result as it is stored: BSON.
type Document []byte

// Moved is what became of a page.
type Moved struct {
	Archived, Deleted int64
	// Refused counts, by reason, those that the archive did not take. They
	// stay where they are.
	Refused map[string]int64
}

// Store is what the job reads and writes.
type Store interface {
	// Stored counts the results that were stored before the cutoff and may be
	// moved, and those that are kept as important.
	Stored(ctx context.Context, before time.Time) (movable, important int64, err error)
	// Undated counts the results without a readable createdAt.
	Undated(ctx context.Context) (int64, error)
	// Old calls visit with each page of results stored before the cutoff.
	Old(ctx context.Context, before time.Time, visit func(context.Context, Page) error) error
	// Move archives documents and then removes them, unless they have been
	// changed so that they are kept.
	Move(ctx context.Context, documents []Document, before, at time.Time) (Moved, error)
}

// Options are what the job needs.
type Options struct {
	Store Store
	// RetentionMonths is how long results stay; below
	// catalog.MinExamRetentionMonths the job refuses to run.
	RetentionMonths int
	// Zone is where months are counted.
	Zone *time.Location
	// Now is the clock.
	Now func() time.Time
}

// New returns the handler.
func New(o Options) runner.Handler {
	return runner.Handle(catalog.ExamCleanup, func(ctx context.Context, j runner.Job[catalog.ExamCleanupPayload]) (Result, error) {
		months := j.Payload.RetentionMonths
		if months == 0 {
			months = o.RetentionMonths
		}
		if months < catalog.MinExamRetentionMonths {
			return Result{}, runner.Permanent(fmt.Errorf("a retention of %d months is too short; set EXAM_HISTORY_RETENTION_MONTHS to %d or more",
				months, catalog.MinExamRetentionMonths))
		}
		// The plan decides and not the clock, so that every attempt has the same cutoff.
		c := cleanup{Options: o, result: Result{
			DryRun: j.Payload.DryRun, RetentionMonths: months, Cutoff: cutoff(j.Tick.In(o.Zone), months).UTC(),
			Kept: map[string]int64{}, Skipped: map[string]int64{},
		}}
		err := c.run(ctx)
		return c.result, err
	})
}

// cleanup is one run.
type cleanup struct {
	Options
	result  Result
	movable int64 // as counted before, for the progress
	seen    int64
}

func (c *cleanup) run(ctx context.Context) error {
	if err := c.count(ctx); err != nil {
		return err
	}
	if err := c.Store.Old(ctx, c.result.Cutoff, c.page); err != nil {
		return fmt.Errorf("move results from before %s: %w", c.result.Cutoff.Format(time.RFC3339), err)
	}
	runner.Progress(ctx, 100, c.done())
	runner.Logger(ctx).InfoContext(ctx, "looked at every old result", slog.Int64("old", c.result.OldCount), slog.Int64("deleted", c.result.DeletedCount))
	return nil
}

// count tells what there is, and what will be left alone and why.
func (c *cleanup) count(ctx context.Context) error {
	movable, important, err := c.Store.Stored(ctx, c.result.Cutoff)
	if err != nil {
		return fmt.Errorf("count old results: %w", err)
	}
	undated, err := c.Store.Undated(ctx)
	if err != nil {
		return fmt.Errorf("count results without a date: %w", err)
	}
	c.movable = movable
	add(c.result.Kept, KeptImportant, important)
	add(c.result.Skipped, SkippedCreatedAt, undated)
	runner.Logger(ctx).InfoContext(ctx, "looking for old results", slog.Time("cutoff", c.result.Cutoff),
		slog.Int64("stored_before", movable), slog.Int64("important", important), slog.Bool("dry_run", c.result.DryRun))
	return nil
}

// page handles one page. The lease is checked first: a run that was cancelled
// or has lost its lease stops between pages.
func (c *cleanup) page(ctx context.Context, page Page) error {
	if err := runner.Heartbeat(ctx); err != nil {
		return err
	}
	add(c.result.Kept, KeptEndedLater, page.EndedLater)
	c.result.OldCount += int64(len(page.Old))
	c.seen += int64(len(page.Old)) + page.EndedLater
	if !c.result.DryRun && len(page.Old) > 0 {
		moved, err := c.Store.Move(ctx, page.Old, c.result.Cutoff, c.Now())
		if err != nil {
			return err
		}
		c.result.ArchivedCount += moved.Archived
		c.result.DeletedCount += moved.Deleted
		add(c.result.Kept, KeptChanged, moved.Archived-moved.Deleted)
		for reason, n := range moved.Refused {
			add(c.result.Skipped, reason, n)
			runner.Logger(ctx).WarnContext(ctx, "results not archived, and so not removed", slog.String("reason", reason), slog.Int64("count", n))
		}
	}
	runner.Progress(ctx, float64(c.seen)*100/float64(max(c.movable, c.seen)), fmt.Sprintf("%d of %d results", c.seen, max(c.movable, c.seen)))
	return nil
}

func (c *cleanup) done() string {
	if c.result.DryRun {
		return "dry run: nothing was changed"
	}
	return "old results moved to the archive"
}

// add counts a reason that occurred.
func add(counts map[string]int64, reason string, n int64) {
	if n > 0 {
		counts[reason] += n
	}
}
