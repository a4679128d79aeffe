package interop_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/etrainer/backend/pkg/catalog"
	"github.com/etrainer/backend/pkg/job"
	"github.com/etrainer/backend/pkg/mongodb/mongotest"
	"github.com/etrainer/backend/pkg/queue"
)

// TestRace lets a Node process and our worker, which both define the name,
// compete for 500 jobs. While leases are valid, each job runs exactly once.
//
// For the race to be one, neither may be done before the other begins: our
// handlers wait until Node has run some, and then take a little time each;
// Node locks few at a time, where by default it would lock all that are due,
// and seldom, because it would ask again before a slow engine has answered.
func TestRace(t *testing.T) {
	t.Parallel()
	eachVersion(t, func(t *testing.T, v version) {
		const (
			jobs     = 500
			headway  = 25 // runs by Node before ours go on
			duration = 50 * time.Millisecond
		)
		db := mongotest.Database(t)
		n := startNode(t, v, db, nodeOptions{"processEvery": 2000})
		n.define(definition{Name: "race", Concurrency: 20, LockLimit: 40})
		ids := enqueueMany(t, newStore(t, db), "race", jobs)

		begin := newGate(t)
		w := startWorker(t, db, kind{
			Definition: catalog.Definition{Name: "race", Concurrency: 8},
			do: func(ctx context.Context) error {
				if err := begin.wait(ctx); err != nil {
					return err
				}
				select {
				case <-time.After(duration):
					return nil
				case <-ctx.Done():
					return context.Cause(ctx)
				}
			},
		})
		await(t, "our worker to have jobs", func() bool { return w.runs.count() > 0 })
		n.call("start")
		awaitCount(t, "runs by Node", headway, n.runs.count)
		begin.release()
		awaitCount(t, "runs", jobs, func() int { return w.runs.count() + n.runs.count() })
		awaitAllFinished(t, db)

		n.call("stop")
		t.Logf("Node ran %d jobs, our worker %d", n.runs.count(), w.runs.count())
		var recorded map[string][]job.Outcome
		await(t, "all records", func() bool {
			recorded = records(t, db)
			open := func(ended []job.Outcome) bool { return slices.Contains(ended, job.Open) }
			return len(recorded) == w.runs.count() && !slices.ContainsFunc(slices.Collect(maps.Values(recorded)), open)
		})
		for _, id := range ids {
			ours, theirs := len(w.runs.of(id)), len(n.runs.of(id))
			if ours+theirs != 1 {
				t.Errorf("job %s was run %d times by our worker and %d times by Node", id, ours, theirs)
			}
			if want := slices.Repeat([]job.Outcome{job.Succeeded}, ours); !slices.Equal(recorded[id], want) {
				t.Errorf("job %s: our worker ran it %d times and recorded %v", id, ours, recorded[id])
			}
		}
	})
}

// enqueueMany makes jobs that are due now, and returns their ids.
func enqueueMany(t *testing.T, store queue.Producer, name string, n int) []string {
	t.Helper()
	requests := make([]queue.Request, n)
	for i := range requests {
		data, err := job.ToData(bson.D{{Key: "number", Value: int32(i)}})
		if err != nil {
			t.Fatal(err)
		}
		requests[i] = queue.Request{Name: name, Data: data}
	}
	receipts, err := store.Enqueue(t.Context(), requests...)
	if err != nil {
		t.Fatal(err)
	}
	ids := make([]string, n)
	for i, receipt := range receipts {
		ids[i] = receipt.Job.ID.Hex()
	}
	return ids
}

// awaitCount waits until something has been counted often enough, as long as
// the count rises.
func awaitCount(t *testing.T, what string, enough int, count func() int) {
	t.Helper()
	for reached := count(); reached < enough; {
		await(t, fmt.Sprintf("more than %d %s", reached, what), func() bool { return count() > reached })
		reached = count()
	}
}

// awaitAllFinished waits until no job is left that has not ended.
func awaitAllFinished(t *testing.T, db *mongo.Database) {
	t.Helper()
	unfinished := bson.D{{Key: "$or", Value: bson.A{
		bson.D{{Key: "lastFinishedAt", Value: nil}}, bson.D{{Key: "lockedAt", Value: bson.D{{Key: "$ne", Value: nil}}}},
	}}}
	await(t, "all jobs to have ended", func() bool {
		n, err := collection(db).CountDocuments(t.Context(), unfinished)
		if err != nil {
			t.Fatal(err)
		}
		return n == 0
	})
}
