// Package studyremindersmongo reads reminders, and keeps up to which minute
// they were sent in the collection jobCursors.
package studyremindersmongo

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/etrainer/backend/pkg/catalog"
	"github.com/etrainer/backend/pkg/schema"
	"github.com/etrainer/backend/worker/internal/handlers/studyreminders"
)

// Collection keeps how far jobs have come that continue where they stopped;
// _id is the name of the job.
const Collection = schema.JobCursors

// Store implements studyreminders.Store.
type Store struct{ reminders, cursors *mongo.Collection }

var _ studyreminders.Store = (*Store)(nil)

// New returns a Store on a database.
func New(db *mongo.Database) *Store {
	return &Store{reminders: db.Collection(schema.Reminders), cursors: db.Collection(Collection)}
}

// self is the filter of the job's own cursor.
func self() bson.D { return bson.D{{Key: "_id", Value: catalog.StudyReminders.Name}} }

// HandledUntil implements studyreminders.Store.
func (s *Store) HandledUntil(ctx context.Context) (time.Time, error) {
	var cursor struct {
		At time.Time `bson:"at"`
	}
	err := s.cursors.FindOne(ctx, self()).Decode(&cursor)
	if errors.Is(err, mongo.ErrNoDocuments) {
		return time.Time{}, nil
	}
	if err != nil {
		return time.Time{}, fmt.Errorf("read up to when reminders were sent: %w", err)
	}
	return cursor.At, nil
}

// HandleUntil implements studyreminders.Store.
func (s *Store) HandleUntil(ctx context.Context, minute time.Time) error {
	_, err := s.cursors.UpdateOne(ctx, self(), bson.D{{Key: "$max", Value: bson.D{{Key: "at", Value: minute}}}}, options.UpdateOne().SetUpsert(true))
	if err != nil {
		return fmt.Errorf("record up to when reminders were sent: %w", err)
	}
	return nil
}

// At implements studyreminders.Store.
func (s *Store) At(ctx context.Context, wanted []studyreminders.Moment, after string, limit int) ([]studyreminders.Reminder, error) {
	if len(wanted) == 0 {
		return nil, nil
	}
	from := bson.NilObjectID
	if after != "" {
		var err error
		if from, err = bson.ObjectIDFromHex(after); err != nil {
			return nil, fmt.Errorf("read the id %q: %w", after, err)
		}
	}
	filter := bson.D{{Key: "_id", Value: bson.D{{Key: "$gt", Value: from}}}, {Key: "$or", Value: byHour(wanted)}}
	cursor, err := s.reminders.Find(ctx, filter, options.Find().SetSort(bson.D{{Key: "_id", Value: 1}}).SetLimit(int64(limit)).SetBatchSize(int32(limit)+1).
		SetProjection(bson.D{{Key: "user", Value: 1}, {Key: "hour", Value: 1}, {Key: "minute", Value: 1}}))
	if err != nil {
		return nil, fmt.Errorf("read reminders: %w", err)
	}
	var rows []bson.Raw
	if err := cursor.All(ctx, &rows); err != nil {
		return nil, fmt.Errorf("read reminders: %w", err)
	}
	reminders := make([]studyreminders.Reminder, len(rows))
	for i, row := range rows {
		reminders[i] = reminder(row)
	}
	return reminders, nil
}

// byHour makes one condition for each hour.
func byHour(wanted []studyreminders.Moment) bson.A {
	minutes := map[int]bson.A{}
	for _, m := range wanted {
		minutes[m.Hour] = append(minutes[m.Hour], m.Minute)
	}
	var out bson.A
	for hour, in := range minutes {
		out = append(out, bson.D{{Key: "hour", Value: hour}, {Key: "minute", Value: bson.D{{Key: "$in", Value: in}}}})
	}
	return out
}

func reminder(row bson.Raw) studyreminders.Reminder {
	id, _ := row.Lookup("_id").ObjectIDOK()
	hour, _ := row.Lookup("hour").AsInt64OK()
	minute, _ := row.Lookup("minute").AsInt64OK()
	r := studyreminders.Reminder{ID: id.Hex(), Moment: studyreminders.Moment{Hour: int(hour), Minute: int(minute)}}
	if user, ok := row.Lookup("user").ObjectIDOK(); ok {
		r.User = user.Hex()
	}
	return r
}

// Malformed implements studyreminders.Store.
func (s *Store) Malformed(ctx context.Context) (int, error) {
	n, err := s.reminders.CountDocuments(ctx, bson.D{{Key: "$or", Value: bson.A{
		bson.D{{Key: "hour", Value: bson.D{{Key: "$nin", Value: upTo(24)}}}},
		bson.D{{Key: "minute", Value: bson.D{{Key: "$nin", Value: upTo(60)}}}},
		bson.D{{Key: "_id", Value: bson.D{{Key: "$not", Value: bson.D{{Key: "$type", Value: "objectId"}}}}}},
	}}})
	if err != nil {
		return 0, fmt.Errorf("count malformed reminders: %w", err)
	}
	return int(n), nil
}

func upTo(n int) bson.A {
	out := make(bson.A, n)
	for i := range out {
		out[i] = i
	}
	return out
}
