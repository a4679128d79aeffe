// Package backup is the job "backup critical data": it copies every collection
// to where backups are kept, and removes the backups that the retention no
// longer wants. How a backup is made is in worker/internal/backup.
//
// The Node backend counted the documents of four collections and wrote nothing.
// Here a collection that cannot be copied fails the job, and nothing of that
// backup stays. A run that is started again after a crash begins anew, since
// half of one moment and half of another are no backup; one that had finished
// is not made twice.
package backup

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/etrainer/backend/pkg/catalog"
	"github.com/etrainer/backend/pkg/runner"
	"github.com/etrainer/backend/pkg/version"
	"github.com/etrainer/backend/worker/internal/backup"
)

// Options are what the job needs.
type Options struct {
	// Source is the database.
	Source backup.Source
	// Open gives the place that keeps the backups. Its error fails the job for
	// good: the configuration has to be mended.
	Open func() (backup.Store, error)
	// Recipients, Exclude and Retention are as in package backup.
	Recipients backup.Recipients
	Exclude    []string
	Retention  backup.Retention
	// Now is the clock.
	Now func() time.Time
}

// Result is what a run tells. The first two keys are those of the Node
// backend's result.
type Result struct {
	BackupResults []CollectionResult `json:"backupResults"`
	Timestamp     time.Time          `json:"timestamp"` // when the backup started

	Name        string `json:"name"`
	Path        string `json:"path"`        // a directory, or s3://bucket/key
	Documents   int64  `json:"documents"`   // of all collections
	Bytes       int64  `json:"bytes"`       // as stored
	SHA256      string `json:"sha256"`      // of manifest.json, which has those of all files
	Consistent  bool   `json:"consistent"`  // read at one point in time
	Consistency string `json:"consistency"` // how, or why not
	Encrypted   bool   `json:"encrypted"`

	Excluded      []string `json:"excluded,omitempty"`      // collections left out by configuration
	Reused        bool     `json:"reused,omitempty"`        // an earlier attempt of this run made it
	Removed       []string `json:"removed"`                 // older backups, by the retention
	RemoveFailure string   `json:"removeFailure,omitempty"` // why some could not be removed
}

// CollectionResult is one collection in a Result.
type CollectionResult struct {
	Collection string `json:"collection"`
	Count      int64  `json:"count"`
	Bytes      int64  `json:"bytes"`            // of its documents, as stored
	SHA256     string `json:"sha256,omitempty"` // of that file; none for a view
}

// New returns the handler.
func New(o Options) runner.Handler {
	return runner.Handle(catalog.Backup, func(ctx context.Context, j runner.Job[catalog.BackupPayload]) (Result, error) {
		store, err := o.Open()
		if err != nil {
			return Result{}, runner.Permanent(err)
		}
		made, err := backup.Create(ctx, o.Source, store, backup.CreateOptions{
			Recipients: o.Recipients, Exclude: o.Exclude, Product: version.Version, Now: o.Now,
			Run: j.ID.Hex() + "@" + j.Tick.UTC().Format(time.RFC3339Nano), RunSince: j.Tick,
			Log: runner.Logger(ctx), Progress: func(percent float64, message string) { runner.Progress(ctx, percent, message) },
		})
		if err != nil {
			return Result{}, err
		}
		result := resultOf(made)
		if err := runner.Heartbeat(ctx); err != nil {
			return Result{}, fmt.Errorf("before old backups are removed: %w", err)
		}
		result.prune(ctx, store, o)
		runner.Progress(ctx, 100, "backup stored at "+made.Location)
		return result, nil
	})
}

// prune removes old backups. A failure is told, and does not fail the job: the
// new backup is there.
func (r *Result) prune(ctx context.Context, store backup.Store, o Options) {
	log := runner.Logger(ctx)
	removed, err := backup.Prune(ctx, store, o.Source.Database(), o.Retention, o.Now())
	for _, name := range removed {
		log.InfoContext(ctx, "old backup removed", slog.String("backup", name))
	}
	r.Removed = append(r.Removed, removed...)
	if err != nil {
		r.RemoveFailure = err.Error()
		log.ErrorContext(ctx, "old backups not removed", slog.Any("error", err))
	}
}

func resultOf(made backup.Created) Result {
	r := Result{
		Timestamp: made.Started, Name: made.Name, Path: made.Location, Documents: made.Documents, Bytes: made.Bytes, SHA256: made.SHA256,
		Consistent: made.Consistent, Consistency: made.Consistency, Encrypted: made.Encrypted,
		Excluded: made.Excluded, Reused: made.Reused, Removed: []string{}, BackupResults: []CollectionResult{},
	}
	for _, c := range made.Collections {
		one := CollectionResult{Collection: c.Name, Count: c.Documents}
		if c.Data != nil {
			one.Bytes, one.SHA256 = c.Data.Bytes, c.Data.SHA256
		}
		r.BackupResults = append(r.BackupResults, one)
	}
	return r
}
