package mongoqueue_test

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/event"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/etrainer/backend/pkg/job"
	"github.com/etrainer/backend/pkg/mongodb/mongotest"
	"github.com/etrainer/backend/pkg/queue"
	"github.com/etrainer/backend/pkg/queue/mongoqueue"
)

// returned counts the documents that the server sends.
type returned struct{ documents atomic.Int64 }

func (r *returned) options() *options.ClientOptions {
	return options.Client().SetMonitor(&event.CommandMonitor{Succeeded: func(_ context.Context, e *event.CommandSucceededEvent) {
		for _, batch := range []string{"firstBatch", "nextBatch"} {
			if array, ok := e.Reply.Lookup("cursor", batch).ArrayOK(); ok {
				values, _ := array.Values()
				r.documents.Add(int64(len(values)))
			}
		}
	}})
}

// manyJobs are n jobs of 16 names: one in a hundred failed for good, ten are due,
// nineteen planned, and the rest ended, as in a queue of some weeks. Twenty are
// recurring, and ten are running.
func manyJobs(n int, now time.Time) []any {
	documents := make([]any, n)
	for i := range documents {
		d := bson.D{{Key: "name", Value: fmt.Sprintf("job %d", i%16)}, {Key: "type", Value: "normal"}, {Key: "lockedAt", Value: nil}}
		past := bson.NewDateTimeFromTime(now.Add(-time.Duration(i) * time.Second))
		at := func(key string, date any) { d = append(d, bson.E{Key: key, Value: date}) }
		switch kind := i * 7 % 100; {
		case i < 20:
			at("repeatInterval", "1 hour")
			at("nextRunAt", bson.NewDateTimeFromTime(now.Add(time.Hour)))
		case i < 30:
			d[2].Value = past
		case kind < 1:
			at("failedAt", past)
			at("lastFinishedAt", past)
			at("nextRunAt", nil)
		case kind < 11:
			at("nextRunAt", past)
		case kind < 30: // many at one instant
			at("nextRunAt", bson.NewDateTimeFromTime(now.Add(time.Duration(1+i%3)*time.Hour)))
		default:
			at("lastFinishedAt", past)
			at("nextRunAt", nil)
		}
		documents[i] = d
	}
	return documents
}

// TestWhatManyJobsCost: a page, the counts and the metrics get as many documents
// as they show, and not as many as there are. TEST_MANY_JOBS is another number of
// them: the embedded engine goes through all in memory for each command.
func TestWhatManyJobsCost(t *testing.T) {
	t.Parallel()
	const page = 50
	jobs := 6_000
	if text := os.Getenv("TEST_MANY_JOBS"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil {
			t.Fatalf("TEST_MANY_JOBS: %v", err)
		}
		jobs = n
	}
	var seen returned
	db := mongotest.Database(t, seen.options())
	store := mongoqueue.New(db, mongoqueue.Options{})
	if err := store.Prepare(t.Context()); err != nil {
		t.Fatal(err)
	}
	for batch := range slices.Chunk(manyJobs(jobs, store.Now()), 10_000) {
		if _, err := db.Collection("agendaJobs").InsertMany(t.Context(), batch); err != nil {
			t.Fatal(err)
		}
	}
	names := make([]string, 16)
	for i := range names {
		names[i] = fmt.Sprintf("job %d", i)
	}
	cost := func(what string, most int64, do func() error) {
		t.Helper()
		seen.documents.Store(0)
		began := time.Now()
		if err := do(); err != nil {
			t.Errorf("%s: %v", what, err)
		}
		n := seen.documents.Load()
		t.Logf("%s: %d documents in %s", what, n, time.Since(began).Round(time.Millisecond))
		if n > most {
			t.Errorf("%s: the server sent %d documents, want %d at the most", what, n, most)
		}
	}
	list := func(filter queue.Filter) func() error {
		filter.Limit = page
		return func() error { _, err := store.List(t.Context(), filter); return err }
	}
	in := func(state job.State, names ...string) queue.Filter {
		return queue.Filter{States: []job.State{state}, Names: names}
	}
	cost("all", page+1, list(queue.Filter{}))
	for _, state := range job.States() {
		cost(string(state), 2*page, list(in(state)))
	}
	cost("scheduled, of one name and at one instant", 3*page, list(in(job.Scheduled, names[0])))
	cost("all of one name", 3_000, list(queue.Filter{Names: names[:1]})) // no index finds finished jobs by name
	cost("counts", int64(jobs/100+50), func() error { _, err := store.Counts(t.Context()); return err })
	cost("due", 40, func() error { _, err := store.Due(t.Context(), names); return err })
	cost("recurring", 20, func() error { _, err := store.BadSchedules(t.Context()); return err })
}
