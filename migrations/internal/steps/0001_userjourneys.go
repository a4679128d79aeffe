package steps

import (
	"context"

	"github.com/etrainer/backend/migrations/internal/migrate"
	"github.com/etrainer/backend/pkg/mongodb"
	"github.com/etrainer/backend/pkg/schema"
)

// userJourneys removes the one index that is harmful. The indexes that we
// need come last, and among them the same one without the condition.
func userJourneys() migrate.Step {
	return migrate.Step{
		Number: 1, Name: "userjourneys", Why: "removes the Node backend's unique index on userjourneys.user, which refuses a user's second journey",
		Plan: func(ctx context.Context, target migrate.Target) ([]migrate.Action, error) {
			journeys := target.DB.Collection(schema.UserJourneys)
			stored, err := mongodb.ListIndexes(ctx, journeys)
			if err != nil {
				return nil, err
			}
			var actions []migrate.Action
			for _, index := range stored {
				if harmful(index) {
					actions = append(actions, migrate.Action{
						Collection: journeys.Name(), Text: "drop the unique index " + index.Name,
						Do: func(ctx context.Context) error { return dropIndex(ctx, journeys, index.Name) },
					})
				}
			}
			return actions, nil
		},
		Irreversible: "the unique index on userjourneys.user is wrong, and cannot be built once a user has two journeys",
	}
}

func harmful(index mongodb.StoredIndex) bool {
	for _, node := range schema.NodeIndexes("") {
		if node.Verdict == schema.Harmful && index.HasKeys(node.Keys) && index.Unique == node.Unique && index.Partial == nil {
			return true
		}
	}
	return false
}
