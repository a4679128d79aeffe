package measure

import (
	"context"
	"fmt"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/etrainer/backend/pkg/queue/mongoqueue"
	"github.com/etrainer/backend/tools/bench/internal/engine"
	"github.com/etrainer/backend/tools/bench/internal/ours"
)

// loopBatch is how many jobs each turn of the bare loop takes.
const loopBatch = 200

// bareLoop is the yardstick: the least that any worker on this collection must
// do, one step after the other, with nothing around it. It finds due jobs,
// claims them, reads them back and completes them. It keeps no history, runs
// no handlers and would lose jobs in a crash.
func (b *Bench) bareLoop(ctx context.Context, db *engine.Database, jobs int) (work, error) {
	collection := db.Database().Collection(mongoqueue.DefaultCollection)
	db.Counter.Reset()
	began := time.Now()
	for done := 0; done < jobs; {
		n, err := turn(ctx, collection, bson.NewObjectID().Hex())
		if err != nil {
			return work{}, err
		}
		if n == 0 {
			return work{}, fmt.Errorf("nothing is due after %d of %d jobs", done, jobs)
		}
		done += n
	}
	return work{seconds: time.Since(began).Seconds(), commands: float64(db.Counter.Total())}, nil
}

// turn does one batch and returns its size.
func turn(ctx context.Context, jobs *mongo.Collection, stamp string) (int, error) {
	now := time.Now()
	due := bson.D{
		{Key: "name", Value: ours.Name},
		{Key: "lockedAt", Value: nil},
		{Key: "nextRunAt", Value: bson.D{{Key: "$lte", Value: now}}},
		{Key: "disabled", Value: bson.D{{Key: "$ne", Value: true}}},
	}
	found, err := ids(ctx, jobs, due, options.Find().SetLimit(loopBatch).SetProjection(bson.D{{Key: "_id", Value: 1}}).
		SetSort(bson.D{{Key: "nextRunAt", Value: 1}, {Key: "priority", Value: -1}}))
	if err != nil || len(found) == 0 {
		return 0, err
	}
	among := bson.E{Key: "_id", Value: bson.D{{Key: "$in", Value: found}}}
	if _, err := jobs.UpdateMany(ctx, append(bson.D{among}, due...), bson.D{{Key: "$set", Value: bson.D{
		{Key: "lockedAt", Value: now}, {Key: "lastModifiedBy", Value: stamp}, {Key: "lastRunAt", Value: now}, {Key: "nextRunAt", Value: nil},
	}}}); err != nil {
		return 0, fmt.Errorf("claim: %w", err)
	}
	held := bson.D{among, {Key: "lastModifiedBy", Value: stamp}}
	claimed, err := ids(ctx, jobs, held, options.Find())
	if err != nil {
		return 0, err
	}
	if _, err := jobs.UpdateMany(ctx, held, bson.D{{Key: "$set", Value: bson.D{
		{Key: "lockedAt", Value: nil}, {Key: "lastFinishedAt", Value: time.Now()},
	}}}); err != nil {
		return 0, fmt.Errorf("complete: %w", err)
	}
	return len(claimed), nil
}

func ids(ctx context.Context, jobs *mongo.Collection, filter bson.D, o *options.FindOptionsBuilder) ([]bson.ObjectID, error) {
	cursor, err := jobs.Find(ctx, filter, o.SetBatchSize(loopBatch+1))
	if err != nil {
		return nil, fmt.Errorf("find: %w", err)
	}
	var documents []struct {
		ID bson.ObjectID `bson:"_id"`
	}
	if err := cursor.All(ctx, &documents); err != nil {
		return nil, fmt.Errorf("find: %w", err)
	}
	found := make([]bson.ObjectID, len(documents))
	for i, d := range documents {
		found[i] = d.ID
	}
	return found, nil
}
