package interop_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/etrainer/backend/pkg/job"
	"github.com/etrainer/backend/pkg/mongodb/mongotest"
)

// TestNodeStops: a Node process that stops hands back what it has locked and
// not started. Agenda 5 also unlocks what it is running; since a started
// one-off has no next run, our worker leaves that alone. Each job runs once.
func TestNodeStops(t *testing.T) {
	t.Parallel()
	eachVersion(t, func(t *testing.T, v version) {
		const jobs = 5
		db := mongotest.Database(t)
		ids := enqueueMany(t, newStore(t, db), "slow", jobs)
		n := startNode(t, v, db)
		n.define(definition{Name: "slow", Hold: true, Concurrency: 1})
		n.call("start")
		await(t, "Node to run one", func() bool { return n.runs.count() == 1 })
		for _, id := range ids {
			await(t, "Node to lock all", func() bool { return !load(t, db, id).LockedAt.IsZero() })
		}
		running := n.runs.list()[0].Job
		await(t, "Node to store the start", func() bool { return load(t, db, running).Interrupted() })

		w := startWorker(t, db, named("slow"))
		n.call("stop")
		others := slices.DeleteFunc(slices.Clone(ids), func(id string) bool { return id == running })
		awaitFinished(t, db, others...)
		n.call("release", "slow")
		awaitFinished(t, db, running)

		for _, id := range ids {
			wantOurs, wantTheirs := 1, 0
			if id == running {
				wantOurs, wantTheirs = 0, 1
			}
			if ours, theirs := len(w.runs.of(id)), len(n.runs.of(id)); ours != wantOurs || theirs != wantTheirs {
				t.Errorf("job %s: our worker ran it %d times and Node %d times; want %d and %d", id, ours, theirs, wantOurs, wantTheirs)
			}
		}
		for _, state := range n.states(ids...) {
			if !slices.Equal(state.States, []string{"completed"}) {
				t.Errorf("Node shows %+v", state)
			}
		}
	})
}

// TestWorkerStops: our worker finishes what it runs and hands back the rest,
// which Node then runs.
func TestWorkerStops(t *testing.T) {
	t.Parallel()
	eachVersion(t, func(t *testing.T, v version) {
		const jobs = 5
		db := mongotest.Database(t)
		ids := enqueueMany(t, newStore(t, db), "slow", jobs)
		running := newGate(t)
		one := named("slow")
		one.Concurrency, one.do = 1, running.wait
		w := startWorker(t, db, one)
		await(t, "our worker to run one", func() bool { return w.runs.count() == 1 })

		stopped := make(chan error, 1)
		go func() {
			ctx, cancel := context.WithTimeout(context.Background(), patience)
			defer cancel()
			stopped <- w.Stop(ctx)
		}()
		n := startNode(t, v, db)
		n.define(definition{Name: "slow"})
		n.call("start")
		await(t, "Node to run the others", func() bool { return n.runs.count() == jobs-1 })
		running.release()
		select {
		case err := <-stopped:
			if err != nil {
				t.Errorf("stop: %v", err)
			}
		case <-time.After(patience):
			t.Fatal("the worker did not stop")
		}
		awaitFinished(t, db, ids...)
		for _, id := range ids {
			if runs := len(w.runs.of(id)) + len(n.runs.of(id)); runs != 1 {
				t.Errorf("job %s ran %d times", id, runs)
			}
			awaitRecords(t, db, id, slices.Repeat([]job.Outcome{job.Succeeded}, len(w.runs.of(id)))...)
		}
	})
}
