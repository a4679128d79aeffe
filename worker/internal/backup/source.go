package backup

import (
	"context"
	"errors"
)

// The kinds of collections that a backup carries.
const (
	KindCollection = "collection"
	KindView       = "view" // has metadata and no documents
)

// Engine is what served the database.
type Engine struct {
	Name     string `json:"name"`     // "mongodb" or "ferretdb"
	Version  string `json:"version"`  // the engine's own
	Topology string `json:"topology"` // "standalone", "replica set" or "sharded"
}

// Collection is one collection or view, without its documents.
type Collection struct {
	Name string
	Kind string // KindCollection or KindView
	// Metadata is the text of mongodump's .metadata.json: options and indexes.
	Metadata []byte
	// Estimate is about how many documents it has, for the progress.
	Estimate int64
}

// Consistency tells whether all collections are read at one point in time.
type Consistency struct {
	Consistent bool
	Why        string // one sentence, either way
}

// Source is a database to copy.
type Source interface {
	// Database is its name.
	Database() string
	// Engine tells what serves it.
	Engine() Engine
	// Open begins to read it, at one point in time where the engine can.
	Open(ctx context.Context) (Reader, error)
}

// Reader reads a database. It belongs to one goroutine.
type Reader interface {
	// Collections lists what a backup has to carry, in order of the names. A
	// collection that cannot be carried is an error, unless it is skipped.
	Collections(ctx context.Context, skip func(name string) bool) ([]Collection, error)
	// Documents calls each with every document of a collection, as BSON that is
	// valid until each returns. ErrSnapshotLost = the point in time is no
	// longer to be had.
	Documents(ctx context.Context, collection string, each func(document []byte) error) error
	// Consistency tells what holds so far.
	Consistency() Consistency
	// Loosen gives up the point in time, for a reason that Consistency tells
	// from then on. Documents reads the present.
	Loosen(reason error)
	// Close ends the reading.
	Close(ctx context.Context)
}

// ErrSnapshotLost means that the server keeps no history that far back.
var ErrSnapshotLost = errors.New("the server no longer has the snapshot that this backup reads")

// Target is a database to fill.
type Target interface {
	Source
	// Clear drops every collection that Collections lists.
	Clear(ctx context.Context) error
	// CreateCollection makes a collection or a view with the options of its
	// metadata, and without its indexes.
	CreateCollection(ctx context.Context, collection Collection) error
	// Insert adds documents, each a BSON, in order.
	Insert(ctx context.Context, collection string, documents [][]byte) error
	// CreateIndexes makes the indexes of the metadata. It tries all, and
	// returns every failure with the name of the index.
	CreateIndexes(ctx context.Context, collection Collection) error
	// CompareIndexes returns how the indexes of the collection differ from
	// those of the metadata, one sentence each.
	CompareIndexes(ctx context.Context, collection Collection) ([]string, error)
}
