package backupmongo

import (
	"context"
	"encoding/hex"
	"fmt"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/etrainer/backend/worker/internal/backup"
)

// metadata is what mongodump stores beside the documents of a collection, as
// canonical Extended JSON, and what mongorestore reads.
type metadata struct {
	Options        bson.Raw   `bson:"options,omitempty"`
	Indexes        []bson.Raw `bson:"indexes"` // never nil: null stops mongorestore
	UUID           string     `bson:"uuid,omitempty"`
	CollectionName string     `bson:"collectionName"`
	Type           string     `bson:"type,omitempty"`
}

// emptyDocument is the length of a document without fields.
const emptyDocument = 5

func metadataOf(s specification) metadata {
	m := metadata{Indexes: []bson.Raw{}, CollectionName: s.Name, Type: s.Type}
	if len(s.Options) > emptyDocument { // mongodump writes no empty ones
		m.Options = s.Options
	}
	if _, uuid, ok := s.Info.UUID.BinaryOK(); ok {
		m.UUID = hex.EncodeToString(uuid)
	}
	return m
}

func (m metadata) encode() ([]byte, error) {
	text, err := bson.MarshalExtJSON(m, true, false)
	if err != nil {
		return nil, fmt.Errorf("encode the metadata: %w", err)
	}
	return text, nil
}

func parseMetadata(c backup.Collection) (metadata, error) {
	var m metadata
	if err := bson.UnmarshalExtJSON(c.Metadata, true, &m); err != nil {
		return m, fmt.Errorf("read the metadata of %s: %w", c.Name, err)
	}
	return m, nil
}

// idIndex is the index that every collection has from its beginning.
const idIndex = "_id_"

// indexesOf lists the indexes as the server does.
func indexesOf(ctx context.Context, collection *mongo.Collection) ([]bson.Raw, error) {
	cursor, err := collection.Indexes().List(ctx)
	if err != nil {
		return nil, err
	}
	indexes := []bson.Raw{}
	if err := cursor.All(ctx, &indexes); err != nil {
		return nil, err
	}
	return indexes, nil
}

// portable is an index without what belongs to the server that it was on: the
// version of its format, and the namespace.
func portable(index bson.Raw) (bson.D, error) {
	var all, out bson.D
	if err := bson.Unmarshal(index, &all); err != nil {
		return nil, err
	}
	for _, element := range all {
		if element.Key != "v" && element.Key != "ns" {
			out = append(out, element)
		}
	}
	return out, nil
}

// nameOf is the name of an index.
func nameOf(index bson.Raw) string {
	name, _ := index.Lookup("name").StringValueOK()
	return name
}
