package interop_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/etrainer/backend/pkg/job"
	"github.com/etrainer/backend/pkg/queue/mongoqueue"
)

// patience is how long anything may take that a test waits for. Only a test
// that fails waits as long.
const patience = 45 * time.Second

// await polls until a condition is met.
func await(t *testing.T, what string, met func() bool) {
	t.Helper()
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	deadline := time.Now().Add(patience)
	for !met() {
		if time.Now().After(deadline) {
			t.Fatalf("waited %s in vain: %s", patience, what)
		}
		<-ticker.C
	}
}

// newStore returns our queue on a database, with its indexes.
func newStore(t *testing.T, db *mongo.Database) *mongoqueue.Store {
	t.Helper()
	store := mongoqueue.New(db, mongoqueue.Options{Name: "interop"})
	if err := store.Prepare(t.Context()); err != nil {
		t.Fatal(err)
	}
	return store
}

func collection(db *mongo.Database) *mongo.Collection {
	return db.Collection(mongoqueue.DefaultCollection)
}

// load reads a job by the hex form of its id.
func load(t *testing.T, db *mongo.Database, id string) *job.Document {
	t.Helper()
	document := &job.Document{}
	if err := bson.Unmarshal(loadRaw(t, db, id), document); err != nil {
		t.Fatal(err)
	}
	return document
}

func loadRaw(t *testing.T, db *mongo.Database, id string) bson.Raw {
	t.Helper()
	raw, err := collection(db).FindOne(t.Context(), bson.D{{Key: "_id", Value: objectID(t, id)}}).Raw()
	if err != nil {
		t.Fatalf("read job %s: %v", id, err)
	}
	return raw
}

func objectID(t *testing.T, hex string) bson.ObjectID {
	t.Helper()
	id, err := bson.ObjectIDFromHex(hex)
	if err != nil {
		t.Fatalf("%q is no id: %v", hex, err)
	}
	return id
}

// finished reports whether the newest run of a job has ended and nobody holds
// it.
func finished(d *job.Document) bool {
	return d.LockedAt.IsZero() && !d.LastFinishedAt.IsZero() && !d.Interrupted()
}

func awaitFinished(t *testing.T, db *mongo.Database, ids ...string) {
	t.Helper()
	for _, id := range ids {
		await(t, "job "+id+" to finish", func() bool { return finished(load(t, db, id)) })
	}
}

// documentsOf counts the jobs of a name.
func documentsOf(t *testing.T, db *mongo.Database, name string) int {
	t.Helper()
	n, err := collection(db).CountDocuments(t.Context(), bson.D{{Key: "name", Value: name}})
	if err != nil {
		t.Fatal(err)
	}
	return int(n)
}

// records reads how the runs of our worker ended, by job, newest first. No two
// may be about the same attempt.
func records(t *testing.T, db *mongo.Database) map[string][]job.Outcome {
	t.Helper()
	cursor, err := db.Collection(mongoqueue.RunsCollection).Find(t.Context(), bson.D{},
		options.Find().SetSort(bson.D{{Key: "startedAt", Value: -1}}).SetBatchSize(1000))
	if err != nil {
		t.Fatal(err)
	}
	var all []job.Run
	if err := cursor.All(t.Context(), &all); err != nil {
		t.Fatal(err)
	}
	type attempt struct {
		job, tick string
		number    int
	}
	seen, byJob := map[attempt]bool{}, map[string][]job.Outcome{}
	for _, run := range all {
		id := run.JobID.Hex()
		key := attempt{id, run.Tick.UTC().String(), run.Attempt}
		if seen[key] {
			t.Errorf("two records of attempt %d of the tick %s of job %s", run.Attempt, run.Tick, id)
		}
		seen[key] = true
		byJob[id] = append(byJob[id], run.Outcome)
	}
	return byJob
}

// awaitRecords waits until all runs of a job have ended in the records, which
// are written right after the job itself, and compares.
func awaitRecords(t *testing.T, db *mongo.Database, id string, want ...job.Outcome) {
	t.Helper()
	var got []job.Outcome
	await(t, "the records of the runs of "+id, func() bool {
		got = records(t, db)[id]
		return len(got) >= len(want) && !slices.Contains(got, job.Open)
	})
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("records of job %s (-want +got):\n%s", id, diff)
	}
}

// indexKeys lists the indexes of the job collection by name.
func indexKeys(t *testing.T, db *mongo.Database) map[string]bson.Raw {
	t.Helper()
	cursor, err := collection(db).Indexes().List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var indexes []struct {
		Name string   `bson:"name"`
		Key  bson.Raw `bson:"key"`
	}
	if err := cursor.All(t.Context(), &indexes); err != nil {
		t.Fatal(err)
	}
	byName := map[string]bson.Raw{}
	for _, index := range indexes {
		if _, twice := byName[index.Name]; twice {
			t.Errorf("the index %s is there twice", index.Name)
		}
		byName[index.Name] = index.Key
	}
	return byName
}

// absent reports whether a field is missing or null, which Agenda does not
// tell apart.
func absent(raw bson.Raw, field string) bool {
	kind := raw.Lookup(field).Type
	return kind == 0 || kind == bson.TypeNull
}

// withDatabase puts the name of a database into an address, which may list
// several hosts.
func withDatabase(uri, name string) string {
	scheme, rest, _ := strings.Cut(uri, "://")
	rest, query, _ := strings.Cut(rest, "?")
	hosts, _, _ := strings.Cut(rest, "/")
	if strings.Contains(hosts, "@") && !strings.Contains(query, "authSource=") {
		query += "&authSource=admin" // else the user would be looked for in the test's database
	}
	return scheme + "://" + hosts + "/" + name + "?" + query
}
