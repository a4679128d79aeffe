package mongodb

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/etrainer/backend/pkg/config"
	"github.com/etrainer/backend/pkg/schema"
)

// SchemaState reads what the database says of its schema: one command. A
// database that was never migrated has the zero State.
func SchemaState(ctx context.Context, db *mongo.Database) (schema.State, error) {
	var state schema.State
	err := db.Collection(schema.MigrationsCollection).FindOne(ctx, bson.D{{Key: "_id", Value: schema.StateID}},
		options.FindOne().SetProjection(bson.D{{Key: "version", Value: 1}, {Key: "readableFrom", Value: 1}, {Key: "indexes", Value: 1}}),
	).Decode(&state)
	if err != nil && !errors.Is(err, mongo.ErrNoDocuments) {
		return schema.State{}, fmt.Errorf("read the schema version: %w", err)
	}
	return state, nil
}

// PrepareSchema makes every declared index that the server allows and records
// the schema as that of this release. It is for databases that begin empty and
// end soon, in tests and benchmarks; "migrate up" is for all others.
func PrepareSchema(ctx context.Context, db *mongo.Database, jobs string) error {
	collections := schema.Collections(jobs)
	if _, err := CreateIndexes(ctx, db, collections); err != nil {
		return err
	}
	_, err := db.Collection(schema.MigrationsCollection).UpdateOne(ctx, bson.D{{Key: "_id", Value: schema.StateID}},
		bson.D{{Key: "$set", Value: schema.State{Version: schema.Version, Indexes: schema.Fingerprint(collections)}}},
		options.UpdateOne().SetUpsert(true))
	if err != nil {
		return fmt.Errorf("record the schema version: %w", err)
	}
	return nil
}

// CheckSchema refuses a database whose schema this program cannot work with.
// The error is a config.ErrConfig then: a restart does not help, the command
// that it names does. Indexes that are not those of this release only cost
// time, and are logged. jobs is the name of the job collection. It waits for a
// database that is away.
func CheckSchema(ctx context.Context, db *mongo.Database, jobs string, log *slog.Logger) error {
	var state schema.State
	err := Persist(ctx, log, func(ctx context.Context) (err error) {
		state, err = SchemaState(ctx, db)
		return err
	})
	if err != nil {
		return err
	}
	if err := schema.This.Check(state); err != nil {
		return fmt.Errorf("%w: %w", config.ErrConfig, err)
	}
	if state.Version == schema.Version && state.Indexes != schema.Fingerprint(schema.Collections(jobs)) {
		log.WarnContext(ctx, "the indexes of the database are not those of this release; run: migrate up")
	}
	return nil
}
