package steps

import (
	"context"
	"fmt"
	"slices"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/etrainer/backend/pkg/catalog"
	"github.com/etrainer/backend/pkg/job"
)

// stored is a job document, as it is stored and as it is understood.
type stored struct {
	raw bson.Raw
	*job.Document
}

// ran is when the job ran last.
func (s stored) ran() time.Time { return latest(s.LastRunAt, s.LastFinishedAt) }

// is reports whether two are one document.
func (s stored) is(other stored) bool { return s.raw.Lookup("_id").Equal(other.raw.Lookup("_id")) }

// shownID is the _id in words; Agenda's are ObjectIds.
func (s stored) shownID() string {
	if id := s.raw.Lookup("_id"); id.Type != bson.TypeObjectID {
		return id.String()
	}
	return s.ID.Hex()
}

// recurringJobs reads the recurring documents by name, oldest first: type
// single, as every() makes them, and for names of the catalogue also others
// with a repeatInterval, as repeatEvery() makes them at each start of a Node
// process.
func recurringJobs(ctx context.Context, jobs *mongo.Collection, recurring []catalog.Definition) (map[string][]stored, error) {
	cursor, err := jobs.Find(ctx, bson.D{{Key: "$or", Value: bson.A{
		bson.D{{Key: "type", Value: string(job.Single)}},
		bson.D{{Key: "name", Value: bson.D{{Key: "$in", Value: names(recurring)}}}, {Key: "repeatInterval", Value: bson.D{{Key: "$ne", Value: nil}}}},
	}}}, options.Find().SetSort(byID(1)))
	if err != nil {
		return nil, fmt.Errorf("find recurring jobs: %w", err)
	}
	defer func() { _ = cursor.Close(ctx) }()
	byName := map[string][]stored{}
	for cursor.Next(ctx) {
		document := &job.Document{}
		if err := document.UnmarshalBSON(cursor.Current); err != nil {
			continue // without a name it is nobody's job
		}
		byName[document.Name] = append(byName[document.Name], stored{slices.Clone(cursor.Current), document})
	}
	return byName, cursor.Err()
}

func names(definitions []catalog.Definition) []string {
	all := make([]string, len(definitions))
	for i, d := range definitions {
		all[i] = d.Name
	}
	return all
}

// unchanged is the filter of a document that nobody has touched since it was
// read: a Node process that plans or locks it in between wins.
func (s stored) unchanged() bson.D {
	filter := byID(s.raw.Lookup("_id"))
	for _, field := range []string{"nextRunAt", "lockedAt", "lastRunAt"} {
		var value any // null matches null and absent
		if v, err := s.raw.LookupErr(field); err == nil {
			value = v
		}
		filter = append(filter, bson.E{Key: field, Value: value})
	}
	return filter
}

// running reports that a process holds the job: its lock is younger than
// Agenda's ten minutes.
func (s stored) running(now time.Time) bool {
	const lockLifetime = 10 * time.Minute
	return now.Sub(s.LockedAt) < lockLifetime
}

// set is an update of some fields.
func set(fields bson.D) bson.D { return bson.D{{Key: "$set", Value: fields}} }
