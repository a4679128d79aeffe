package steps_test

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/etrainer/backend/migrations/internal/migrate"
	"github.com/etrainer/backend/migrations/internal/steps"
	"github.com/etrainer/backend/pkg/catalog"
	"github.com/etrainer/backend/pkg/mongodb"
	"github.com/etrainer/backend/pkg/mongodb/mongotest"
	"github.com/etrainer/backend/pkg/mongodb/wiretest"
	"github.com/etrainer/backend/pkg/schema"
)

// TestIndexesOfAnEarlierReleaseRetire: "up" drops what this release has replaced
// and nothing that only has the same name, and the way back drops what replaced
// it. Agenda's own index stays through all of it.
func TestIndexesOfAnEarlierReleaseRetire(t *testing.T) {
	t.Parallel()
	db := mongotest.Database(t)
	collections := []schema.Collection{
		{Name: schema.Jobs, Indexes: []schema.Index{
			{Name: "leased", Keys: bson.D{{Key: "lockedAt", Value: 1}}}, // somebody's own: it is not partial
			{Name: schema.AgendaIndex, Keys: schema.Queue("")[0].Indexes[0].Keys},
		}},
	}
	for _, r := range schema.RetiredIndexes("") {
		if r.Index.Partial == nil { // this engine has no partial ones
			collections = append(collections, schema.Collection{Name: r.Collection, Indexes: []schema.Index{r.Index}})
		}
	}
	if _, err := mongodb.CreateIndexes(t.Context(), db, collections); err != nil {
		t.Fatal(err)
	}
	names := func(collection string) []string {
		t.Helper()
		stored, err := mongodb.ListIndexes(t.Context(), db.Collection(collection))
		if err != nil {
			t.Fatal(err)
		}
		var all []string
		for _, index := range stored {
			all = append(all, index.Name)
		}
		slices.Sort(all)
		return all
	}
	if got := names(schema.Runs); !slices.Contains(got, "runsOfJob") || !slices.Contains(got, "oneRunPerAttempt") {
		t.Fatalf("the runs have %v before", got)
	}
	up(t, db)
	if got, want := names(schema.Runs), []string{"historyOfJob"}; !slices.Equal(got, want) {
		t.Errorf("after up the runs have %v, want %v", got, want)
	}
	kept := []string{schema.AgendaIndex, "leased"}
	if got := names(schema.Jobs); !slices.Equal(got, kept) {
		t.Errorf("after up the jobs have %v, want %v", got, kept)
	}
	if n, err := runner(db).Up(t.Context(), 0); n != 0 || err != nil {
		t.Errorf("a second up applied %d steps (%v)", n, err)
	}
	if _, err := runner(db).Down(t.Context(), 4); err != nil {
		t.Fatal(err)
	}
	if got := names(schema.Jobs); !slices.Equal(got, kept) {
		t.Errorf("after the way back the jobs have %v, want %v", got, kept)
	}
}

// earlier is a MongoDB whose jobs have the indexes of an earlier release.
type earlier struct {
	mu  sync.Mutex
	did []string
}

func (e *earlier) answer(command bson.Raw) bson.D {
	note := func(what string) {
		e.mu.Lock()
		defer e.mu.Unlock()
		e.did = append(e.did, what)
	}
	collection, _ := command.Index(0).Value().StringValueOK()
	switch wiretest.Name(command) {
	case "listIndexes":
		indexes := bson.A{bson.D{{Key: "name", Value: "_id_"}, {Key: "key", Value: bson.D{{Key: "_id", Value: 1}}}}}
		own, _ := schema.Find(schema.Queue(""), schema.Jobs)
		for _, index := range own.Indexes {
			if index.Name == schema.AgendaIndex && collection == schema.Jobs {
				indexes = append(indexes, bson.D{{Key: "name", Value: index.Name}, {Key: "key", Value: index.Keys}})
			}
		}
		for _, r := range schema.RetiredIndexes("") {
			if r.Collection == collection {
				indexes = append(indexes, stored(r.Index))
			}
		}
		return bson.D{{Key: "cursor", Value: bson.D{{Key: "id", Value: int64(0)}, {Key: "ns", Value: "db." + collection}, {Key: "firstBatch", Value: indexes}}}}
	case "createIndexes":
		name, _ := command.Lookup("indexes", "0", "name").StringValueOK()
		note("make " + collection + "." + name)
	case "dropIndexes":
		name, _ := command.Lookup("index").StringValueOK()
		note("drop " + collection + "." + name)
	}
	return wiretest.Greet(command, nil, nil)
}

func stored(index schema.Index) bson.D {
	d := bson.D{{Key: "name", Value: index.Name}, {Key: "key", Value: index.Keys}}
	if index.Unique {
		d = append(d, bson.E{Key: "unique", Value: true})
	}
	if index.Partial != nil {
		d = append(d, bson.E{Key: "partialFilterExpression", Value: index.Partial})
	}
	return d
}

// TestOnMongoDBWhatReplacesIsMadeFirst: programs of both releases run meanwhile,
// and neither may be without an index for the time that another one is built.
func TestOnMongoDBWhatReplacesIsMadeFirst(t *testing.T) {
	t.Parallel()
	server := &earlier{}
	listener := wiretest.New(t, server.answer)
	client, err := mongo.Connect(options.Client().ApplyURI("mongodb://" + listener.Host() + "/?directConnection=true"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = client.Disconnect(context.WithoutCancel(t.Context())) }()
	target := migrate.Target{
		DB: client.Database("db"), Jobs: schema.Jobs, Zone: time.UTC, NodeZone: time.UTC, Now: time.Now,
		Capabilities: mongodb.Capabilities{PartialIndexes: true, TTL: true},
	}
	for _, step := range steps.All(schema.Jobs, catalog.ETrainer("").Recurring()) {
		if step.Name != "indexes" {
			continue
		}
		actions, err := step.Plan(t.Context(), target)
		if err != nil {
			t.Fatal(err)
		}
		for _, action := range actions {
			if action.Do != nil {
				if err := action.Do(t.Context()); err != nil {
					t.Fatalf("%s: %v", action.Text, err)
				}
			}
		}
	}
	for _, r := range schema.RetiredIndexes("") {
		dropped := slices.Index(server.did, "drop "+r.Collection+"."+r.Index.Name)
		if dropped < 0 {
			t.Errorf("%s.%s is still there", r.Collection, r.Index.Name)
		}
		if made := slices.Index(server.did, "make "+r.Collection+"."+r.By); made > dropped {
			t.Errorf("%s.%s is dropped before %s is made", r.Collection, r.Index.Name, r.By)
		}
	}
	for _, what := range server.did {
		if strings.HasSuffix(what, "."+schema.AgendaIndex) {
			t.Errorf("Agenda's index is touched: %s", what)
		}
	}
}
