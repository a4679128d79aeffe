// Package indexcheckmongo looks at the indexes of a MongoDB database.
package indexcheckmongo

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/etrainer/backend/pkg/mongodb"
	"github.com/etrainer/backend/pkg/schema"
	"github.com/etrainer/backend/worker/internal/handlers/indexcheck"
)

// Store implements indexcheck.Store.
type Store struct {
	db           *mongo.Database
	capabilities mongodb.Capabilities
	jobs         string
}

var _ indexcheck.Store = (*Store)(nil)

// New returns a Store. jobs is the name of the job collection.
func New(db *mongo.Database, capabilities mongodb.Capabilities, jobs string) *Store {
	return &Store{db: db, capabilities: capabilities, jobs: jobs}
}

// Check implements indexcheck.Store.
func (s *Store) Check(ctx context.Context, now time.Time) (indexcheck.Report, error) {
	none := func() []indexcheck.Finding { return []indexcheck.Finding{} }
	report := indexcheck.Report{
		Missing: none(), Changed: none(), Impossible: none(), Unknown: none(), Unused: none(), UsageKnown: true,
	}
	for _, c := range schema.Collections(s.jobs) {
		collection := s.db.Collection(c.Name)
		stored, err := mongodb.ListIndexes(ctx, collection)
		if err != nil {
			return report, err
		}
		report.Collections++
		s.compare(&report, c, mongodb.CompareIndexes(stored, c.Indexes))
		if err := addUnused(ctx, &report, collection, now); err != nil {
			return report, err
		}
	}
	return report, nil
}

func (s *Store) compare(report *indexcheck.Report, c schema.Collection, d mongodb.Difference) {
	finding := func(index, note string) indexcheck.Finding {
		return indexcheck.Finding{Collection: c.Name, Index: index, Note: note}
	}
	for _, index := range d.Missing {
		if index.TTL && !s.capabilities.TTL || index.Partial != nil && !s.capabilities.PartialIndexes {
			report.Impossible = append(report.Impossible, finding(index.IndexName(), index.Without))
			continue
		}
		report.Missing = append(report.Missing, finding(index.IndexName(), index.Serves))
	}
	for _, change := range append(d.Changed, d.Occupied...) {
		report.Changed = append(report.Changed, finding(change.Stored.Name, "should be "+change.Declared.String()))
	}
	for _, index := range d.Extra {
		note := "not declared by this release"
		if r, retired := index.Retired(c.Name, s.jobs); retired {
			note = "an earlier release made it, and " + r.By + " replaces it: \"migrate up\" drops it"
		}
		report.Unknown = append(report.Unknown, finding(index.Name, note))
	}
}

// usage is what $indexStats says of one index, on the server that answers.
type usage struct {
	Name     string `bson:"name"`
	Accesses struct {
		Ops   int64     `bson:"ops"`
		Since time.Time `bson:"since"`
	} `bson:"accesses"`
	Spec struct {
		Unique bool `bson:"unique"`
		TTL    any  `bson:"expireAfterSeconds"`
	} `bson:"spec"`
}

// addUnused adds the indexes that no query has used. Unique and TTL indexes
// work without being queried. An engine that does not count, or a user who may
// not ask, leaves the usage unknown.
func addUnused(ctx context.Context, report *indexcheck.Report, collection *mongo.Collection, now time.Time) error {
	if !report.UsageKnown {
		return nil
	}
	var used []usage
	cursor, err := collection.Aggregate(ctx, mongo.Pipeline{{{Key: "$indexStats", Value: bson.D{}}}})
	if err == nil {
		err = cursor.All(ctx, &used)
	}
	if _, refused := errors.AsType[mongo.ServerError](err); refused && !mongo.IsNetworkError(err) {
		report.UsageKnown, report.Unused = false, []indexcheck.Finding{}
		return nil
	}
	if err != nil {
		return fmt.Errorf("read the use of the indexes of %s: %w", collection.Name(), err)
	}
	for _, index := range used {
		if index.Name == "_id_" || index.Accesses.Ops > 0 || index.Spec.Unique || index.Spec.TTL != nil || now.Sub(index.Accesses.Since) < indexcheck.UnusedAfter {
			continue
		}
		report.Unused = append(report.Unused, indexcheck.Finding{
			Collection: collection.Name(), Index: index.Name, Note: "not used since " + index.Accesses.Since.UTC().Format(time.DateOnly),
		})
	}
	return nil
}
