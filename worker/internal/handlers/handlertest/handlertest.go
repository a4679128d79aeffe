// Package handlertest runs handlers the way the worker does: from a job in the
// queue to the record of its run. Tests alone import it.
package handlertest

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/etrainer/backend/pkg/fleet/mongofleet"
	"github.com/etrainer/backend/pkg/job"
	"github.com/etrainer/backend/pkg/queue"
	"github.com/etrainer/backend/pkg/queue/mongoqueue"
	"github.com/etrainer/backend/pkg/runner"
	"github.com/etrainer/backend/pkg/wake"
)

// patience is how long a test waits for what must come about.
const patience = 90 * time.Second

// Run enqueues a job of the handler's name, runs it, and returns its finished
// record. at is the planned time and must not be in the future.
func Run(t *testing.T, db *mongo.Database, handler runner.Handler, payload any, at time.Time) job.Run {
	t.Helper()
	return RunCancelled(t, db, func(func(context.Context)) runner.Handler { return handler }, payload, at)
}

// RunCancelled is Run of a job that is cancelled on its way. What the handler
// is built of calls cancel with the context that it was given: the job is then
// cancelled as an operator does it, and cancel returns when the handler has
// been told.
func RunCancelled(t *testing.T, db *mongo.Database, build func(cancel func(context.Context)) runner.Handler, payload any, at time.Time) job.Run {
	t.Helper()
	store := mongoqueue.New(db, mongoqueue.Options{})
	if err := store.Prepare(t.Context()); err != nil {
		t.Fatal(err)
	}
	data, err := job.ToData(payload)
	if err != nil {
		t.Fatal(err)
	}
	signals := make(signals, 8)
	var id bson.ObjectID
	handler := build(func(ctx context.Context) {
		if _, err := store.Cancel(context.WithoutCancel(ctx), id, "the operator"); err != nil {
			t.Error(err)
		}
		signals <- wake.Signal{Kind: wake.Cancel, JobID: id.Hex()}
		select {
		case <-ctx.Done():
		case <-time.After(patience):
			t.Error("the handler was not told that it is cancelled")
		}
	})
	receipts, err := store.Enqueue(t.Context(), queue.Request{Name: handler.Definition().Name, Data: data, RunAt: at})
	if err != nil {
		t.Fatal(err)
	}
	id = receipts[0].Job.ID
	worker := runner.New(runner.Options{
		Store: store, Settings: store, Registry: mongofleet.New(db, store.Now), Server: runner.LocalTime(store.Now), Host: "test",
		Handlers: []runner.Handler{handler}, Subscriber: signals, PollInterval: 200 * time.Millisecond,
	})
	if err := worker.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := worker.Stop(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	}()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		runs, err := store.Runs(ctx, id, 1)
		if err != nil {
			t.Fatal(err)
		}
		if len(runs) == 1 && runs[0].FinishedAt != nil {
			return runs[0]
		}
		select {
		case <-ctx.Done():
			t.Fatalf("the run did not end: %+v", runs)
		case <-tick.C:
		}
	}
}

// signals are a wake.Subscriber of this process alone.
type signals chan wake.Signal

func (s signals) Signals() <-chan wake.Signal { return s }
func (signals) Connected() bool               { return false } // jobs are found by polling

// Result reads the result of a run that must have succeeded.
func Result[R any](t *testing.T, run job.Run) R {
	t.Helper()
	var result R
	if run.Outcome != job.Succeeded {
		t.Fatalf("the run ended as %s: %s", run.Outcome, run.Error)
	}
	text, err := json.Marshal(job.PlainValue(run.Result))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &result); err != nil {
		t.Fatalf("the result %s: %v", text, err)
	}
	return result
}
