package mongoqueue

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

// purgeBatch is how many jobs one command of PurgeFinished removes.
const purgeBatch = 500

// PurgeFinished removes the one-off jobs that ended before a time: completed,
// or cancelled. Jobs that repeat, are held, planned, dead, or whose last run
// never recorded an end stay. It reads the collection once, in the memory of
// a batch, and returns how many were removed, also beside an error.
func (s *Store) PurgeFinished(ctx context.Context, before time.Time) (int64, error) {
	cursor, err := s.jobs.Find(ctx, finished(before), options.Find().SetBatchSize(purgeBatch).
		SetProjection(keys("lastFinishedAt", 1, "lastRunAt", 1, "failedAt", 1, "cancelledAt", 1)))
	if err != nil {
		return 0, fmt.Errorf("find finished jobs: %w", err)
	}
	defer func() { _ = cursor.Close(ctx) }()
	var removed int64
	var batch []mongo.WriteModel
	flush := func() error {
		if len(batch) == 0 {
			return nil
		}
		result, err := s.jobs.BulkWrite(ctx, batch, options.BulkWrite().SetOrdered(false))
		if result != nil {
			removed += result.DeletedCount
		}
		batch = nil
		return wrap(err, "remove finished jobs")
	}
	for cursor.Next(ctx) {
		if filter, ok := stillFinished(cursor.Current, before); ok {
			batch = append(batch, mongo.NewDeleteOneModel().SetFilter(filter))
		}
		if len(batch) < purgeBatch {
			continue
		}
		if err := flush(); err != nil {
			return removed, err
		}
	}
	err = errors.Join(wrap(cursor.Err(), "read finished jobs"), flush())
	return removed, err
}

// finished matches what may have ended before a time. A comparison matches
// dates only, so a job whose date is of a foreign type stays. A job that was
// cancelled before its first run has the date of that alone.
func finished(before time.Time) bson.D {
	earlier := bson.D{{Key: "$lt", Value: before}}
	return bson.D{
		unlocked,
		{Key: "nextRunAt", Value: nil},
		{Key: "repeatInterval", Value: nil},
		{Key: "repeatAt", Value: nil},
		{Key: "type", Value: bson.D{{Key: "$ne", Value: "single"}}},
		{Key: "$or", Value: bson.A{
			bson.D{{Key: "lastFinishedAt", Value: earlier}},
			bson.D{{Key: "lastFinishedAt", Value: nil}, {Key: "cancelledAt", Value: earlier}},
		}},
	}
}

// stillFinished matches a job that was found finished, as long as nobody has
// retried it or saved it anew; false = it failed last, or never ended. A run that
// was cancelled and whose worker died ended with the cancel.
func stillFinished(found bson.Raw, before time.Time) (bson.D, bool) {
	filter := append(bson.D{{Key: "_id", Value: found.Lookup("_id")}}, finished(before)...)
	ended, _ := found.Lookup("lastFinishedAt").DateTimeOK()
	cancelled, _ := found.Lookup("cancelledAt").DateTimeOK()
	for _, key := range []string{"lastFinishedAt", "lastRunAt", "failedAt", "cancelledAt"} {
		value := found.Lookup(key)
		if value.Type == 0 || value.Type == bson.TypeNull {
			filter = append(filter, bson.E{Key: key, Value: nil})
			continue
		}
		at, isDate := value.DateTimeOK()
		switch {
		case !isDate,
			key == "lastRunAt" && at > max(ended, cancelled),
			key == "failedAt" && at >= ended,
			key == "cancelledAt" && at >= before.UnixMilli():
			return nil, false
		}
		filter = append(filter, bson.E{Key: key, Value: bson.DateTime(at)})
	}
	return filter, true
}
