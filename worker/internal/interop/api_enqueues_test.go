package interop_test

import (
	"slices"
	"testing"
	"time"

	"github.com/etrainer/backend/pkg/job"
	"github.com/etrainer/backend/pkg/mongodb/mongotest"
)

// TestAPIEnqueuesNodeRuns: what a client schedules with our api, a Node
// process runs when it is due, and the api sees it completed or failed.
func TestAPIEnqueuesNodeRuns(t *testing.T) {
	t.Parallel()
	eachVersion(t, func(t *testing.T, v version) {
		db := mongotest.Database(t)
		a := startAPI(t, db)
		n := startNode(t, v, db)
		n.define(definition{Name: "now"}, definition{Name: "later"}, definition{Name: "unique"}, definition{Name: "fails", Error: "no luck"})
		n.call("start")

		data := map[string]any{"text": "Đã đến giờ học! 📚", "whole": 42, "half": 0.5, "list": []any{1, "two", nil}}
		now := a.schedule(map[string]any{"name": "now", "data": data, "priority": "high"})
		later := a.schedule(map[string]any{"name": "later", "when": "in 2 seconds"})
		planned := load(t, db, later).NextRunAt
		fails := a.schedule(map[string]any{"name": "fails"})
		awaitFinished(t, db, now, later, fails)

		if got := n.runs.of(now); len(got) != 1 || got[0].Data != sorted(data) {
			t.Errorf("Node ran %+v, want one run with the data %s", got, sorted(data))
		}
		if started := load(t, db, later).LastRunAt; started.Before(planned) || planned.Before(time.UnixMilli(0)) {
			t.Errorf("due at %s, started at %s", planned, started)
		}
		for id, want := range map[string]string{now: string(job.Completed), later: string(job.Completed), fails: string(job.Failed)} {
			if got := a.state(id); got != want {
				t.Errorf("the api shows job %s as %s, want %s", id, got, want)
			}
			if got := n.states(id)[0].States; !slices.Contains(got, want) {
				t.Errorf("Node shows job %s as %v, want %s", id, got, want)
			}
		}
		if d := load(t, db, fails); d.FailReason != "no luck" || !d.Dead() {
			t.Errorf("the failed job reads %+v", d)
		}
		if d := load(t, db, now); d.Priority != job.PriorityHigh {
			t.Errorf("priority %v after Node ran the job, want %v", d.Priority, job.PriorityHigh)
		}

		t.Run("unique", func(t *testing.T) { uniqueByAPI(t, a, n) })
	})
}

// uniqueByAPI repeats a unique request before and after Node ran the job.
func uniqueByAPI(t *testing.T, a *api, n *node) {
	schedule := func(when string) string {
		return a.schedule(map[string]any{
			"name": "unique", "when": when, "data": map[string]any{"user": 7}, "unique": map[string]any{"by": []string{"user"}},
		})
	}
	first := schedule("in 1 hour")
	if second := schedule("now"); second != first {
		t.Fatalf("the repeated request made job %s beside %s", second, first)
	}
	await(t, "Node to run the unique job", func() bool { return len(n.runs.of(first)) == 1 })
	await(t, "the unique job to complete", func() bool { return a.state(first) == string(job.Completed) })
	if third := schedule("now"); third != first {
		t.Fatalf("the request after the run made job %s beside %s", third, first)
	}
	await(t, "Node to run the unique job again", func() bool { return len(n.runs.of(first)) == 2 })
}
