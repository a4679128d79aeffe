package mongodb

import (
	"context"
	"errors"
	"fmt"

	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/etrainer/backend/pkg/schema"
)

// Refusal is an index that the engine, or the stored data, did not allow.
type Refusal struct {
	Collection string
	Index      schema.Index
	Err        error
}

// CreateIndexes creates the indexes of the collections that are missing. It
// goes on after a refusal and returns them all; what the index's Without says
// is then what happens. The error is that of a server that does not answer.
func CreateIndexes(ctx context.Context, db *mongo.Database, collections []schema.Collection) ([]Refusal, error) {
	var refusals []Refusal
	for _, c := range collections {
		for _, index := range c.Indexes { // one by one: FerretDB 1.24 breaks the connection when several exist already
			err := CreateIndex(ctx, db.Collection(c.Name), index)
			if refused, ok := errors.AsType[mongo.ServerError](err); ok && !mongo.IsNetworkError(err) {
				refusals = append(refusals, Refusal{Collection: c.Name, Index: index, Err: refused})
				continue
			}
			if err != nil {
				return refusals, err
			}
		}
	}
	return refusals, nil
}

// CreateIndex creates one index. One that is there already, with the same
// name, keys and options, is left alone.
func CreateIndex(ctx context.Context, collection *mongo.Collection, index schema.Index) error {
	o := options.Index().SetName(index.IndexName())
	if index.Unique {
		o.SetUnique(true)
	}
	if index.Partial != nil {
		o.SetPartialFilterExpression(index.Partial)
	}
	if index.TTL {
		o.SetExpireAfterSeconds(0)
	}
	if _, err := collection.Indexes().CreateOne(ctx, mongo.IndexModel{Keys: index.Keys, Options: o}); err != nil {
		return fmt.Errorf("create the index %s of %s: %w", index.IndexName(), collection.Name(), err)
	}
	return nil
}
