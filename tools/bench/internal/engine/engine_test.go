package engine_test

import (
	"strings"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/etrainer/backend/pkg/mongodb/mongotest"
	"github.com/etrainer/backend/tools/bench/internal/engine"
)

func TestMain(m *testing.M) { mongotest.Main(m) }

// Measurements must not see each other's jobs, and leave nothing behind.
func TestFreshDatabases(t *testing.T) {
	t.Parallel()
	e, err := engine.Open(t.Context(), mongotest.URI(t), "")
	if err != nil {
		t.Fatal(err)
	}
	if e.Description == "" {
		t.Error("the engine has no description")
	}
	first, err := e.Fresh(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	second, err := e.Fresh(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if first.Name == second.Name || !strings.HasPrefix(first.Name, "bench_") {
		t.Errorf("the databases are called %s and %s", first.Name, second.Name)
	}
	first.Counter.Reset()
	if _, err := first.Database().Collection("c").InsertOne(t.Context(), bson.D{{Key: "n", Value: 1}}); err != nil {
		t.Fatal(err)
	}
	if got := first.Counter.Counts()["insert"]; got != 1 {
		t.Errorf("%d inserts were counted, want 1", got)
	}
	if n, err := second.Database().Collection("c").CountDocuments(t.Context(), bson.D{}); err != nil || n != 0 {
		t.Errorf("the other database holds %d documents (%v), want none", n, err)
	}
	for _, db := range []*engine.Database{first, second} {
		if err := db.Drop(t.Context()); err != nil {
			t.Error(err)
		}
	}
	again, err := e.Connect(t.Context(), first.Name)
	if err != nil {
		t.Fatal(err)
	}
	if n, err := again.Database().Collection("c").CountDocuments(t.Context(), bson.D{}); err != nil || n != 0 {
		t.Errorf("the dropped database holds %d documents (%v), want none", n, err)
	}
	if err := again.Drop(t.Context()); err != nil {
		t.Error(err)
	}
}
