package demo_test

import (
	"bytes"
	"context"
	"strings"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"golang.org/x/crypto/bcrypt"

	"github.com/etrainer/backend/tools/dev/internal/demo"
	"github.com/etrainer/backend/tools/dev/internal/embedded"
)

var admin = demo.Admin{Email: "admin@etrainer.local", Password: "first password"}

// start runs an engine and returns a URI of it and the database of the URI.
func start(t *testing.T) (string, *mongo.Database) {
	t.Helper()

	m, err := embedded.StartMongoDB(embedded.MongoDBOptions{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}

	t.Cleanup(m.Stop)

	client, err := mongo.Connect(options.Client().ApplyURI(m.URI("")))
	if err != nil {
		t.Fatal(err)
	}

	t.Cleanup(func() { _ = client.Disconnect(context.Background()) })

	return m.URI("school"), client.Database("school")
}

func count(t *testing.T, c *mongo.Collection) int64 {
	t.Helper()

	n, err := c.CountDocuments(t.Context(), bson.D{})
	if err != nil {
		t.Fatal(err)
	}

	return n
}

// adminHash checks that there is one admin and returns his or her hash.
func adminHash(t *testing.T, db *mongo.Database) []byte {
	t.Helper()

	var found []struct {
		Email, Password string
		Version         int32 `bson:"__v"`
	}

	cursor, err := db.Collection("users").Find(t.Context(), bson.D{{Key: "role", Value: "ADMIN"}})
	if err != nil {
		t.Fatal(err)
	}

	if err := cursor.All(t.Context(), &found); err != nil {
		t.Fatal(err)
	}

	if len(found) != 1 || found[0].Email != admin.Email {
		t.Fatalf("the admins are %+v, want %s", found, admin.Email)
	}

	return []byte(found[0].Password)
}

func TestSeedWritesOnce(t *testing.T) {
	t.Parallel()

	uri, db := start(t)

	var out bytes.Buffer
	if err := demo.Seed(t.Context(), uri, admin, &out); err != nil {
		t.Fatal(err)
	}

	if !strings.Contains(out.String(), "demo documents") {
		t.Errorf("Seed said %q", out.String())
	}

	if n := count(t, db.Collection("users")); n != 301 {
		t.Errorf("%d users, want 300 and an admin", n)
	}

	hash := adminHash(t, db)
	if err := bcrypt.CompareHashAndPassword(hash, []byte(admin.Password)); err != nil || !bytes.HasPrefix(hash, []byte("$2b$10$")) {
		t.Errorf("the admin's hash is %s: %v", hash, err)
	}

	// What a person changes stays.
	if _, err := db.Collection("lessons").DeleteMany(t.Context(), bson.D{}); err != nil {
		t.Fatal(err)
	}

	out.Reset()

	if err := demo.Seed(t.Context(), uri, admin, &out); err != nil {
		t.Fatal(err)
	}

	if out.Len() != 0 {
		t.Errorf("the second time Seed said %q", out.String())
	}

	if n := count(t, db.Collection("lessons")); n != 0 {
		t.Errorf("%d lessons came back", n)
	}

	if !bytes.Equal(hash, adminHash(t, db)) {
		t.Error("the admin's hash was made again")
	}

	// A new password (the secret file was removed) is the admin's password.
	again := demo.Admin{Email: admin.Email, Password: "second password"}
	if err := demo.Seed(t.Context(), uri, again, &out); err != nil {
		t.Fatal(err)
	}

	if err := bcrypt.CompareHashAndPassword(adminHash(t, db), []byte(again.Password)); err != nil {
		t.Error(err)
	}
}

func TestSeedLeavesForeignDatabasesAlone(t *testing.T) {
	t.Parallel()

	uri, db := start(t)

	if _, err := db.Collection("users").InsertOne(t.Context(), bson.D{{Key: "email", Value: "real@example.com"}}); err != nil {
		t.Fatal(err)
	}

	var out bytes.Buffer
	if err := demo.Seed(t.Context(), uri, admin, &out); err != nil {
		t.Fatal(err)
	}

	if !strings.Contains(out.String(), "school has users already") {
		t.Errorf("Seed said %q", out.String())
	}

	names, err := db.ListCollectionNames(t.Context(), bson.D{})
	if err != nil || len(names) != 1 || count(t, db.Collection("users")) != 1 {
		t.Errorf("the collections are %v (%v), want only users with one document", names, err)
	}
}

func TestInterruptedSeedingBeginsAnew(t *testing.T) {
	t.Parallel()

	uri, db := start(t)

	for collection, doc := range map[string]bson.D{
		"demoData": {{Key: "_id", Value: "demo"}, {Key: "complete", Value: false}},
		"users":    {{Key: "email", Value: "half@example.com"}},
	} {
		if _, err := db.Collection(collection).InsertOne(t.Context(), doc); err != nil {
			t.Fatal(err)
		}
	}

	if err := demo.Seed(t.Context(), uri, admin, &bytes.Buffer{}); err != nil {
		t.Fatal(err)
	}

	if n := count(t, db.Collection("users")); n != 301 {
		t.Errorf("%d users, want 300 and an admin", n)
	}
}

func TestSeedStopsWithItsContext(t *testing.T) {
	t.Parallel()

	uri, db := start(t)

	ctx, cancel := context.WithCancel(t.Context())
	cancel()

	if err := demo.Seed(ctx, uri, admin, &bytes.Buffer{}); err == nil {
		t.Error("Seed succeeded with a cancelled context")
	}

	if n := count(t, db.Collection("users")); n != 0 {
		t.Errorf("%d users were written", n)
	}
}
