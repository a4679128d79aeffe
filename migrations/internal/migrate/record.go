package migrate

import (
	"context"
	"fmt"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

// The states of a record.
const (
	Started = "started" // applying it was begun, and perhaps broken off
	Applied = "applied"
	Undone  = "undone"
)

// Record is what the database knows of a step: a document of the collection
// schema_migrations, whose _id is the step's number.
type Record struct {
	Number     int       `bson:"_id" json:"number"`
	Name       string    `bson:"name" json:"name"`
	State      string    `bson:"state" json:"state"`
	Checksum   string    `bson:"checksum" json:"checksum"`
	StartedAt  time.Time `bson:"startedAt" json:"startedAt"`
	FinishedAt time.Time `bson:"finishedAt,omitempty" json:"finishedAt,omitzero"`
	By         string    `bson:"by" json:"by"` // host, process id and release
	Did        []string  `bson:"did,omitempty" json:"did,omitempty"`
	Made       []string  `bson:"made,omitempty" json:"made,omitempty"`
}

// isRecord matches the records of steps among the other documents.
var isRecord = bson.D{{Key: "_id", Value: bson.D{{Key: "$type", Value: "number"}}}}

func (r *Runner) readRecords(ctx context.Context) (map[int]Record, error) {
	cursor, err := r.records.Find(ctx, isRecord)
	if err != nil {
		return nil, fmt.Errorf("read the records of steps: %w", err)
	}
	var all []Record
	if err := cursor.All(ctx, &all); err != nil {
		return nil, fmt.Errorf("read the records of steps: %w", err)
	}
	records := make(map[int]Record, len(all))
	for _, record := range all {
		records[record.Number] = record
	}
	return records, nil
}

// write changes the record of a step. The fence is part of the filter: after
// a later holder of the lock has written, an earlier one inserts a second
// document with the same _id, which is refused.
func (r *Runner) write(ctx context.Context, lock *lock, step Step, fields bson.D, also ...bson.E) error {
	filter := bson.D{
		{Key: "_id", Value: step.Number},
		{Key: "fence", Value: bson.D{{Key: "$not", Value: bson.D{{Key: "$gt", Value: lock.fence}}}}},
	}
	update := append(bson.D{{Key: "$set", Value: append(fields, bson.E{Key: "fence", Value: lock.fence})}}, also...)
	_, err := r.records.UpdateOne(ctx, filter, update, options.UpdateOne().SetUpsert(true))
	if mongo.IsDuplicateKeyError(err) {
		return ErrLockLost
	}
	if err != nil {
		return fmt.Errorf("record step %s: %w", step, err)
	}
	return nil
}

func (r *Runner) recordStart(ctx context.Context, lock *lock, step Step) error {
	return r.write(ctx, lock, step, bson.D{
		{Key: "name", Value: step.Name},
		{Key: "state", Value: Started},
		{Key: "checksum", Value: step.Checksum()},
		{Key: "startedAt", Value: r.target.Now()},
		{Key: "by", Value: r.holder},
	})
}

// recordAction is written before the action, so that what it makes is known
// however the process ends.
func (r *Runner) recordAction(ctx context.Context, lock *lock, step Step, action Action) error {
	added := bson.D{{Key: "did", Value: action.Text}}
	if action.Makes != "" {
		added = append(added, bson.E{Key: "made", Value: action.Makes})
	}
	return r.write(ctx, lock, step, nil, bson.E{Key: "$addToSet", Value: added})
}

func (r *Runner) recordEnd(ctx context.Context, lock *lock, step Step, state string, also ...bson.E) error {
	return r.write(ctx, lock, step, bson.D{
		{Key: "state", Value: state},
		{Key: "checksum", Value: step.Checksum()},
		{Key: "finishedAt", Value: r.target.Now()},
	}, also...)
}
