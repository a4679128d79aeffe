package steps

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/etrainer/backend/migrations/internal/migrate"
	"github.com/etrainer/backend/pkg/mongodb"
	"github.com/etrainer/backend/pkg/schema"
)

// indexes makes every index of package schema, and then drops those that an
// earlier release made and that have retired. It repeats: whoever declares or
// retires an index there needs no step of their own.
func indexes(jobs string) migrate.Step {
	return migrate.Step{
		Number: 5, Name: "indexes", Why: "makes the indexes that the code relies on, and reports those that nothing uses",
		Content: schema.Fingerprint(schema.Collections(jobs)), Repeats: true,
		Plan: func(ctx context.Context, target migrate.Target) ([]migrate.Action, error) {
			var actions []migrate.Action
			for _, c := range withNodeCollections(jobs) {
				collection := target.DB.Collection(c.Name)
				stored, err := mongodb.ListIndexes(ctx, collection)
				if err != nil {
					return nil, err
				}
				actions = append(actions, planIndexes(target, collection, mongodb.CompareIndexes(stored, c.Indexes))...)
			}
			return actions, nil
		},
		Undo: dropMade,
	}
}

// withNodeCollections is every declared collection, and those in which only
// the Node backend made indexes.
func withNodeCollections(jobs string) []schema.Collection {
	all := schema.Collections(jobs)
	for _, node := range schema.NodeIndexes(jobs) {
		if _, known := schema.Find(all, node.Collection); !known {
			all = append(all, schema.Collection{Name: node.Collection})
		}
	}
	return all
}

func planIndexes(target migrate.Target, collection *mongo.Collection, d mongodb.Difference) []migrate.Action {
	name := collection.Name()
	var actions []migrate.Action
	for _, index := range d.Missing {
		if !makeable(target.Capabilities, index) {
			actions = append(actions, migrate.Remark(name, "the engine cannot make the index %s %s: %s", index.IndexName(), index, index.Without))
			continue
		}
		actions = append(actions, migrate.Action{
			Collection: name, Text: fmt.Sprintf("make the index %s %s, for %s", index.IndexName(), index, index.Serves),
			Makes: name + "/" + index.IndexName(),
			Do:    func(ctx context.Context) error { return build(ctx, collection, index) },
		})
	}
	for _, change := range d.Changed {
		if !makeable(target.Capabilities, change.Declared) {
			continue
		}
		actions = append(actions, migrate.Action{
			Collection: name, Text: fmt.Sprintf("make the index %s anew as %s: it has other options", change.Stored.Name, change.Declared),
			Do: func(ctx context.Context) error {
				if err := dropIndex(ctx, collection, change.Stored.Name); err != nil {
					return err
				}
				return build(ctx, collection, change.Declared)
			},
		})
	}
	for _, change := range d.Occupied {
		actions = append(actions, migrate.Remark(name, "the index %s has other keys than %s and is left alone: a Node process with another sort order would not start without it",
			change.Stored.Name, change.Declared))
	}
	for _, index := range d.Extra { // last: what is there in their place is there by now
		actions = append(actions, extra(target, collection, index)...)
	}
	return actions
}

// extra says what is to be thought of an index that is not declared.
func extra(target migrate.Target, collection *mongo.Collection, index mongodb.StoredIndex) []migrate.Action {
	if r, found := index.Retired(collection.Name(), target.Jobs); found {
		return []migrate.Action{{
			Collection: collection.Name(), Text: fmt.Sprintf("drop the index %s %s, which an earlier release made: %s replaces it", index.Name, r.Index, r.By),
			Do: func(ctx context.Context) error { return dropIndex(ctx, collection, index.Name) },
		}}
	}
	at := slices.IndexFunc(schema.NodeIndexes(target.Jobs), func(n schema.NodeIndex) bool {
		return n.Collection == collection.Name() && index.HasKeys(n.Keys) && index.Unique == n.Unique
	})
	if at < 0 {
		return []migrate.Action{migrate.Remark(collection.Name(), "the index %s is not ours and is left alone", index.Name)}
	}
	node := schema.NodeIndexes(target.Jobs)[at]
	switch {
	case node.Verdict == schema.Useless && target.DropUseless:
		return []migrate.Action{{
			Collection: collection.Name(), Text: fmt.Sprintf("drop the useless index %s: %s", index.Name, node.Why),
			Do: func(ctx context.Context) error { return dropIndex(ctx, collection, index.Name) },
		}}
	case node.Verdict == schema.Useless:
		return []migrate.Action{migrate.Remark(collection.Name(), "the index %s is useless: %s; --drop-useless drops it", index.Name, node.Why)}
	default: // kept, or removed by its own step
		return nil
	}
}

// makeable reports whether the engine can make an index.
func makeable(c mongodb.Capabilities, index schema.Index) bool {
	return (!index.TTL || c.TTL) && (index.Partial == nil || c.PartialIndexes)
}

// build creates an index, and explains the one failure that is the data's.
func build(ctx context.Context, collection *mongo.Collection, index schema.Index) error {
	err := mongodb.CreateIndex(ctx, collection, index)
	if mongo.IsDuplicateKeyError(err) {
		return fmt.Errorf("two documents of %s have the same %s; merge or change one of them, and run migrate up again: %w",
			collection.Name(), index, err)
	}
	return err
}

// dropIndex drops an index; one that is gone already is fine.
func dropIndex(ctx context.Context, collection *mongo.Collection, name string) error {
	const indexNotFound, namespaceNotFound = 27, 26
	err := collection.Indexes().DropOne(ctx, name)
	refused, ok := errors.AsType[mongo.ServerError](err)
	if ok && (refused.HasErrorCode(indexNotFound) || refused.HasErrorCode(namespaceNotFound)) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("drop the index %s of %s: %w", name, collection.Name(), err)
	}
	return nil
}

// dropMade drops the indexes that were not there before us.
func dropMade(_ context.Context, target migrate.Target, made []string) ([]migrate.Action, error) {
	var actions []migrate.Action
	for _, path := range made {
		name, index, _ := strings.Cut(path, "/")
		if index == schema.AgendaIndex {
			continue // Node's Agenda makes it as well, and may have been first
		}
		collection := target.DB.Collection(name)
		actions = append(actions, migrate.Action{
			Collection: name, Text: "drop the index " + index,
			Do: func(ctx context.Context) error { return dropIndex(ctx, collection, index) },
		})
	}
	return actions, nil
}
