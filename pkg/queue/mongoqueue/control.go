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

// Cancel implements queue.Controller. What the document says decides which of
// two updates is made; each is conditional on it, so a job that starts or ends
// in between is looked at again.
func (s *Store) Cancel(ctx context.Context, id bson.ObjectID, by string) (*job.Document, error) {
	for range 3 {
		found, err := s.Get(ctx, id)
		if err != nil {
			return nil, err
		}
		now := job.Date(s.Now())
		filter := bson.D{{Key: "_id", Value: id}}
		var change bson.D
		switch {
		case !found.LockedAt.IsZero():
			filter = append(filter, bson.E{Key: "lockedAt", Value: anyDate})
			change = set(bson.D{{Key: "cancelledAt", Value: now}})
		case found.Recurring():
			return nil, fmt.Errorf("%w: it is recurring and not running now: pause its name, or delete it", queue.ErrConflict)
		case found.NextRunAt.IsZero():
			return nil, fmt.Errorf("%w: it has finished", queue.ErrConflict)
		default:
			filter = append(filter, unlocked, bson.E{Key: "nextRunAt", Value: job.Date(found.NextRunAt)})
			change = update(bson.D{
				{Key: "nextRunAt", Value: nil}, {Key: "cancelledAt", Value: now}, {Key: "lastModifiedBy", Value: textOrNull(by)},
			}, bson.D{{Key: "resume", Value: ""}})
		}
		document, err := s.change(ctx, filter, change)
		if !errors.Is(err, mongo.ErrNoDocuments) {
			return document, wrap(err, "cancel job")
		}
	}
	return nil, fmt.Errorf("%w: it is changing all the time; try again", queue.ErrConflict)
}

// Retry implements queue.Controller, as Agendash does it, but never on a job
// that is running.
func (s *Store) Retry(ctx context.Context, id bson.ObjectID, by string) (*job.Document, error) {
	document, err := s.change(ctx, bson.D{{Key: "_id", Value: id}, unlocked}, update(bson.D{
		{Key: "nextRunAt", Value: job.Date(s.Now())},
		{Key: "failCount", Value: nil},
		{Key: "failReason", Value: nil},
		{Key: "failedAt", Value: nil},
		{Key: "lastModifiedBy", Value: textOrNull(by)},
	}, bson.D{{Key: "cancelledAt", Value: ""}, {Key: "resume", Value: ""}}))
	if !errors.Is(err, mongo.ErrNoDocuments) {
		return document, wrap(err, "retry job")
	}
	return nil, s.conflict(ctx, id, func(*job.Document) string { return "it is running now: cancel it first" })
}

// Delete implements queue.Controller.
func (s *Store) Delete(ctx context.Context, id bson.ObjectID) error {
	result, err := s.jobs.DeleteOne(ctx, bson.D{{Key: "_id", Value: id}, unlocked})
	if err != nil {
		return fmt.Errorf("delete job: %w", err)
	}
	if result.DeletedCount == 1 {
		return nil
	}
	return s.conflict(ctx, id, func(*job.Document) string { return "it is running now: cancel it first" })
}

func (s *Store) change(ctx context.Context, filter, update bson.D) (*job.Document, error) {
	document := &job.Document{}
	err := s.jobs.FindOneAndUpdate(ctx, filter, update, options.FindOneAndUpdate().SetReturnDocument(options.After)).Decode(document)
	return document, err
}

// conflict explains why a change matched nothing.
func (s *Store) conflict(ctx context.Context, id bson.ObjectID, reason func(*job.Document) string) error {
	document, err := s.Get(ctx, id)
	if err != nil {
		return err
	}
	return fmt.Errorf("%w: %s", queue.ErrConflict, reason(document))
}

// Settings implements queue.Controller.
func (s *Store) Settings(ctx context.Context) (map[string]job.Settings, error) {
	cursor, err := s.settings.Find(ctx, bson.D{}, options.Find().SetProjection(bson.D{{Key: "slots", Value: 0}}))
	if err != nil {
		return nil, fmt.Errorf("read settings: %w", err)
	}
	defer func() { _ = cursor.Close(ctx) }()
	byName := map[string]job.Settings{}
	for cursor.Next(ctx) {
		settings := readSettings(cursor.Current)
		byName[settings.Name] = settings
	}
	return byName, wrap(cursor.Err(), "read settings")
}

// ChangeSettings implements queue.Controller. The places taken of a
// concurrency limit are not touched, and neither is the schedule.
func (s *Store) ChangeSettings(ctx context.Context, settings job.Settings) error {
	settings.ChangedAt = s.Now()
	raw, err := bson.Marshal(settings)
	if err != nil {
		return fmt.Errorf("encode settings of %q: %w", settings.Name, err)
	}
	var present bson.M
	if err := bson.Unmarshal(raw, &present); err != nil {
		return fmt.Errorf("encode settings of %q: %w", settings.Name, err)
	}
	fields, absent := bson.D{}, bson.D{}
	for _, key := range []string{"paused", "concurrency", "retry", "missed", "overlap", "changedBy", "changedAt"} {
		if value, ok := present[key]; ok {
			fields = append(fields, bson.E{Key: key, Value: value})
		} else {
			absent = append(absent, bson.E{Key: key, Value: ""})
		}
	}
	_, err = s.settings.UpdateOne(ctx, bson.D{{Key: "_id", Value: settings.Name}}, update(fields, absent), options.UpdateOne().SetUpsert(true))
	return wrap(err, "change settings")
}

// ChangeSchedule implements queue.Controller.
func (s *Store) ChangeSchedule(ctx context.Context, name string, schedule *job.ScheduleOverride) error {
	change := bson.D{{Key: "$unset", Value: bson.D{{Key: "schedule", Value: ""}}}}
	if schedule != nil {
		stored := *schedule
		stored.ChangedAt = s.Now()
		change = set(bson.D{{Key: "schedule", Value: stored}})
	}
	_, err := s.settings.UpdateOne(ctx, bson.D{{Key: "_id", Value: name}}, change, options.UpdateOne().SetUpsert(schedule != nil))
	return wrap(err, "change a schedule")
}

// Pause implements queue.Controller.
func (s *Store) Pause(ctx context.Context, name, by string) error {
	return s.pause(ctx, name, by, true)
}

// Resume implements queue.Controller.
func (s *Store) Resume(ctx context.Context, name, by string) error {
	return s.pause(ctx, name, by, false)
}

func (s *Store) pause(ctx context.Context, name, by string, paused bool) error {
	_, err := s.settings.UpdateOne(ctx, bson.D{{Key: "_id", Value: name}}, set(bson.D{
		{Key: "paused", Value: paused}, {Key: "changedBy", Value: by}, {Key: "changedAt", Value: job.Date(s.Now())},
	}), options.UpdateOne().SetUpsert(true))
	return wrap(err, "pause or resume a name")
}
