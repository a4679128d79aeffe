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
	"github.com/etrainer/backend/pkg/queue"
	"github.com/etrainer/backend/pkg/schema"
)

// Collection is the name of the collection.
const Collection = schema.Instances

// Registry implements fleet.Registry. It is safe for concurrent use.
type Registry struct {
	instances *mongo.Collection
	now       func() time.Time
	problems  *queue.Problems // nil = documents that are no instances are left out without a word
}

var _ fleet.Registry = (*Registry)(nil)

// New returns a Registry on a database. now is the server's clock.
func New(db *mongo.Database, now func() time.Time) *Registry {
	return &Registry{instances: db.Collection(Collection), now: now}
}

// Reporting returns a Registry that tells of documents that are no instances.
func (r *Registry) Reporting(problems *queue.Problems) *Registry {
	told := *r
	told.problems = problems
	return &told
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
	fields := bson.D{
		{Key: "seenAt", Value: self.SeenAt},
		{Key: "expiresAt", Value: self.ExpiresAt},
		{Key: "inFlight", Value: self.InFlight},
		{Key: "draining", Value: self.Draining},
		{Key: "memory", Value: int64(self.Memory)},
		{Key: "parent", Value: self.Parent},
		{Key: "endsAt", Value: dateOrNull(self.EndsAt)},
	}
	if self.Problems != nil {
		fields = append(fields, bson.E{Key: "problems", Value: self.Problems})
	}
	result, err := r.instances.UpdateOne(ctx, bson.D{{Key: "_id", Value: self.ID}}, bson.D{{Key: "$set", Value: fields}})
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

// Bury implements fleet.Registry.
func (r *Registry) Bury(ctx context.Context, dead fleet.Instance) (bool, error) {
	result, err := r.instances.DeleteOne(ctx, bson.D{
		{Key: "_id", Value: dead.ID},
		{Key: "seenAt", Value: dead.SeenAt},
		{Key: "expiresAt", Value: bson.D{{Key: "$lte", Value: r.now()}}},
	})
	if err != nil {
		return false, fmt.Errorf("bury %s: %w", dead.ID, err)
	}
	return result.DeletedCount == 1, nil
}

func dateOrNull(at time.Time) any {
	if at.IsZero() {
		return nil
	}
	return at
}

func wrap(err error, operation string) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", operation, err)
}
