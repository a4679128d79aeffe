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
// earliest that any of them has and that none has run already, and never comes
// later than its own schedule has it: a duplicate that somebody put off to the
// year 9999 must not stop the job. If none has a next run, it stays without. The
// others go into the collection schema_archive, and stay there on the way back.
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
	kept := ranLast(group)
	next := pendingTick(target, kept, group)
	why := "which ran last"
	if kept.ran().IsZero() {
		why = "the oldest, since none has run"
	}
	text := fmt.Sprintf("merge %d documents of %q into %s, %s; ", len(group), name, kept.shownID(), why)
	if next.IsZero() {
		text += "none has a next run"
	} else {
		text += "the next run is at " + next.UTC().Format(time.RFC3339) + ", the earliest that none has run"
	}
	return migrate.Action{
		Collection: jobs.Name(), Text: text + "; the others go to " + archive, Documents: len(group) - 1,
		Do: func(ctx context.Context) error {
			for _, d := range group {
				if d.running(target.Now()) {
					return fmt.Errorf("%s is running since %s: stop the Node processes, or wait until its lock is ten minutes old, and run migrate up again",
						d.shownID(), d.LockedAt.Format(time.RFC3339))
				}
			}
			if err := keep(ctx, jobs, kept, next); err != nil {
				return err
			}
			for _, d := range group {
				if !d.is(kept) {
					if err := archiveOne(ctx, target, jobs, d); err != nil {
						return err
					}
				}
			}
			return nil
		},
	}
}

// ranLast is the document that merging keeps; of equals, the first.
func ranLast(group []stored) stored {
	return slices.MaxFunc(group, func(a, b stored) int { return a.ran().Compare(b.ran()) })
}

// pendingTick is the next run of the document that is kept.
func pendingTick(target migrate.Target, kept stored, group []stored) time.Time {
	var ran, next time.Time
	planned := false
	for _, d := range group {
		ran = latest(ran, d.LastRunAt)
		planned = planned || !d.NextRunAt.IsZero()
	}
	for _, d := range group {
		if d.NextRunAt.After(ran) && (next.IsZero() || d.NextRunAt.Before(next)) {
			next = d.NextRunAt
		}
	}
	plan, _ := kept.Schedule(target.NodeZone)
	if plan == nil || !planned {
		return next
	}
	own, ok := plan.Next(latest(ran, target.Now()))
	if ok && (next.IsZero() || next.After(own)) {
		return own
	}
	return next
}

// errTouched means that a Node process is at work.
func errTouched(d stored) error {
	return fmt.Errorf("%s was changed by another process meanwhile: stop the Node processes, and run migrate up again", d.shownID())
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
		return fmt.Errorf("archive %s: %w", d.shownID(), err)
	}
	result, err := jobs.DeleteOne(ctx, d.unchanged())
	if err != nil {
		return fmt.Errorf("remove %s: %w", d.shownID(), err)
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
