package interop_test

import (
	"slices"
	"testing"
	"time"

	"github.com/etrainer/backend/pkg/catalog"
	"github.com/etrainer/backend/pkg/job"
	"github.com/etrainer/backend/pkg/mongodb/mongotest"
)

// shortLifetime is the lock lifetime of both sides in these tests, in which
// by default ten minutes would pass.
const shortLifetime = 5 * time.Second

// TestWorkerTakesOverFromCrashedNode kills a Node process while it runs a
// one-off and a recurring job. When the locks have outlived their lifetime,
// and not before, our worker runs both.
func TestWorkerTakesOverFromCrashedNode(t *testing.T) {
	t.Parallel()
	eachVersion(t, func(t *testing.T, v version) {
		db := mongotest.Database(t)
		n := startNode(t, v, db)
		for _, name := range []string{"once", "hourly"} {
			n.define(definition{Name: name, Hold: true, LockLifetime: shortLifetime.Milliseconds()})
		}
		once, hourly := n.id("now", "once"), n.id("every", "1 hour", "hourly")
		n.call("start")
		await(t, "Node to run both", func() bool { return len(n.runs.of(once)) == 1 && len(n.runs.of(hourly)) == 1 })
		for _, id := range []string{once, hourly} {
			await(t, "Node to store the start", func() bool { return load(t, db, id).Interrupted() })
		}
		n.kill()
		expires := map[string]time.Time{}
		for _, id := range []string{once, hourly} {
			expires[id] = load(t, db, id).LockedAt.Add(shortLifetime)
		}
		w := startWorker(t, db,
			kind{Definition: catalog.Definition{Name: "once", LockLifetime: shortLifetime}},
			kind{Definition: catalog.Definition{Name: "hourly", LockLifetime: shortLifetime}})

		survivor := startNode(t, v, db)
		for _, id := range []string{once, hourly} {
			awaitFinished(t, db, id)
			if d := load(t, db, id); d.LastRunAt.Before(expires[id]) {
				t.Errorf("job %s was taken over at %s, and its lock was good until %s", id, d.LastRunAt, expires[id])
			}
			if runs := w.runs.of(id); len(runs) != 1 {
				t.Errorf("our worker ran job %s %d times", id, len(runs))
			}
			awaitRecords(t, db, id, job.Succeeded)
		}
		if got := survivor.states(once)[0].States; !slices.Equal(got, []string{"completed"}) {
			t.Errorf("Node shows %v", got)
		}
		if d := load(t, db, hourly); !d.NextRunAt.After(time.Now()) {
			t.Errorf("the recurring job has no next tick: %+v", d)
		}
	})
}

// TestNodeTakesOverFromCrashedWorker kills a worker process of ours while it
// runs a job. As long as it lives it renews its lease, so that a Node peer
// with a short lock lifetime leaves the job alone; afterwards Node runs it.
func TestNodeTakesOverFromCrashedWorker(t *testing.T) {
	t.Parallel()
	eachVersion(t, func(t *testing.T, v version) {
		db := mongotest.Database(t)
		id := enqueueMany(t, newStore(t, db), "once", 1)[0]
		c := startChild(t, db, "once", shortLifetime)
		await(t, "our worker to run it", func() bool { return c.runs.count() == 1 })
		locked := load(t, db, id).LockedAt

		n := startNode(t, v, db)
		n.define(definition{Name: "once", LockLifetime: shortLifetime.Milliseconds()})
		n.call("start")
		await(t, "the lease to be older than a lock may be", func() bool {
			return load(t, db, id).LockedAt.After(locked.Add(2 * shortLifetime))
		})
		if n.runs.count() > 0 {
			t.Fatal("Node ran a job whose lease was renewed")
		}
		c.kill()
		expires := load(t, db, id).LockedAt.Add(shortLifetime)

		awaitFinished(t, db, id)
		if n.runs.count() != 1 || c.runs.count() != 1 {
			t.Errorf("Node ran the job %d times, our worker %d times; want once each", n.runs.count(), c.runs.count())
		}
		if d := load(t, db, id); d.LastRunAt.Before(expires) {
			t.Errorf("Node started it at %s, and its lock was good until %s", d.LastRunAt, expires)
		}
		if got := n.states(id)[0].States; !slices.Equal(got, []string{"completed"}) {
			t.Errorf("Node shows %v", got)
		}
	})
}
