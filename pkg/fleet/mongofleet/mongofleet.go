// Package mongofleet keeps the fleet's registry in the MongoDB collection
// agendaInstances.
package mongofleet

import (
	"context"
	"fmt"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/etrainer/backend/pkg/fleet"
	"github.com/etrainer/backend/pkg/schema"
)

// Collection is the name of the collection.
const Collection = schema.Instances

// Registry implements fleet.Registry. It is safe for concurrent use.
type Registry struct {
	instances *mongo.Collection
	now       func() time.Time
}

var _ fleet.Registry = (*Registry)(nil)

// New returns a Registry on a database. now is the server's clock.
func New(db *mongo.Database, now func() time.Time) *Registry {
	return &Registry{instances: db.Collection(Collection), now: now}
}

// document is an Instance as it is stored. Job names may contain dots and
// dollar signs, so they are values and not keys.
type document struct {
	fleet.Instance `bson:",inline"`
	Runs           []nameLimit `bson:"runs,omitempty"`
}

type nameLimit struct {
	Name  string `bson:"name"`
	Limit int    `bson:"limit"`
}

// Register implements fleet.Registry.
func (r *Registry) Register(ctx context.Context, self fleet.Instance) error {
	stored := document{Instance: self}
	for name, limit := range self.Names {
		stored.Runs = append(stored.Runs, nameLimit{Name: name, Limit: limit})
	}
	_, err := r.instances.ReplaceOne(ctx, bson.D{{Key: "_id", Value: self.ID}}, stored, options.Replace().SetUpsert(true))
	return wrap(err, "register "+self.ID)
}

// Beat implements fleet.Registry.
func (r *Registry) Beat(ctx context.Context, self fleet.Instance) error {
	result, err := r.instances.UpdateOne(ctx, bson.D{{Key: "_id", Value: self.ID}}, bson.D{{Key: "$set", Value: bson.D{
		{Key: "seenAt", Value: self.SeenAt},
		{Key: "expiresAt", Value: self.ExpiresAt},
		{Key: "inFlight", Value: self.InFlight},
		{Key: "draining", Value: self.Draining},
		{Key: "memory", Value: int64(self.Memory)},
		{Key: "parent", Value: self.Parent},
	}}})
	if err != nil {
		return fmt.Errorf("beat of %s: %w", self.ID, err)
	}
	if result.MatchedCount == 0 {
		return fleet.ErrDeclaredDead
	}
	return nil
}

// Leave implements fleet.Registry.
func (r *Registry) Leave(ctx context.Context, id string) error {
	_, err := r.instances.DeleteOne(ctx, bson.D{{Key: "_id", Value: id}})
	return wrap(err, "leave as "+id)
}

// Instances implements fleet.Registry.
func (r *Registry) Instances(ctx context.Context) ([]fleet.Instance, error) {
	cursor, err := r.instances.Find(ctx, bson.D{}, options.Find().SetSort(bson.D{{Key: "startedAt", Value: 1}, {Key: "_id", Value: 1}}))
	if err != nil {
		return nil, fmt.Errorf("list instances: %w", err)
	}
	var stored []document
	if err := cursor.All(ctx, &stored); err != nil {
		return nil, fmt.Errorf("read instances: %w", err)
	}
	instances := make([]fleet.Instance, len(stored))
	for i, d := range stored {
		instances[i] = d.Instance
		if len(d.Runs) > 0 {
			instances[i].Names = make(map[string]int, len(d.Runs))
		}
		for _, run := range d.Runs {
			instances[i].Names[run.Name] = run.Limit
		}
	}
	return instances, nil
}

// Bury implements fleet.Registry.
func (r *Registry) Bury(ctx context.Context, id string) (bool, error) {
	result, err := r.instances.DeleteOne(ctx, bson.D{
		{Key: "_id", Value: id}, {Key: "expiresAt", Value: bson.D{{Key: "$lte", Value: r.now()}}},
	})
	if err != nil {
		return false, fmt.Errorf("bury %s: %w", id, err)
	}
	return result.DeletedCount == 1, nil
}

func wrap(err error, operation string) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", operation, err)
}
