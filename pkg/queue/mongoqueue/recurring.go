package mongoqueue

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/etrainer/backend/pkg/job"
	"github.com/etrainer/backend/pkg/queue"
)

// maxRecurring bounds how many recurring jobs are looked at.
const maxRecurring = 1000

// single is a recurring job, as it is stored and as it is understood.
type single struct {
	raw bson.Raw
	*job.Document
}

// singles reads the one recurring job of each name: of doubles the oldest. What
// only looks like one, such as a document with several names, is left out.
func (s *Store) singles(ctx context.Context, withData bool, names ...string) (map[string]*single, error) {
	unread := bson.D{{Key: "result", Value: 0}}
	if !withData {
		unread = append(unread, bson.E{Key: "data", Value: 0})
	}
	cursor, err := s.jobs.Find(ctx, bson.D{{Key: "name", Value: in(names)}, {Key: "type", Value: string(job.Single)}},
		options.Find().SetSort(keys("_id", 1)).SetProjection(unread))
	if err != nil {
		return nil, err
	}
	defer func() { _ = cursor.Close(ctx) }()
	byName := make(map[string]*single, len(names))
	for cursor.Next(ctx) {
		d := &job.Document{}
		if d.UnmarshalBSON(cursor.Current) == nil && d.Type == job.Single && byName[d.Name] == nil {
			byName[d.Name] = &single{slices.Clone(cursor.Current), d}
		}
	}
	return byName, cursor.Err()
}

// Singles returns the one recurring job of each of these names, without its
// payload; a name that has none is left out.
func (s *Store) Singles(ctx context.Context, names ...string) (map[string]*job.Document, error) {
	found, err := s.singles(ctx, false, names...)
	if err != nil {
		return nil, wrap(err, "read recurring jobs")
	}
	byName := make(map[string]*job.Document, len(found))
	for name, one := range found {
		byName[name] = one.Document
	}
	return byName, nil
}

// BadSchedules returns the recurring jobs, of whichever process, whose stored
// schedule has a problem, by name. It looks at a thousand of those that an index
// finds: with an interval that is text, or of the type single. The others show
// their problem where they are shown, and when they run. Payloads are left out.
func (s *Store) BadSchedules(ctx context.Context) ([]queue.BadSchedule, error) {
	cursor, err := s.jobs.Find(ctx, bson.D{{Key: "$or", Value: bson.A{
		bson.D{{Key: "repeatInterval", Value: bson.D{{Key: "$gt", Value: ""}}}},
		bson.D{{Key: "name", Value: bson.D{{Key: "$gt", Value: ""}}}, {Key: "type", Value: string(job.Single)}},
	}}}, options.Find().SetLimit(maxRecurring).SetProjection(bson.D{{Key: "data", Value: 0}, {Key: "result", Value: 0}}))
	if err != nil {
		return nil, fmt.Errorf("find recurring jobs: %w", err)
	}
	defer func() { _ = cursor.Close(ctx) }()
	bad := []queue.BadSchedule{}
	for cursor.Next(ctx) {
		d := &job.Document{}
		if d.UnmarshalBSON(cursor.Current) != nil {
			continue // it has no name: nobody's job
		}
		if _, problem := d.Schedule(s.options.Zone); problem != nil {
			bad = append(bad, queue.BadSchedule{Job: d, Problem: problem})
		}
	}
	slices.SortFunc(bad, func(a, b queue.BadSchedule) int {
		return cmp.Or(cmp.Compare(a.Job.Name, b.Job.Name), slices.Compare(a.Job.ID[:], b.Job.ID[:]))
	})
	return bad, wrap(cursor.Err(), "read recurring jobs")
}
