// Package cluster holds what only a cluster's administrator does: distributing
// collections over shards, and making a database user for inspection.
package cluster

import (
	"context"
	"fmt"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/etrainer/backend/migrations/internal/migrate"
	"github.com/etrainer/backend/pkg/mongodb"
	"github.com/etrainer/backend/pkg/schema"
)

// Shard lists what distributes the collections by their shard keys. It refuses
// a server that is no sharded cluster. What is sharded already is left alone.
func Shard(ctx context.Context, db *mongo.Database, capabilities mongodb.Capabilities, jobs string) ([]migrate.Action, error) {
	if capabilities.Topology != mongodb.TopologySharded {
		return nil, fmt.Errorf("%w: this server is a %s and no sharded cluster, so there is nothing to distribute; "+
			"connect to a mongos, or to an Atlas cluster with shards", migrate.ErrRefused, capabilities.Topology)
	}
	sharded, err := shardedBy(ctx, db)
	if err != nil {
		return nil, err
	}
	var actions []migrate.Action
	if len(sharded) == 0 {
		actions = append(actions, migrate.Action{Text: "enable sharding for the database " + db.Name(), Do: func(ctx context.Context) error {
			return command(ctx, db, bson.D{{Key: "enableSharding", Value: db.Name()}})
		}})
	}
	for _, c := range schema.Collections(jobs) {
		key, done := sharded[c.Name]
		switch {
		case c.ShardKey == nil && !done:
			actions = append(actions, migrate.Remark(c.Name, "stays on one shard"))
		case done && !(mongodb.StoredIndex{Keys: key}).HasKeys(c.ShardKey):
			actions = append(actions, migrate.Remark(c.Name, "is sharded by %v already, and is left alone", key))
		case !done:
			actions = append(actions, migrate.Action{
				Collection: c.Name, Text: fmt.Sprintf("shard by %s", schema.Index{Keys: c.ShardKey}),
				Do: func(ctx context.Context) error {
					return command(ctx, db, bson.D{{Key: "shardCollection", Value: db.Name() + "." + c.Name}, {Key: "key", Value: c.ShardKey}})
				},
			})
		}
	}
	return actions, nil
}

// shardedBy reads the shard keys of the collections that have one.
func shardedBy(ctx context.Context, db *mongo.Database) (map[string]bson.D, error) {
	prefix := db.Name() + "."
	cursor, err := db.Client().Database("config").Collection("collections").Find(ctx, bson.D{
		{Key: "_id", Value: bson.D{{Key: "$gte", Value: prefix}, {Key: "$lt", Value: db.Name() + "/"}}},
	})
	if err != nil {
		return nil, fmt.Errorf("read what is sharded: %w", err)
	}
	var found []struct {
		Namespace string `bson:"_id"`
		Key       bson.D `bson:"key"`
		Dropped   bool   `bson:"dropped"`
	}
	if err := cursor.All(ctx, &found); err != nil {
		return nil, fmt.Errorf("read what is sharded: %w", err)
	}
	keys := map[string]bson.D{}
	for _, c := range found {
		if !c.Dropped {
			keys[c.Namespace[len(prefix):]] = c.Key
		}
	}
	return keys, nil
}

func command(ctx context.Context, db *mongo.Database, c bson.D) error {
	return db.Client().Database("admin").RunCommand(ctx, c).Err()
}
