package mongoqueue

import (
	"context"
	"fmt"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/etrainer/backend/pkg/job"
	"github.com/etrainer/backend/pkg/queue"
)

// Due counts the jobs of these names that wait for a worker now. It takes two
// commands while nothing waits, three where some do, and one more for each name
// while queue.DueMost wait: none hides behind another. The index of the lease
// serves them, and no command reads more than queue.DueMost jobs.
func (s *Store) Due(ctx context.Context, names []string) (queue.Due, error) {
	settings, err := s.Settings(ctx)
	if err != nil {
		return queue.Due{}, err
	}
	due := queue.Due{ByName: make(map[string]int64, len(names))}
	var running []string
	for _, name := range names {
		due.ByName[name] = 0
		if !settings[name].Paused {
			running = append(running, name)
		}
	}
	if len(running) == 0 {
		return due, nil
	}
	now := s.Now()
	waiting := func(names []string) bson.D {
		return bson.D{{Key: "name", Value: in(names)}, unlocked, {Key: "nextRunAt", Value: upTo(now)}, enabled}
	}
	n, err := s.countByName(ctx, waiting(running), due.ByName)
	if n >= queue.DueMost { // in the order of the index: by name
		for _, name := range running {
			if err == nil {
				_, err = s.countByName(ctx, waiting([]string{name}), due.ByName)
			}
		}
	}
	if err != nil {
		return queue.Due{}, fmt.Errorf("count due jobs: %w", err)
	}
	if n == 0 {
		return due, nil
	}
	oldest, err := s.oldest(ctx, waiting(running))
	if err != nil {
		return queue.Due{}, fmt.Errorf("find the oldest due job: %w", err)
	}
	if !oldest.NextRunAt.IsZero() {
		due.Oldest = max(0, now.Sub(oldest.NextRunAt))
	}
	return due, nil
}

// countByName returns how many there are together. A document whose name is an
// array, or whatever else is no name, is nobody's job.
func (s *Store) countByName(ctx context.Context, filter bson.D, into map[string]int64) (all int64, err error) {
	cursor, err := s.jobs.Aggregate(ctx, mongo.Pipeline{
		{{Key: "$match", Value: filter}},
		{{Key: "$limit", Value: queue.DueMost}},
		{{Key: "$group", Value: bson.D{{Key: "_id", Value: "$name"}, {Key: "count", Value: bson.D{{Key: "$sum", Value: 1}}}}}},
	})
	if err != nil {
		return 0, err
	}
	defer func() { _ = cursor.Close(ctx) }()
	for cursor.Next(ctx) {
		n, _ := cursor.Current.Lookup("count").AsInt64OK()
		all += n
		if name, ok := cursor.Current.Lookup("_id").StringValueOK(); ok {
			if _, asked := into[name]; asked {
				into[name] = n
			}
		}
	}
	return all, cursor.Err()
}

// maxForeign is how many documents that are no jobs the look for the oldest one
// passes over.
const maxForeign = 100

// oldest returns the job that waits longest, or an empty document when all were
// taken meanwhile.
func (s *Store) oldest(ctx context.Context, filter bson.D) (*job.Document, error) {
	cursor, err := s.jobs.Find(ctx, filter, options.Find().SetLimit(maxForeign).SetBatchSize(1).
		SetSort(keys("nextRunAt", 1)).SetProjection(keys("name", 1, "nextRunAt", 1)))
	if err != nil {
		return nil, err
	}
	defer func() { _ = cursor.Close(ctx) }()
	for cursor.Next(ctx) {
		document := &job.Document{}
		if document.UnmarshalBSON(cursor.Current) == nil && !document.NextRunAt.IsZero() {
			return document, nil
		}
	}
	return &job.Document{}, cursor.Err()
}
