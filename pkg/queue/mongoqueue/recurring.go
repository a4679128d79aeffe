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
