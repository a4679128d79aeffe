package mongodb

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/etrainer/backend/pkg/schema"
)

// namespaceNotFound is the server's code for a collection that is not there.
const namespaceNotFound = 26

// StoredIndex is one index as the server has it.
type StoredIndex struct {
	Name    string   `bson:"name"`
	Keys    bson.D   `bson:"key"`
	Unique  bool     `bson:"unique"`
	Sparse  bool     `bson:"sparse"`
	Partial bson.Raw `bson:"partialFilterExpression"`
	Expires any      `bson:"expireAfterSeconds"`
}

// ListIndexes lists the indexes of a collection but for that of _id. A
// collection that is not there has none.
func ListIndexes(ctx context.Context, collection *mongo.Collection) ([]StoredIndex, error) {
	var all []StoredIndex
	cursor, err := collection.Indexes().List(ctx)
	if err == nil {
		err = cursor.All(ctx, &all)
	}
	if refused, ok := errors.AsType[mongo.ServerError](err); ok && refused.HasErrorCode(namespaceNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list the indexes of %s: %w", collection.Name(), err)
	}
	indexes := all[:0]
	for _, index := range all {
		if index.Name != "_id_" {
			indexes = append(indexes, index)
		}
	}
	return indexes, nil
}

// HasKeys reports that the index has these fields, in this order and
// direction. A hashed or text index never has.
func (s StoredIndex) HasKeys(keys bson.D) bool {
	if len(s.Keys) != len(keys) {
		return false
	}
	for i, key := range keys {
		stored, ok := direction(s.Keys[i].Value)
		wanted, _ := direction(key.Value)
		if s.Keys[i].Key != key.Key || !ok || stored != wanted {
			return false
		}
	}
	return true
}

// Is reports that the index does what is declared, whatever its name.
func (s StoredIndex) Is(declared schema.Index) bool {
	return s.HasKeys(declared.Keys) && s.Unique == declared.Unique && !s.Sparse &&
		(s.Expires != nil) == declared.TTL && samePartial(s.Partial, declared.Partial)
}

// Retired finds the index among those that an earlier release made. One with
// other keys or options is not it, whatever its name; and Agenda's own is never
// one. jobs is the name of the job collection.
func (s StoredIndex) Retired(collection, jobs string) (schema.Retired, bool) {
	for _, r := range schema.RetiredIndexes(jobs) {
		if r.Collection == collection && r.Index.Name == s.Name && s.Is(r.Index) {
			return r, true
		}
	}
	return schema.Retired{}, false
}

func samePartial(stored bson.Raw, declared bson.D) bool {
	if declared == nil || stored == nil {
		return declared == nil && stored == nil
	}
	wanted, err := bson.Marshal(declared)
	return err == nil && bytes.Equal(stored, wanted)
}

func direction(value any) (int, bool) {
	switch n := value.(type) {
	case int:
		return n, true
	case int32:
		return int(n), true
	case int64:
		return int(n), true
	case float64:
		return int(n), true
	default:
		return 0, false
	}
}

// Difference is what is between the indexes of a collection and what is
// declared.
type Difference struct {
	Missing  []schema.Index
	Changed  []Change      // there with the same keys and other options
	Occupied []Change      // another index has the name
	Extra    []StoredIndex // not declared
}

// Change is a declared index and the stored one in its place.
type Change struct {
	Declared schema.Index
	Stored   StoredIndex
}

// CompareIndexes compares what is stored with what is declared.
func CompareIndexes(stored []StoredIndex, declared []schema.Index) Difference {
	var d Difference
	used := map[string]bool{}
	for _, index := range declared {
		at, found := place(stored, index)
		switch {
		case !found:
			d.Missing = append(d.Missing, index)
			continue
		case stored[at].Is(index):
		case stored[at].HasKeys(index.Keys):
			d.Changed = append(d.Changed, Change{index, stored[at]})
		default:
			d.Occupied = append(d.Occupied, Change{index, stored[at]})
		}
		used[stored[at].Name] = true
	}
	for _, index := range stored {
		if !used[index.Name] {
			d.Extra = append(d.Extra, index)
		}
	}
	return d
}

// place finds the index that is the declared one, else the one that is in its
// way: MongoDB refuses a second index with the same name. Equal keys with
// another partial filter may stand side by side.
func place(stored []StoredIndex, declared schema.Index) (at int, found bool) {
	for _, fits := range []func(StoredIndex) bool{
		func(s StoredIndex) bool { return s.Is(declared) },
		func(s StoredIndex) bool { return s.Name == declared.IndexName() },
		func(s StoredIndex) bool { return s.HasKeys(declared.Keys) && samePartial(s.Partial, declared.Partial) },
	} {
		for i, s := range stored {
			if fits(s) {
				return i, true
			}
		}
	}
	return 0, false
}
