package backupmongo

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/etrainer/backend/pkg/mongodb"
	"github.com/etrainer/backend/worker/internal/backup"
)

// Clear implements backup.Target.
func (d *Database) Clear(ctx context.Context) error {
	specifications, err := list(ctx, d.db)
	if err != nil {
		return err
	}
	for _, s := range specifications {
		if err := d.db.Collection(s.Name).Drop(ctx); err != nil {
			return fmt.Errorf("drop %s: %w", s.Name, err)
		}
	}
	return nil
}

// CreateCollection implements backup.Target.
func (d *Database) CreateCollection(ctx context.Context, c backup.Collection) error {
	m, err := parseMetadata(c)
	if err != nil {
		return err
	}
	var options bson.D
	if len(m.Options) > 0 {
		if err := bson.Unmarshal(m.Options, &options); err != nil {
			return fmt.Errorf("read the options of %s: %w", c.Name, err)
		}
	}
	command := bson.D{{Key: "create", Value: c.Name}}
	for _, option := range options {
		if option.Key != "uuid" && option.Key != "autoIndexId" { // servers refuse them now
			command = append(command, option)
		}
	}
	return d.db.RunCommand(ctx, command).Err()
}

// Insert implements backup.Target. What was valid when it was stored is
// restored although the rules may have become stricter since.
func (d *Database) Insert(ctx context.Context, collection string, documents [][]byte) error {
	page := make([]bson.Raw, len(documents))
	for i, document := range documents {
		page[i] = document
		if err := page[i].Validate(); err != nil {
			return fmt.Errorf("a document is not valid BSON: %w", err)
		}
	}
	insert := options.InsertMany()
	if d.capabilities.Engine == mongodb.EngineMongoDB {
		insert.SetBypassDocumentValidation(true)
	}
	_, err := d.db.Collection(collection).InsertMany(ctx, page, insert)
	return err
}

// CreateIndexes implements backup.Target. One command makes them all, for which
// the server reads the collection once; if it refuses, they are made one by one,
// so that the refusal has a name and the others are there.
func (d *Database) CreateIndexes(ctx context.Context, c backup.Collection) error {
	m, err := parseMetadata(c)
	if err != nil {
		return err
	}
	var names []string
	var definitions bson.A
	for _, index := range m.Indexes {
		if isMadeWithCollection(index) {
			continue
		}
		definition, err := portable(index)
		if err != nil {
			return fmt.Errorf("index %s: %w", nameOf(index), err)
		}
		names, definitions = append(names, nameOf(index)), append(definitions, definition)
	}
	if len(definitions) == 0 || d.createIndexes(ctx, c.Name, definitions...) == nil {
		return nil
	}
	var failures []error
	for i, definition := range definitions {
		if err := d.createIndexes(ctx, c.Name, definition); err != nil {
			failures = append(failures, fmt.Errorf("index %s: %w", names[i], err))
		}
	}
	return errors.Join(failures...)
}

func (d *Database) createIndexes(ctx context.Context, collection string, definitions ...any) error {
	return d.db.RunCommand(ctx, bson.D{
		{Key: "createIndexes", Value: collection}, {Key: "indexes", Value: bson.A(definitions)},
	}).Err()
}

// isMadeWithCollection reports whether an index is there from the beginning.
func isMadeWithCollection(index bson.Raw) bool {
	clustered, _ := index.Lookup("clustered").BooleanOK()
	return clustered || nameOf(index) == idIndex
}

// CompareIndexes implements backup.Target.
func (d *Database) CompareIndexes(ctx context.Context, c backup.Collection) ([]string, error) {
	m, err := parseMetadata(c)
	if err != nil {
		return nil, err
	}
	present, err := indexesOf(ctx, d.db.Collection(c.Name))
	if err != nil {
		return nil, fmt.Errorf("list the indexes: %w", err)
	}
	want, err := textOf(m.Indexes)
	if err != nil {
		return nil, err
	}
	got, err := textOf(present)
	if err != nil {
		return nil, err
	}
	var differences []string
	for name, definition := range want {
		switch found, ok := got[name]; {
		case !ok:
			differences = append(differences, "the index "+name+" is missing")
		case found != definition:
			differences = append(differences, fmt.Sprintf("the index %s is %s, and in the backup %s", name, found, definition))
		}
	}
	for name := range got {
		if _, ok := want[name]; !ok {
			differences = append(differences, "the index "+name+" is not in the backup")
		}
	}
	slices.Sort(differences)
	return differences, nil
}

// textOf gives each index a text that is equal for equal indexes: its key
// in order, and its options by name.
func textOf(indexes []bson.Raw) (map[string]string, error) {
	out := map[string]string{}
	for _, index := range indexes {
		definition, err := portable(index)
		if err != nil {
			return nil, err
		}
		slices.SortFunc(definition, func(a, b bson.E) int { return cmp.Compare(a.Key, b.Key) })
		text, err := bson.MarshalExtJSON(definition, false, false)
		if err != nil {
			return nil, err
		}
		out[nameOf(index)] = string(text)
	}
	return out, nil
}
