// Package indexcheck is the job "check indexes": it compares the indexes of
// the database with those that package schema declares, and reports what is
// missing, changed, unknown or unused. It changes nothing: "migrate up" does.
package indexcheck

import (
	"context"
	"log/slog"
	"time"

	"github.com/etrainer/backend/pkg/catalog"
	"github.com/etrainer/backend/pkg/runner"
)

// UnusedAfter is how long the server must have counted before an index that
// no query has used is reported: weekly jobs have had their turn twice.
const UnusedAfter = 14 * 24 * time.Hour

// Finding is one index that needs a look.
type Finding struct {
	Collection string `json:"collection"`
	Index      string `json:"index"`
	Note       string `json:"note,omitempty"` // what it serves, or why it is reported
}

// Report is the result of a check.
type Report struct {
	Collections int       `json:"collections"` // that were compared
	Missing     []Finding `json:"missing"`     // declared and not there
	Changed     []Finding `json:"changed"`     // there with other options or keys
	Impossible  []Finding `json:"impossible"`  // declared, and the engine cannot make them
	Unknown     []Finding `json:"unknown"`     // there and not declared
	Unused      []Finding `json:"unused"`      // no query used them on the server that answered
	// UsageKnown reports that the engine counts how often an index is used;
	// Unused is empty otherwise.
	UsageKnown bool `json:"usageKnown"`
}

// Store looks at the database.
type Store interface {
	Check(ctx context.Context, now time.Time) (Report, error)
}

// New returns the handler.
func New(store Store, now func() time.Time) runner.Handler {
	return runner.Handle(catalog.IndexCheck, func(ctx context.Context, _ runner.Job[catalog.IndexCheckPayload]) (Report, error) {
		report, err := store.Check(ctx, now())
		if err != nil {
			return Report{}, err
		}
		log := runner.Logger(ctx)
		for _, missing := range report.Missing {
			log.WarnContext(ctx, "an index is missing; run: migrate up",
				slog.String("collection", missing.Collection), slog.String("index", missing.Index), slog.String("serves", missing.Note))
		}
		for _, unused := range report.Unused {
			log.InfoContext(ctx, "no query used an index",
				slog.String("collection", unused.Collection), slog.String("index", unused.Index), slog.String("note", unused.Note))
		}
		log.InfoContext(ctx, "indexes compared", slog.Int("collections", report.Collections), slog.Int("missing", len(report.Missing)),
			slog.Int("changed", len(report.Changed)), slog.Int("unknown", len(report.Unknown)), slog.Int("unused", len(report.Unused)))
		runner.Progress(ctx, 100, "indexes compared")
		return report, nil
	})
}
