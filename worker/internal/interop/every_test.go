package interop_test

import (
	"slices"
	"testing"
	"time"

	"github.com/etrainer/backend/pkg/catalog"
	"github.com/etrainer/backend/pkg/job"
	"github.com/etrainer/backend/pkg/mongodb/mongotest"
)

// TestNodeRestartsWhileWorkerRuns: a Node service calls every() when it
// starts. While our worker runs that job, Agenda 6.2.6 thereby clears its
// lock and its history, and both versions change lastModifiedBy, which is
// part of our fence. The run goes on all the same, is recorded once, and the
// job keeps recurring.
func TestNodeRestartsWhileWorkerRuns(t *testing.T) {
	t.Parallel()
	schedules := map[string]string{"interval": "1 hour", "cron": "0 0 1 1 *"}
	for name, interval := range schedules {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			eachVersion(t, func(t *testing.T, v version) {
				t.Run("ends before the next renewal", func(t *testing.T) {
					t.Parallel()
					restartWhileRunning(t, v, interval, 0)
				})
				t.Run("goes on past the next renewal", func(t *testing.T) {
					t.Parallel()
					restartWhileRunning(t, v, interval, 4*time.Second) // renewed every second
				})
			})
		})
	}
}

// restartWhileRunning lets Node restart during a run. With a lock lifetime,
// the run goes on until its lock has been renewed after that.
func restartWhileRunning(t *testing.T, v version, interval string, lifetime time.Duration) {
	db := mongotest.Database(t)
	before := startNode(t, v, db)
	id := before.id("every", interval, "report")
	before.close()

	store := newStore(t, db)
	if _, err := store.Retry(t.Context(), objectID(t, id), ""); err != nil { // a yearly tick is far
		t.Fatal(err)
	}
	running := newGate(t)
	w := startWorker(t, db, kind{Definition: catalog.Definition{Name: "report", LockLifetime: lifetime}, do: running.wait})
	await(t, "the run to begin", func() bool { return w.runs.count() == 1 })
	await(t, "the start to be stored", func() bool { return !load(t, db, id).LastRunAt.IsZero() })
	started := load(t, db, id).LastRunAt

	after := startNode(t, v, db)
	after.define(definition{Name: "report"})
	if again := after.id("every", interval, "report"); again != id {
		t.Fatalf("every() made job %s beside %s", again, id)
	}
	called := time.Now()
	after.call("start")
	if lifetime > 0 {
		await(t, "the lock to be renewed after every()", func() bool { return load(t, db, id).LockedAt.After(called) })
	} else {
		// A renewal may come between; then it takes another call.
		await(t, "every() to tear the fence", func() bool {
			after.id("every", interval, "report")
			torn := load(t, db, id)
			return torn.LastModifiedBy == "node" && (v == agenda5 || torn.LockedAt.IsZero())
		})
	}
	running.release()
	awaitFinished(t, db, id)

	awaitRecords(t, db, id, job.Succeeded)
	d := load(t, db, id)
	if !d.LastRunAt.Equal(started) || !d.NextRunAt.After(time.Now()) || d.FailCount != 0 || d.RepeatInterval != interval {
		t.Errorf("after the run the job reads %+v", d)
	}
	if got := after.states(id)[0].States; !slices.Contains(got, "repeating") || slices.Contains(got, "failed") || slices.Contains(got, "running") {
		t.Errorf("Node shows %v", got)
	}

	// The next tick comes as if nothing had happened. Either side may take it.
	if _, err := store.Retry(t.Context(), objectID(t, id), ""); err != nil {
		t.Fatal(err)
	}
	await(t, "the next run", func() bool { return w.runs.count()+after.runs.count() == 2 })
	awaitFinished(t, db, id)
	awaitRecords(t, db, id, slices.Repeat([]job.Outcome{job.Succeeded}, w.runs.count())...)
}
