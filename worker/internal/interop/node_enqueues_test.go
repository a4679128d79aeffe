package interop_test

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/etrainer/backend/pkg/job"
	"github.com/etrainer/backend/pkg/mongodb/mongotest"
)

// TestNodeEnqueuesWorkerRuns: whatever way Node makes a job, our worker runs
// it when it is due, with the data that Node gave, and Node sees it completed.
func TestNodeEnqueuesWorkerRuns(t *testing.T) {
	t.Parallel()
	eachVersion(t, func(t *testing.T, v version) {
		db := mongotest.Database(t)
		n := startNode(t, v, db)
		data := bson.D{
			{Key: "text", Value: "Đã đến giờ học! 📚"},
			{Key: "whole", Value: 42},
			{Key: "half", Value: 0.5},
			{Key: "at", Value: time.UnixMilli(1_700_000_000_123)},
			{Key: "none", Value: nil},
			{Key: "list", Value: bson.A{1, "two", true}},
			{Key: "nested", Value: bson.D{{Key: "deep", Value: -1}}},
		}
		now := n.id("now", "now", data)
		bare := n.id("now", "bare")
		later := n.id("schedule", "in 2 seconds", "later", data)
		at := time.Now().Add(time.Second)
		dated := n.id("schedule", at, "dated", data)
		planned := load(t, db, later).NextRunAt

		w := startWorker(t, db, named("now"), named("bare"), named("later"), named("dated"))
		awaitFinished(t, db, now, bare, later, dated)
		for _, state := range n.states(now, bare, later, dated) {
			if diff := cmp.Diff([]string{"completed"}, state.States); diff != "" {
				t.Errorf("Node shows %+v:\n%s", state, diff)
			}
		}
		const want = `{"at":"2023-11-14T22:13:20.123Z","half":0.5,"list":[1,"two",true],"nested":{"deep":-1},"none":null,"text":"Đã đến giờ học! 📚","whole":42}`
		for _, one := range w.runs.list() {
			if one.Name != "bare" && one.Data != want {
				t.Errorf("%s was given the data %s, want %s", one.Name, one.Data, want)
			}
		}
		if w.runs.count() != 4 {
			t.Errorf("%d runs of 4 jobs: %+v", w.runs.count(), w.runs.list())
		}
		for id, due := range map[string]time.Time{later: planned, dated: at} {
			if started := load(t, db, id).LastRunAt; started.Before(due.Truncate(time.Millisecond)) {
				t.Errorf("job %s was due at %s and ran at %s", id, due, started)
			}
		}
	})
}

// TestNodeRepeatsWorkerRuns: the recurring jobs that Node makes run on their
// ticks, and stay recurring for Node.
func TestNodeRepeatsWorkerRuns(t *testing.T) {
	t.Parallel()
	eachVersion(t, func(t *testing.T, v version) {
		db := mongotest.Database(t)
		n := startNode(t, v, db)
		cron := n.id("every", "*/2 * * * * *", "cron", bson.D{{Key: "by", Value: "cron"}})
		interval := n.id("every", "2 seconds", "interval")
		number := n.id("every", 2000, "number")

		w := startWorker(t, db, named("cron"), named("interval"), named("number"))
		for _, id := range []string{cron, interval, number} {
			await(t, "two runs of "+id, func() bool { return len(w.runs.of(id)) >= 2 })
			await(t, "records of two runs of "+id, func() bool { return len(records(t, db)[id]) >= 2 })
			for _, outcome := range records(t, db)[id] {
				if outcome != job.Succeeded && outcome != job.Open {
					t.Errorf("a run of %s is recorded as %s", id, outcome)
				}
			}
			state := n.states(id)[0]
			if !slices.Contains(state.States, "repeating") && !slices.Contains(state.States, "running") || slices.Contains(state.States, "failed") {
				t.Errorf("Node shows %+v", state)
			}
			if d := load(t, db, id); d.NextRunAt.IsZero() || d.Type != job.Single {
				t.Errorf("job %s has lost its schedule: %+v", id, d)
			}
		}
		for _, one := range w.runs.of(cron) {
			if one.Tick.UnixMilli()%2000 != 0 || one.Data != `{"by":"cron"}` {
				t.Errorf("a run of the cron job is not on a tick, or has other data: %+v", one)
			}
		}
		ticks := w.runs.of(interval)
		if gap := ticks[1].Tick.Sub(ticks[0].Tick); gap < 2*time.Second {
			t.Errorf("the interval of two seconds was %s", gap)
		}
	})
}

// TestNodesRhythmIsKept: intervals that are refused here, and that Agenda runs,
// go on at its rhythm after a run of ours; those of an endless loop end there,
// and Node shows them as failed.
func TestNodesRhythmIsKept(t *testing.T) {
	t.Parallel()
	eachVersion(t, func(t *testing.T, v version) {
		db := mongotest.Database(t)
		n, store := startNode(t, v, db), newStore(t, db)
		every := map[string]time.Duration{
			"two and a half hours": 2 * time.Hour, "100 milliseconds": 100 * time.Second, "@weekdays": 8 * 24 * time.Hour, "5_minutes": 5 * time.Minute,
			"an hour": 0, "every day": 0,
		}
		ids, kinds := map[string]string{}, []kind(nil)
		for interval := range every {
			ids[interval] = n.id("every", interval, interval)
			kinds = append(kinds, named(interval))
			if _, err := store.Retry(t.Context(), objectID(t, ids[interval]), ""); err != nil {
				t.Fatal(err)
			}
		}
		startWorker(t, db, kinds...)
		for interval, rhythm := range every {
			id := ids[interval]
			await(t, "the end of the run of "+interval, func() bool { return finished(load(t, db, id)) })
			d := load(t, db, id)
			if rhythm == 0 {
				if states := n.states(id)[0].States; !d.Dead() || d.FailReason == "" || !slices.Contains(states, "failed") {
					t.Errorf("%q: Node shows %v, and the job is %+v", interval, states, d)
				}
				continue
			}
			if got := d.NextRunAt.Sub(d.LastRunAt); got != rhythm {
				t.Errorf("%q comes again after %s, want %s", interval, got, rhythm)
			}
		}
	})
}

// TestNodeMakesUniqueJobs: unique() finds the job that our worker ran.
func TestNodeMakesUniqueJobs(t *testing.T) {
	t.Parallel()
	eachVersion(t, func(t *testing.T, v version) {
		db := mongotest.Database(t)
		n := startNode(t, v, db)
		save := func(note string, options ...any) {
			data := bson.D{{Key: "user", Value: 7}, {Key: "note", Value: note}}
			n.call("unique", append([]any{"unique", data, bson.D{{Key: "data.user", Value: 7}}}, options...)...)
		}
		insertOnly := bson.D{{Key: "insertOnly", Value: true}}
		save("first")
		save("second")
		save("ignored", insertOnly)
		if count := documentsOf(t, db, "unique"); count != 1 {
			t.Fatalf("Node made %d jobs", count)
		}

		w := startWorker(t, db, named("unique"))
		await(t, "the run", func() bool { return w.runs.count() == 1 })
		id := w.runs.list()[0].Job
		awaitFinished(t, db, id)
		if got, want := n.states(id)[0].States, []string{"completed"}; !slices.Equal(got, want) {
			t.Errorf("Node shows %v, want %v", got, want)
		}
		save("ignored", insertOnly)
		if d := load(t, db, id); !d.NextRunAt.IsZero() {
			t.Errorf("insertOnly made a finished job due at %s", d.NextRunAt)
		}
		save("third")
		await(t, "the run after the third save", func() bool { return w.runs.count() == 2 })
		awaitFinished(t, db, id)

		var notes []string
		for _, one := range w.runs.of(id) {
			notes = append(notes, one.Data)
		}
		want := []string{`{"note":"second","user":7}`, `{"note":"third","user":7}`}
		if diff := cmp.Diff(want, notes); diff != "" {
			t.Errorf("runs (-want +got):\n%s", diff)
		}
		if count := documentsOf(t, db, "unique"); count != 1 {
			t.Errorf("%d jobs, want 1", count)
		}
		awaitRecords(t, db, id, job.Succeeded, job.Succeeded)
	})
}
