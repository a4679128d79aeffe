package runner_test

import (
	"bytes"
	"context"
	"log/slog"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/etrainer/backend/pkg/catalog"
	"github.com/etrainer/backend/pkg/job"
	"github.com/etrainer/backend/pkg/queue"
	"github.com/etrainer/backend/pkg/runner"
	"github.com/etrainer/backend/pkg/schedule"
)

func attempts(n int) func(*catalog.Definition) {
	return func(d *catalog.Definition) { d.Retry.MaxAttempts = n }
}

// A job whose workers die as often as it may be tried is not run again: it
// would take this worker down as well.
func TestJobThatKillsItsWorkersEndsDead(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	id := b.withLost("a", 3, 1)[0]
	var called atomic.Int64
	b.start(b.options(handler("a", counted(&called), attempts(3))))
	eventually(t, "the job is dead", func() bool { return b.isFinished(id) })
	document := b.get(id)
	if want := "the worker died 3 times while it ran this job; it is not run again"; !document.Dead() || document.FailReason != want {
		t.Errorf("the job is %s with %q, want dead with %q", document.State(time.Now()), document.FailReason, want)
	}
	if called.Load() != 0 {
		t.Error("the handler was called")
	}
	var run job.Run
	eventually(t, "the history tells it", func() bool {
		runs := b.runs(id)
		run = runs[len(runs)-1]
		return run.Outcome == job.Dead
	})
	if run.Attempt != 4 || run.Failures != 3 {
		t.Errorf("the run is attempt %d after %d failures, want 4 after 3", run.Attempt, run.Failures)
	}
}

// One attempt fewer, and it is run; the policy that an operator has set counts.
func TestLostRunsCountAsAttempts(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	if err := b.client.ChangeSettings(t.Context(), job.Settings{Name: "b", Retry: &job.Retry{MaxAttempts: 2}}); err != nil {
		t.Fatal(err)
	}
	ran, dead := b.withLost("a", 2, 1)[0], b.withLost("b", 2, 1)[0]
	b.start(b.options(
		handler("a", func(context.Context, noteJob) (any, error) { return nil, errBoom }, attempts(3)),
		handler("b", func(context.Context, noteJob) (any, error) { return nil, nil }, attempts(3)),
	))
	runs := b.outcomes(ran, 3)
	if last := runs[2]; last.Attempt != 3 || last.Outcome != job.Dead || last.Error != "boom" {
		t.Errorf("the third attempt is %s with %q, want dead with boom", last.Outcome, last.Error)
	}
	eventually(t, "the other is dead as well", func() bool { return b.isFinished(dead) && b.get(dead).Dead() })
}

// Of the jobs that may kill their worker one runs at a time. The others wait
// in the database, where no death is charged to them, and hold back nobody.
func TestJobsThatMayKillRunAlone(t *testing.T) {
	t.Parallel()
	b, g := newBench(t, nil), newGate()
	fragile := append(b.withLost("a", 2, 2), b.withLost("b", 2, 1)...)
	innocent := b.enqueueMany("c", 3)
	var running atomic.Int64
	run := func(ctx context.Context, j noteJob) (any, error) {
		if now := running.Add(1); now > 1 {
			t.Errorf("%d jobs that may kill run at once", now)
		}
		defer running.Add(-1)
		return g.run(ctx, j)
	}
	b.start(b.options(handler("a", run), handler("b", run), noop("c")))
	first := receive(t, "the first start", g.started)
	b.allFinished(innocent)
	for range 5 { // the worker looks, and finds other work
		b.ended(b.enqueue("c", nil))
	}
	for _, id := range fragile {
		if document := b.get(id); id != first.ID && !document.LockedAt.IsZero() {
			t.Error("another job is locked: a death would be charged to it")
		}
	}
	g.letGo <- struct{}{}
	if second := receive(t, "the second start", g.started); second.ID == first.ID {
		t.Error("the same job ran twice")
	}
	close(g.letGo)
	b.allFinished(fragile)
}

// A tick that ended dead leaves the next one its attempts.
func TestDeadTickLeavesTheNextItsAttempts(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	b.start(b.options(handler("a", func(context.Context, noteJob) (any, error) { return nil, errBoom }, attempts(2))))
	if _, err := b.store.Arm(t.Context(), queue.Recurring{Name: "a", Repeat: schedule.Spec{Interval: "2 seconds"}}); err != nil {
		t.Fatal(err)
	}
	if err := b.hub.Publish(t.Context(), dueSignal); err != nil {
		t.Fatal(err)
	}
	armed, err := b.store.Singles(t.Context(), "a")
	if err != nil || len(armed) != 1 {
		t.Fatalf("%d are armed, %v", len(armed), err)
	}
	for i, run := range b.outcomes(armed["a"].ID, 4)[:4] {
		want := []job.Outcome{job.Retrying, job.Dead}[i%2]
		if run.Outcome != want || run.Attempt != i%2+1 {
			t.Errorf("run %d is %s, attempt %d; want %s, attempt %d", i+1, run.Outcome, run.Attempt, want, i%2+1)
		}
	}
}

// A handler that ends its goroutine has failed, and its slot is free.
func TestGoexitIsAFailure(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	o := b.options(handler("a", func(_ context.Context, j noteJob) (any, error) {
		if j.Attempt == 1 {
			runtime.Goexit()
		}
		return "second time", nil
	}))
	o.Slots = 1
	ids := b.enqueueMany("a", 3)
	r := b.start(o)
	for _, id := range ids {
		runs := b.outcomes(id, 2)
		if runs[0].Outcome != job.Retrying || !strings.Contains(runs[0].Error, "runtime.Goexit") || runs[1].Outcome != job.Succeeded {
			t.Errorf("the runs are %s with %q and %s", runs[0].Outcome, runs[0].Error, runs[1].Outcome)
		}
	}
	b.stop(r, 10*time.Second)
}

// A handler that ignores its timeout keeps its slot: nothing can end it. But
// somebody is told, once.
func TestHandlerThatIgnoresItsTimeoutIsTold(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	letGo := make(chan struct{})
	registry, log := prometheus.NewRegistry(), &lockedBuffer{}
	o := b.options(handler("a", func(context.Context, noteJob) (any, error) { <-letGo; return nil, nil },
		func(d *catalog.Definition) { d.Timeout = 50 * time.Millisecond }))
	o.Log, o.Metrics = slog.New(slog.NewTextHandler(log, nil)), runner.NewMetrics(registry)
	o.Problems = queue.NewProblems(time.Now, slog.New(slog.DiscardHandler))
	b.start(o)
	id := b.enqueue("a", nil)
	eventually(t, "it is a problem", func() bool {
		list := o.Problems.List()
		return len(list) == 1 && list[0].ID == id.Hex() && strings.Contains(list[0].What, "timed out after 50ms")
	})
	close(letGo)
	b.ended(id)
	if n := bytes.Count([]byte(log.String()), []byte("ignores the end of its context")); n != 1 {
		t.Errorf("it was told %d times: %s", n, log)
	}
	if n := metric(t, registry, "etrainer_worker_outliving_runs_total"); n != 1 {
		t.Errorf("the metric is %v, want 1", n)
	}
	if n := metric(t, registry, "etrainer_worker_problems"); n != 1 {
		t.Errorf("%v problems are counted, want 1", n)
	}
	// One that listens is nobody's concern.
	if quiet := b.ended(b.enqueue("a", nil)); quiet.Outcome != job.Succeeded {
		t.Errorf("the next run is %s", quiet.Outcome)
	}
}

// metric is the sum of a metric over its labels.
func metric(t *testing.T, registry *prometheus.Registry, name string) (sum float64) {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		if family.GetName() != name {
			continue
		}
		for _, m := range family.GetMetric() {
			sum += m.GetCounter().GetValue() + m.GetGauge().GetValue()
		}
		return sum
	}
	t.Fatalf("there is no metric %s", name)
	return 0
}
