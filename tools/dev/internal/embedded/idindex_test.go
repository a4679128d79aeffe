package embedded_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/etrainer/backend/tools/dev/internal/embedded"
)

// plan is how SQLite executes a search by _id.
func plan(t *testing.T, c *mongo.Collection) string {
	t.Helper()

	// SQLite notices a new index when it executes a query, and explaining is
	// not executing.
	if err := c.FindOne(t.Context(), bson.D{}).Err(); err != nil && !errors.Is(err, mongo.ErrNoDocuments) {
		t.Fatal(err)
	}

	var out bson.M

	err := c.Database().RunCommand(t.Context(), bson.D{{Key: "explain", Value: bson.D{
		{Key: "find", Value: c.Name()},
		{Key: "filter", Value: bson.D{{Key: "_id", Value: "x"}}},
	}}}).Decode(&out)
	if err != nil {
		t.Fatal(err)
	}

	return fmt.Sprint(out["queryPlanner"])
}

// usesIndex checks that searches by _id use the index of this package.
func usesIndex(t *testing.T, c *mongo.Collection) {
	t.Helper()

	if p := plan(t, c); !strings.Contains(p, "SEARCH") || !strings.Contains(p, "__id_path") {
		t.Errorf("%s is searched by %s", c.Name(), p)
	}
}

func TestEveryWayToMakeACollectionMakesTheIndex(t *testing.T) {
	t.Parallel()

	db := connect(t, startMongoDB(t, embedded.MongoDBOptions{}).URI(""))
	ctx := t.Context()
	one, set := bson.D{{Key: "_id", Value: "x"}}, bson.D{{Key: "$set", Value: bson.D{{Key: "a", Value: 1}}}}

	for name, create := range map[string]func(*mongo.Collection) error{
		"insert": func(c *mongo.Collection) error { _, err := c.InsertOne(ctx, one); return err },
		"update": func(c *mongo.Collection) error {
			_, err := c.UpdateOne(ctx, one, set, options.UpdateOne().SetUpsert(true))
			return err
		},
		"findAndModify": func(c *mongo.Collection) error {
			err := c.FindOneAndUpdate(ctx, one, set, options.FindOneAndUpdate().SetUpsert(true)).Err()
			if err == mongo.ErrNoDocuments { //nolint:errorlint // the driver returns it bare
				return nil // it returns the document before the update
			}

			return err
		},
		"create": func(c *mongo.Collection) error { return db.CreateCollection(ctx, c.Name()) },
		"createIndexes": func(c *mongo.Collection) error {
			_, err := c.Indexes().CreateOne(ctx, mongo.IndexModel{Keys: bson.D{{Key: "a", Value: 1}}})
			return err
		},
		"name with 'quotes'": func(c *mongo.Collection) error { _, err := c.InsertOne(ctx, one); return err },
	} {
		t.Run(name, func(t *testing.T) {
			c := db.Collection(name)
			if err := create(c); err != nil {
				t.Fatal(err)
			}

			usesIndex(t, c)
		})
	}
}

func TestIndexComesBackWithTheCollection(t *testing.T) {
	t.Parallel()

	dir := t.TempDir()
	m := startMongoDB(t, embedded.MongoDBOptions{Dir: dir})
	db := connect(t, m.URI(""))
	c, renamed := db.Collection("things"), db.Collection("renamed")

	insert := func(c *mongo.Collection) {
		t.Helper()

		if _, err := c.InsertOne(t.Context(), bson.D{}); err != nil {
			t.Fatal(err)
		}

		usesIndex(t, c)
	}

	insert(c)

	if err := c.Drop(t.Context()); err != nil {
		t.Fatal(err)
	}

	insert(c)

	if err := db.Drop(t.Context()); err != nil {
		t.Fatal(err)
	}

	insert(c)

	err := db.Client().Database("admin").RunCommand(t.Context(), bson.D{
		{Key: "renameCollection", Value: "shop.things"}, {Key: "to", Value: "shop.renamed"},
	}).Err()
	if err != nil {
		t.Fatal(err)
	}

	insert(renamed)

	m.Stop()

	again := connect(t, startMongoDB(t, embedded.MongoDBOptions{Dir: dir}).URI("")).Collection("renamed")
	usesIndex(t, again)
	insert(again)
}

// TestOldFilesGetTheIndex covers a data folder that was written without it.
func TestOldFilesGetTheIndex(t *testing.T) {
	t.Parallel()

	m := startMongoDB(t, embedded.MongoDBOptions{})
	past := connect(t, m.UngatedURI()).Collection("things")

	if _, err := past.InsertOne(t.Context(), bson.D{{Key: "_id", Value: "x"}}); err != nil {
		t.Fatal(err)
	}

	if p := plan(t, past); !strings.Contains(p, "SCAN") {
		t.Fatalf("FerretDB itself searches by %s: the index is no longer needed", p)
	}

	c := connect(t, m.URI("")).Collection("things")
	if _, err := c.InsertOne(t.Context(), bson.D{{Key: "_id", Value: "y"}}); err != nil {
		t.Fatal(err)
	}

	usesIndex(t, c)
}

func TestRefusedWriteLeavesNoFile(t *testing.T) {
	t.Parallel()

	m := startMongoDB(t, embedded.MongoDBOptions{})
	client := connect(t, m.URI("")).Client()

	// FerretDB refuses the name; nothing may come of it but an error.
	_, err := client.Database("..%2fescape").Collection("things").InsertOne(t.Context(), bson.D{})
	if err == nil {
		t.Error("a database with a slash in its name was accepted")
	}
}

func BenchmarkUpdateByID(b *testing.B) {
	for _, way := range []string{"with the index", "without"} {
		b.Run(way, func(b *testing.B) {
			m := startMongoDB(b, embedded.MongoDBOptions{})

			uri := m.URI("")
			if way == "without" {
				uri = m.UngatedURI()
			}

			c := connect(b, uri).Collection("jobs")
			fill(b, c, 10_000)

			var first bson.M
			if err := c.FindOne(b.Context(), bson.D{}).Decode(&first); err != nil {
				b.Fatal(err)
			}

			for b.Loop() {
				_, err := c.UpdateByID(b.Context(), first["_id"],
					bson.D{{Key: "$set", Value: bson.D{{Key: "at", Value: time.Now()}}}})
				if err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
