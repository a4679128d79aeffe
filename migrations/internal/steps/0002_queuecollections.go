package steps

import (
	"context"
	"fmt"
	"slices"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/etrainer/backend/migrations/internal/migrate"
	"github.com/etrainer/backend/pkg/schema"
)

// ours are the collections of the queue that Agenda does not have.
var ours = []string{schema.Runs, schema.Instances, schema.Settings}

// queueCollections makes them by name, so that rights, zones and shard keys
// can be given before the first document.
func queueCollections() migrate.Step {
	return migrate.Step{
		Number: 2, Name: "queue-collections", Why: "makes the collections of the queue that Agenda does not have",
		Plan: func(ctx context.Context, target migrate.Target) ([]migrate.Action, error) {
			there, err := target.DB.ListCollectionNames(ctx, bson.D{})
			if err != nil {
				return nil, fmt.Errorf("list the collections: %w", err)
			}
			var actions []migrate.Action
			for _, name := range ours {
				if !slices.Contains(there, name) {
					actions = append(actions, migrate.Action{
						Collection: name, Text: "make the collection", Makes: name,
						Do: func(ctx context.Context) error { return target.DB.CreateCollection(ctx, name) },
					})
				}
			}
			return actions, nil
		},
		Undo: removeEmpty,
	}
}

// removeEmpty takes back only what holds nothing: history is not thrown away
// on the way back, and Agenda does not mind the collections.
func removeEmpty(ctx context.Context, target migrate.Target, made []string) ([]migrate.Action, error) {
	var actions []migrate.Action
	for _, name := range made {
		collection := target.DB.Collection(name)
		n, err := collection.EstimatedDocumentCount(ctx)
		if err != nil {
			return nil, fmt.Errorf("count %s: %w", name, err)
		}
		if n > 0 {
			actions = append(actions, migrate.Remark(name, "kept: it holds %d %s", n, plural(int(n), "document", "documents")))
			continue
		}
		actions = append(actions, migrate.Action{
			Collection: name, Text: "drop the empty collection",
			Do: func(ctx context.Context) error { return collection.Drop(ctx) },
		})
	}
	return actions, nil
}
