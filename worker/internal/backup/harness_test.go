package backup_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/etrainer/backend/pkg/mongodb"
	"github.com/etrainer/backend/pkg/mongodb/mongotest"
	"github.com/etrainer/backend/worker/internal/backup"
	"github.com/etrainer/backend/worker/internal/backup/backupmongo"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(childDir); dir != "" {
		child(dir)
		return
	}
	mongotest.Main(m)
}

// embedded is what the engine of the tests can do.
var embedded = mongodb.Capabilities{Engine: mongodb.EngineFerretDB, Version: "1.24.2", Topology: mongodb.TopologyStandalone}

func of(db *mongo.Database) *backupmongo.Database { return backupmongo.Of(db, embedded) }

// began is when the backups of these tests start.
var began = time.Date(2026, 8, 17, 3, 0, 0, 0, time.UTC)

func at(t time.Time) func() time.Time { return func() time.Time { return t } }

func quiet() backup.CreateOptions { return backup.CreateOptions{Product: "v1.2.3", Now: at(began)} }

// seeded is a database with every BSON type that the embedded engine takes, in
// a collection with indexes, an empty one, and one with a name that is no file
// name.
func seeded(t *testing.T) *mongo.Database {
	t.Helper()
	db := mongotest.Database(t)
	ctx := t.Context()
	users := make([]any, 2500) // more than two pages
	for i := range users {
		users[i] = bson.D{
			{Key: "_id", Value: bson.NewObjectID()},
			{Key: "email", Value: fmt.Sprintf("học.viên%d@example.com", i)},
			{Key: "password", Value: "$2b$10$not.a.real.hash"},
			{Key: "age", Value: int32(i % 90)},
			{Key: "points", Value: int64(i) << 33},
			{Key: "mean", Value: float64(i) / 7},
			{Key: "active", Value: i%2 == 0},
			{Key: "nothing", Value: nil},
			{Key: "createdAt", Value: bson.NewDateTimeFromTime(began.Add(time.Duration(i) * time.Minute))},
			{Key: "streak", Value: bson.D{{Key: "count", Value: int32(i)}}},
			{Key: "tags", Value: bson.A{"a", int32(1), bson.D{{Key: "x", Value: int32(2)}}}},
			{Key: "bytes", Value: bson.Binary{Subtype: 0, Data: []byte{0, 1, 2, byte(i)}}},
			{Key: "pattern", Value: bson.Regex{Pattern: "^a", Options: "i"}},
			{Key: "at", Value: bson.Timestamp{T: 1, I: uint32(i)}},
		}
	}
	insert(t, db, "users", users...)
	insert(t, db, "điểm số/2026", bson.D{{Key: "_id", Value: "one"}, {Key: "v", Value: int32(1)}})
	if err := db.CreateCollection(ctx, "empty"); err != nil {
		t.Fatal(err)
	}
	indexes := []mongo.IndexModel{
		{Keys: bson.D{{Key: "email", Value: 1}}, Options: options.Index().SetUnique(true).SetName("email_once")},
		{Keys: bson.D{{Key: "streak.count", Value: -1}, {Key: "createdAt", Value: 1}}},
	}
	if _, err := db.Collection("users").Indexes().CreateMany(ctx, indexes); err != nil {
		t.Fatal(err)
	}
	return db
}

func insert(t *testing.T, db *mongo.Database, collection string, documents ...any) {
	t.Helper()
	if _, err := db.Collection(collection).InsertMany(t.Context(), documents); err != nil {
		t.Fatal(err)
	}
}

// create makes a backup that has to succeed.
func create(t *testing.T, db *mongo.Database, store backup.Store, o backup.CreateOptions) backup.Created {
	t.Helper()
	made, err := backup.Create(t.Context(), of(db), store, o)
	if err != nil {
		t.Fatalf("Create: %v", err)
	}
	return made
}

// content reads a whole database by itself: every document of every collection
// by its id, and every index.
func content(t *testing.T, db *mongo.Database) map[string][]string {
	t.Helper()
	ctx := t.Context()
	names, err := db.ListCollectionNames(ctx, bson.D{})
	if err != nil {
		t.Fatal(err)
	}
	out := map[string][]string{}
	for _, name := range names {
		out[name] = []string{}
		cursor, err := db.Collection(name).Find(ctx, bson.D{})
		if err != nil {
			t.Fatal(err)
		}
		var documents, indexes []bson.Raw
		if err := cursor.All(ctx, &documents); err != nil {
			t.Fatal(err)
		}
		list, err := db.Collection(name).Indexes().List(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if err := list.All(ctx, &indexes); err != nil {
			t.Fatal(err)
		}
		for _, raw := range append(documents, indexes...) {
			out[name] = append(out[name], raw.String())
		}
		slices.Sort(out[name])
	}
	return out
}

// isEmpty fails the test when a database has got a collection.
func isEmpty(t *testing.T, db *mongo.Database) {
	t.Helper()
	if found := content(t, db); len(found) != 0 {
		t.Errorf("the database was changed: it has %d collections", len(found))
	}
}

// entries lists a directory, hidden files too.
func entries(t *testing.T, dir string) []string {
	t.Helper()
	list, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, entry := range list {
		if entry.Name() != ".lock" {
			names = append(names, entry.Name())
		}
	}
	return names
}

// rewrite changes one file of a backup.
func rewrite(t *testing.T, path string, change func([]byte) []byte) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, change(bytes.Clone(text)), 0o600); err != nil {
		t.Fatal(err)
	}
}

func dataFile(dir string, made backup.Created, collection string) string {
	for _, c := range made.Collections {
		if c.Name == collection {
			return filepath.Join(dir, made.Name, filepath.FromSlash(c.Data.Path))
		}
	}
	return ""
}

func mustContain(t *testing.T, err error, parts ...string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error; want one with %q", parts)
	}
	for _, part := range parts {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("the error is %q; it lacks %q", err, part)
		}
	}
}

// breaking is a source whose reading goes wrong after a number of documents.
type breaking struct {
	backup.Source
	after int
	fail  func() error
}

func (b breaking) Open(ctx context.Context) (backup.Reader, error) {
	reader, err := b.Source.Open(ctx)
	return &breakingReader{Reader: reader, left: b.after, fail: b.fail}, err
}

type breakingReader struct {
	backup.Reader
	left int
	fail func() error
}

func (b *breakingReader) Documents(ctx context.Context, collection string, each func([]byte) error) error {
	return b.Reader.Documents(ctx, collection, func(document []byte) error {
		if b.left--; b.left < 0 {
			if err := b.fail(); err != nil {
				return err
			}
		}
		return each(document)
	})
}
