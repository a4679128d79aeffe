package steps

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/etrainer/backend/migrations/internal/migrate"
	"github.com/etrainer/backend/pkg/catalog"
	"github.com/etrainer/backend/pkg/job"
)

// archive keeps the documents that merging removed.
const archive = "schema_archive"

// singleJobs merges the duplicates of recurring jobs, which Node processes
// that start at the same moment make. Each duplicate would run every tick.
//
// The rule: of the documents of one name, the one that ran last is kept, with
// its history (of several that never ran, the oldest). Its next run becomes the
// latest that any of them has, since an earlier one is a tick that a duplicate
// has run already; if none has one, it stays without. The others go into the
// collection schema_archive, and stay there on the way back.
//
// A document that a Node process is running now is not touched: the step stops
// and asks to stop the process.
func singleJobs(recurring []catalog.Definition) migrate.Step {
	return migrate.Step{
		Number: 3, Name: "single-jobs", Why: "merges the duplicates of recurring jobs, each of which runs every tick",
		Plan: func(ctx context.Context, target migrate.Target) ([]migrate.Action, error) {
			jobs := target.DB.Collection(target.Jobs)
			byName, err := recurringJobs(ctx, jobs, recurring)
			if err != nil {
				return nil, err
			}
			var actions []migrate.Action
			for _, name := range slices.Sorted(maps.Keys(byName)) {
				if group := byName[name]; len(group) > 1 {
					actions = append(actions, merge(target, jobs, name, group))
				}
			}
			return actions, nil
		},
		Undo: keepArchived,
	}
}

func merge(target migrate.Target, jobs *mongo.Collection, name string, group []stored) migrate.Action {
	kept := slices.MaxFunc(group, func(a, b stored) int { // of equals, the first
		return latest(a.LastRunAt, a.LastFinishedAt).Compare(latest(b.LastRunAt, b.LastFinishedAt))
	})
	var next time.Time
	for _, d := range group {
		next = latest(next, d.NextRunAt)
	}
	why := "which ran last"
	if latest(kept.LastRunAt, kept.LastFinishedAt).IsZero() {
		why = "the oldest, since none has run"
	}
	text := fmt.Sprintf("merge %d documents of %q into %s, %s; ", len(group), name, kept.ID.Hex(), why)
	if next.IsZero() {
		text += "none has a next run"
	} else {
		text += "the next run is the latest, " + next.Format(time.RFC3339)
	}
	return migrate.Action{
		Collection: jobs.Name(), Text: text + "; the others go to " + archive, Documents: len(group) - 1,
		Do: func(ctx context.Context) error {
			for _, d := range group {
				if d.running(target.Now()) {
					return fmt.Errorf("%s is running since %s: stop the Node processes, or wait until its lock is ten minutes old, and run migrate up again",
						d.ID.Hex(), d.LockedAt.Format(time.RFC3339))
				}
			}
			if err := keep(ctx, jobs, kept, next); err != nil {
				return err
			}
			for _, d := range group {
				if d.ID != kept.ID {
					if err := archiveOne(ctx, target, jobs, d); err != nil {
						return err
					}
				}
			}
			return nil
		},
	}
}

// errTouched means that a Node process is at work.
func errTouched(d stored) error {
	return fmt.Errorf("%s was changed by another process meanwhile: stop the Node processes, and run migrate up again", d.ID.Hex())
}

func keep(ctx context.Context, jobs *mongo.Collection, kept stored, next time.Time) error {
	result, err := jobs.UpdateOne(ctx, kept.unchanged(), set(bson.D{
		{Key: "type", Value: string(job.Single)}, {Key: "nextRunAt", Value: job.Date(next)},
	}))
	if err != nil {
		return fmt.Errorf("plan the kept document: %w", err)
	}
	if result.MatchedCount == 0 {
		return errTouched(kept)
	}
	return nil
}

// archiveOne copies first and deletes then, so that a kill loses nothing.
func archiveOne(ctx context.Context, target migrate.Target, jobs *mongo.Collection, d stored) error {
	_, err := target.DB.Collection(archive).UpdateOne(ctx, byID(d.raw.Lookup("_id")), set(bson.D{
		{Key: "collection", Value: jobs.Name()},
		{Key: "step", Value: "single-jobs"},
		{Key: "archivedAt", Value: target.Now()},
		{Key: "document", Value: d.raw},
	}), options.UpdateOne().SetUpsert(true))
	if err != nil {
		return fmt.Errorf("archive %s: %w", d.ID.Hex(), err)
	}
	result, err := jobs.DeleteOne(ctx, d.unchanged())
	if err != nil {
		return fmt.Errorf("remove %s: %w", d.ID.Hex(), err)
	}
	if result.DeletedCount == 0 {
		return errTouched(d)
	}
	return nil
}

// keepArchived puts nothing back: a duplicate would run each tick again under
// Node as well, and its next run, which is in the past by now, at once.
func keepArchived(ctx context.Context, target migrate.Target, _ []string) ([]migrate.Action, error) {
	n, err := target.DB.Collection(archive).CountDocuments(ctx, bson.D{{Key: "step", Value: "single-jobs"}})
	if err != nil {
		return nil, fmt.Errorf("count %s: %w", archive, err)
	}
	if n == 0 {
		return nil, nil
	}
	return []migrate.Action{migrate.Remark(archive, "kept: %d merged %s; put back, each would run every tick again",
		n, plural(int(n), "document", "documents"))}, nil
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
