package mongoqueue_test

import (
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/etrainer/backend/pkg/job"
	"github.com/etrainer/backend/pkg/mongodb/mongotest"
	"github.com/etrainer/backend/pkg/queue"
	"github.com/etrainer/backend/pkg/queue/mongoqueue"
	"github.com/etrainer/backend/pkg/schema"
)

// counting counts a queue with a job in it, and returns the queries.
func counting(t *testing.T) (*mongo.Database, []bson.Raw) {
	t.Helper()
	var reads mongotest.Reads
	db := mongotest.Database(t, reads.Options())
	store := mongoqueue.New(db, mongoqueue.Options{})
	if err := store.Prepare(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := store.Enqueue(t.Context(), queue.Request{Name: "send mail", RunAt: time.Now().Add(time.Hour)}); err != nil {
		t.Fatal(err)
	}
	reads.Take()
	counts, err := store.Counts(t.Context())
	if err != nil || counts.ByState[job.Scheduled] != 1 {
		t.Fatalf("counts = %+v, %v", counts, err)
	}
	return db, reads.Take()
}

// conditions lists what a filter asks: itself, or each of its alternatives.
func conditions(t *testing.T, filter bson.Raw) []bson.Raw {
	t.Helper()
	alternatives, ok := filter.Lookup("$or").ArrayOK()
	if !ok {
		return []bson.Raw{filter}
	}
	values, err := bson.Raw(alternatives).Values()
	if err != nil {
		t.Fatal(err)
	}
	list := make([]bson.Raw, len(values))
	for i, value := range values {
		list[i] = value.Document()
	}
	return list
}

// TestCountsAskAsTheIndexesAreMade: a partial index answers only a query that
// repeats its condition, and only one that begins with its first field. Each
// condition of a count needs such an index, and each partial index a count.
func TestCountsAskAsTheIndexesAreMade(t *testing.T) {
	t.Parallel()
	_, queries := counting(t)
	collection, _ := schema.Find(schema.Queue(""), schema.Jobs)
	used := map[string]bool{}
	serves := func(index schema.Index, condition bson.Raw) bool {
		field := index.Keys[0].Key
		if index.Partial == nil || len(index.Partial) != 1 || index.Partial[0].Key != field {
			return false
		}
		for _, wanted := range index.Partial[0].Value.(bson.D) {
			text, isText := condition.Lookup(field, wanted.Key).StringValueOK()
			if !isText || text != wanted.Value {
				return false
			}
		}
		return true
	}
	for _, query := range queries {
		filter, found := query.Lookup("filter").DocumentOK()
		if !found {
			filter, found = query.Lookup("pipeline", "0", "$match").DocumentOK()
		}
		if !found {
			if _, counts := query.Lookup("count").StringValueOK(); !counts || len(query.Lookup("query").Value) > 0 {
				t.Errorf("%v has no filter, and is no count of all documents, which the server knows", query)
			}
			continue
		}
		for _, condition := range conditions(t, filter) {
			served := false
			for _, index := range collection.Indexes {
				if serves(index, condition) {
					served, used[index.Name] = true, true
				}
			}
			if !served {
				t.Errorf("no partial index has the condition %v", condition)
			}
		}
	}
	for _, index := range collection.Indexes {
		if index.Partial != nil && !index.Unique && !used[index.Name] {
			t.Errorf("no count asks for what the index %s holds, %v", index.Name, index.Partial)
		}
	}
}

// TestCountsScanNothing asks a MongoDB itself.
func TestCountsScanNothing(t *testing.T) {
	t.Parallel()
	mongotest.NeedsPlans(t)
	db, queries := counting(t)
	for _, plan := range mongotest.Plans(t, db, queries) {
		if plan.Scans() {
			t.Errorf("a count reads the whole collection: %v", plan)
		}
	}
}
