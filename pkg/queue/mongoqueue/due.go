package mongoqueue

import (
	"context"
	"errors"
	"fmt"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/etrainer/backend/pkg/job"
	"github.com/etrainer/backend/pkg/queue"
)

// Due counts the jobs of these names that wait for a worker now. It takes two
// commands while nothing waits, three otherwise; the index of the lease serves
// them, and they read no more than queue.DueMost jobs.
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
	waiting := bson.D{{Key: "name", Value: in(running)}, unlocked, {Key: "nextRunAt", Value: upTo(now)}, enabled}
	if err := s.countByName(ctx, waiting, due.ByName); err != nil {
		return queue.Due{}, fmt.Errorf("count due jobs: %w", err)
	}
	for _, n := range due.ByName {
		if n > 0 {
			oldest, err := s.oldest(ctx, waiting)
			if err != nil {
				return queue.Due{}, fmt.Errorf("find the oldest due job: %w", err)
			}
			if !oldest.NextRunAt.IsZero() {
				due.Oldest = max(0, now.Sub(oldest.NextRunAt))
			}
			break
		}
	}
	return due, nil
}

func (s *Store) countByName(ctx context.Context, filter bson.D, into map[string]int64) error {
	cursor, err := s.jobs.Aggregate(ctx, mongo.Pipeline{
		{{Key: "$match", Value: filter}},
		{{Key: "$limit", Value: queue.DueMost}},
		{{Key: "$group", Value: bson.D{{Key: "_id", Value: "$name"}, {Key: "count", Value: bson.D{{Key: "$sum", Value: 1}}}}}},
	})
	if err != nil {
		return err
	}
	var groups []struct {
		Name  string `bson:"_id"`
		Count int64  `bson:"count"`
	}
	if err := cursor.All(ctx, &groups); err != nil {
		return err
	}
	for _, group := range groups {
		into[group.Name] = group.Count
	}
	return nil
}

// oldest returns the job that waits longest, or an empty document when all
// were taken meanwhile.
func (s *Store) oldest(ctx context.Context, filter bson.D) (*job.Document, error) {
	document := &job.Document{}
	err := s.jobs.FindOne(ctx, filter, options.FindOne().
		SetSort(keys("nextRunAt", 1)).SetProjection(bson.D{{Key: "name", Value: 1}, {Key: "nextRunAt", Value: 1}})).Decode(document)
	if errors.Is(err, mongo.ErrNoDocuments) {
		return &job.Document{}, nil
	}
	return document, err
}
