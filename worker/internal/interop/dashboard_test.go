package interop_test

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/etrainer/backend/pkg/job"
	"github.com/etrainer/backend/pkg/mongodb/mongotest"
	"github.com/etrainer/backend/pkg/queue"
	"github.com/etrainer/backend/pkg/runner"
)

// dashboard is Agendash 8 over HTTP, as its web page uses it.
type dashboard struct {
	t    *testing.T
	base string
}

func startDashboard(t *testing.T, n *node) dashboard {
	t.Helper()
	return dashboard{t, n.call("dashboard").StringValue()}
}

// do presses a button on one job.
func (d dashboard) do(action, id string) {
	d.t.Helper()
	request(d.t, http.MethodPost, d.base+"/api/jobs/"+action, "", map[string]any{"jobIds": []string{id}}, nil)
}

// flags lists the flags of a job, as the page shows them.
func (d dashboard) flags(id string) []string {
	d.t.Helper()
	var reply struct {
		Jobs []map[string]any `json:"jobs"`
	}
	request(d.t, http.MethodGet, d.base+"/api", "", nil, &reply)
	var flags []string
	for _, shown := range reply.Jobs {
		if fields, ok := shown["job"].(map[string]any); !ok || fields["_id"] != id {
			continue
		}
		for name, value := range shown {
			if value == true {
				flags = append(flags, name)
			}
		}
	}
	slices.Sort(flags)
	return flags
}

func (d dashboard) want(id string, flags ...string) {
	d.t.Helper()
	if diff := cmp.Diff(flags, d.flags(id)); diff != "" {
		d.t.Errorf("Agendash shows job %s (-want +got):\n%s", id, diff)
	}
}

// TestDashboardActsOnOurJobs presses the buttons of Agendash 8 on jobs that
// our api or our worker made and ran.
func TestDashboardActsOnOurJobs(t *testing.T) {
	t.Parallel()
	db := mongotest.Database(t)
	store := newStore(t, db)
	dash := startDashboard(t, startNode(t, agenda6, db))

	var broken atomic.Bool
	broken.Store(true)
	fragile := named("fragile")
	fragile.do = func(context.Context) error {
		if broken.Load() {
			return runner.Permanent(errors.New("no luck"))
		}
		return nil
	}
	id := enqueueMany(t, store, "fragile", 1)[0]
	dash.want(id, "queued")
	w := startWorker(t, db, fragile, named("paused"))
	awaitFinished(t, db, id)
	dash.want(id, "failed")

	broken.Store(false)
	dash.do("retry", id)
	await(t, "the retried job to run", func() bool { return w.runs.count() == 2 })
	await(t, "the retried job to complete", func() bool { return slices.Equal(dash.flags(id), []string{"completed"}) })
	awaitRecords(t, db, id, job.Succeeded, job.Dead)

	dash.do("requeue", id)
	await(t, "the copy to run", func() bool { return w.runs.count() == 3 })
	copied := w.runs.list()[2].Job
	awaitFinished(t, db, copied)
	dash.want(copied, "completed")
	if copied == id {
		t.Error("requeue ran the job itself, and no copy")
	}

	paused := futureJob(t, store, "paused")
	dash.want(paused, "scheduled")
	dash.do("pause", paused)
	if _, err := store.Retry(t.Context(), objectID(t, paused), ""); err != nil { // due now, and still paused
		t.Fatal(err)
	}
	dash.want(paused, "paused", "queued")
	dash.do("requeue", id) // once this has run, the worker has passed by the paused one
	await(t, "another run", func() bool { return w.runs.count() == 4 })
	if runs := w.runs.of(paused); len(runs) > 0 {
		t.Errorf("a paused job ran: %+v", runs)
	}
	dash.do("resume", paused)
	await(t, "the resumed job to run", func() bool { return len(w.runs.of(paused)) == 1 })
	awaitFinished(t, db, paused)
	dash.want(paused, "completed")

	dash.do("delete", paused)
	if documentsOf(t, db, "paused") != 0 {
		t.Error("the deleted job is still there")
	}
}

// TestDashboardRetriesARunningJob: Agendash unlocks a job that is running and
// makes it due, so that it runs a second time beside the first. Our worker
// tells the first handler that its lease is lost, and records its run as such.
func TestDashboardRetriesARunningJob(t *testing.T) {
	t.Parallel()
	db := mongotest.Database(t)
	store := newStore(t, db)
	dash := startDashboard(t, startNode(t, agenda6, db))

	var calls atomic.Int32
	ended := make(chan error, 1) // how the first handler was ended
	slow := named("slow")
	slow.LockLifetime = shortLifetime // renewed at a quarter of it
	slow.do = func(ctx context.Context) error {
		if calls.Add(1) > 1 {
			return nil
		}
		<-ctx.Done()
		ended <- context.Cause(ctx)
		return context.Cause(ctx)
	}
	id := enqueueMany(t, store, "slow", 1)[0]
	w := startWorker(t, db, slow)
	await(t, "the first run", func() bool { return w.runs.count() == 1 })
	dash.want(id, "running")
	dash.do("retry", id)
	await(t, "the second run", func() bool { return w.runs.count() == 2 })
	await(t, "the end of the first handler", func() bool { return len(ended) == 1 })
	if err := <-ended; !errors.Is(err, runner.ErrLeaseLost) {
		t.Errorf("the first handler was ended by %v, want %v", err, runner.ErrLeaseLost)
	}
	awaitRecords(t, db, id, job.Succeeded, job.Lost)
	dash.want(id, "completed")
	if w.runs.count() != 2 {
		t.Errorf("%d runs", w.runs.count())
	}
}

// futureJob makes a job that is due in an hour.
func futureJob(t *testing.T, store queue.Producer, name string) string {
	t.Helper()
	receipts, err := store.Enqueue(t.Context(), queue.Request{Name: name, RunAt: time.Now().Add(time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	return receipts[0].Job.ID.Hex()
}
