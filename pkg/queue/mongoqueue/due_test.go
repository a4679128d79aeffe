package mongoqueue_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jonboulle/clockwork"
	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/etrainer/backend/pkg/mongodb/mongotest"
	"github.com/etrainer/backend/pkg/queue"
	"github.com/etrainer/backend/pkg/queue/mongoqueue"
	"github.com/etrainer/backend/pkg/queue/queuetest"
)

// Due counts what a worker could take now: neither what is planned, held,
// disabled or paused, nor names that were not asked for.
func TestDue(t *testing.T) {
	t.Parallel()
	db, clock := mongotest.Database(t), clockwork.NewFakeClockAt(queuetest.Start)
	store := mongoqueue.New(db, mongoqueue.Options{Now: clock.Now})
	names := []string{"a", "b", "idle", "paused"}
	check := func(what string, want queue.Due) {
		t.Helper()
		got, err := store.Due(t.Context(), names)
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Fatalf("%s: %v (-want +got):\n%s", what, err, diff)
		}
	}
	check("an empty queue", queue.Due{ByName: map[string]int64{"a": 0, "b": 0, "idle": 0, "paused": 0}})

	at := func(name string, runAt time.Duration) queue.Request {
		return queue.Request{Name: name, RunAt: clock.Now().Add(runAt)}
	}
	if _, err := store.Enqueue(t.Context(), at("a", -time.Minute), at("a", -3*time.Minute), at("a", time.Second),
		at("b", -time.Hour), at("b", -2*time.Minute), at("other", -time.Hour), at("paused", -time.Hour)); err != nil {
		t.Fatal(err)
	}
	if err := store.Pause(t.Context(), "paused", "operator"); err != nil {
		t.Fatal(err)
	}
	check("paused and other names do not count", queue.Due{ByName: map[string]int64{"a": 2, "b": 2, "idle": 0, "paused": 0}, Oldest: time.Hour})

	request := queue.LeaseRequest{Holder: "worker@w1", Total: 1, Names: map[string]queue.NameRequest{"b": {Free: 1}}}
	if batch, err := store.Lease(t.Context(), request); err != nil || len(batch.Leases) != 1 {
		t.Fatalf("lease: %v, %v", batch, err)
	}
	check("what is held does not wait", queue.Due{ByName: map[string]int64{"a": 2, "b": 1, "idle": 0, "paused": 0}, Oldest: 3 * time.Minute})

	if _, err := db.Collection("agendaJobs").UpdateMany(t.Context(), bson.D{{Key: "name", Value: "a"}},
		bson.D{{Key: "$set", Value: bson.D{{Key: "disabled", Value: true}}}}); err != nil {
		t.Fatal(err)
	}
	if err := store.Resume(t.Context(), "paused", "operator"); err != nil {
		t.Fatal(err)
	}
	check("disabled jobs do not count, resumed ones do", queue.Due{ByName: map[string]int64{"a": 0, "b": 1, "idle": 0, "paused": 1}, Oldest: time.Hour})
}

// No name hides behind another one that floods the queue.
func TestDueUnderAFlood(t *testing.T) {
	t.Parallel()
	db, clock := mongotest.Database(t), clockwork.NewFakeClockAt(queuetest.Start)
	store := mongoqueue.New(db, mongoqueue.Options{Now: clock.Now})
	flood := make([]any, queue.DueMost+5)
	for i := range flood {
		flood[i] = bson.D{{Key: "name", Value: "a"}, {Key: "nextRunAt", Value: clock.Now().Add(-time.Minute)}}
	}
	if _, err := db.Collection("agendaJobs").InsertMany(t.Context(), flood); err != nil {
		t.Fatal(err)
	}
	if _, err := store.Enqueue(t.Context(), queue.Request{Name: "b", RunAt: clock.Now().Add(-time.Second)}, queue.Request{Name: "c", RunAt: clock.Now().Add(-time.Hour)}); err != nil {
		t.Fatal(err)
	}
	got, err := store.Due(t.Context(), []string{"a", "b", "c", "idle"})
	want := queue.Due{ByName: map[string]int64{"a": queue.DueMost, "b": 1, "c": 1, "idle": 0}, Oldest: time.Hour}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
}

// A document that is nobody's job is not due, and hides no job that is.
func TestDueAmongForeignDocuments(t *testing.T) {
	t.Parallel()
	db, clock := mongotest.Database(t), clockwork.NewFakeClockAt(queuetest.Start)
	store := mongoqueue.New(db, mongoqueue.Options{Now: clock.Now})
	past := bson.NewDateTimeFromTime(clock.Now().Add(-24 * time.Hour))
	for _, foreign := range []bson.D{
		{{Key: "name", Value: bson.A{"a"}}, {Key: "nextRunAt", Value: past}},
		{{Key: "name", Value: bson.A{"b", "a"}}, {Key: "nextRunAt", Value: past}},
		{{Key: "name", Value: 7}, {Key: "nextRunAt", Value: past}},
		{{Key: "nextRunAt", Value: past}},
		{{Key: "_id", Value: 7}, {Key: "name", Value: "other"}, {Key: "nextRunAt", Value: past}},
	} {
		if _, err := db.Collection("agendaJobs").InsertOne(t.Context(), foreign); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := store.Enqueue(t.Context(), queue.Request{Name: "a", RunAt: clock.Now().Add(-time.Minute)}); err != nil {
		t.Fatal(err)
	}
	got, err := store.Due(t.Context(), []string{"a", "b"})
	want := queue.Due{ByName: map[string]int64{"a": 1, "b": 0}, Oldest: time.Minute}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
}
