package runner_test

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/etrainer/backend/pkg/catalog"
	"github.com/etrainer/backend/pkg/fleet"
	"github.com/etrainer/backend/pkg/job"
	"github.com/etrainer/backend/pkg/lifecycle"
	"github.com/etrainer/backend/pkg/lifecycle/lifecycletest"
	"github.com/etrainer/backend/pkg/runner"
)

func TestRunnerIsAService(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	lifecycletest.Stress(t, func() lifecycle.Service { return runner.New(b.options(noop("a"))) })
	if left, err := b.options().Registry.Instances(t.Context()); err != nil || len(left) != 0 {
		t.Errorf("stopped runners are still listed: %v, %v", left, err)
	}
}

func TestRunnerRunsOnce(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	r := b.start(b.options(noop("a")))
	b.stop(r, patience)
	if err := r.Start(t.Context()); !errors.Is(err, lifecycle.ErrStopped) {
		t.Errorf("Start after Stop: %v, want ErrStopped", err)
	}
}

// absent is a registry that is away for the first call.
type absent struct {
	fleet.Registry
	calls atomic.Int64
}

func (a *absent) Register(ctx context.Context, self fleet.Instance) error {
	if a.calls.Add(1) == 1 {
		return errBoom
	}
	return a.Registry.Register(ctx, self)
}

func TestStartThatFailedCanBeRepeated(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	o := b.options(noop("a"))
	o.Registry = &absent{Registry: o.Registry}
	r := runner.New(o)
	if err := r.Start(t.Context()); !errors.Is(err, errBoom) {
		t.Fatalf("Start: %v, want the registry's failure", err)
	}
	if err := r.Start(t.Context()); err != nil {
		t.Fatalf("Start again: %v", err)
	}
	b.ended(b.enqueue("a", nil))
	b.stop(r, patience)
}

// brittle is a registry that panics when the fleet is read.
type brittle struct{ fleet.Registry }

func (brittle) Instances(context.Context) ([]fleet.Instance, error) { panic("torn") }

// A part that fails takes the process down in order, whichever part it is: a
// worker that does not renew or rescue must not go on.
func TestFailureOfAPartIsTold(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	o := b.options(noop("a"))
	o.Registry = brittle{o.Registry}
	r := runner.New(o)
	if err := r.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := receive(t, "the failure", r.Failed()); !strings.Contains(err.Error(), "watch: panic: torn") {
		t.Errorf("the failure is %v", err)
	}
	b.stop(r, patience)
}

// hoard makes a runner of one slot hold jobs that wait for it, and returns
// the one that runs and those that do not.
func hoard(t *testing.T, b *bench, g *gate) (r *runner.Runner, running bson.ObjectID, waiting []bson.ObjectID) {
	t.Helper()
	const quick, slow = 100, 10
	b.enqueueMany("a", quick)
	gates := b.enqueueMany("a", slow)
	var count atomic.Int64
	r = b.start(b.options(handler("a", func(ctx context.Context, j noteJob) (any, error) {
		if count.Add(1) <= quick {
			return nil, nil
		}
		return g.run(ctx, j)
	}, func(d *catalog.Definition) { d.Concurrency = 1 })))
	running = receive(t, "the slow job", g.started).ID
	eventually(t, "the others are leased ahead", func() bool { return r.InFlight() == slow })
	for _, id := range gates {
		if id != running {
			waiting = append(waiting, id)
		}
	}
	return r, running, waiting
}

// Stop lets what runs finish, and hands back what waits as if it had never
// been leased.
func TestStopDrains(t *testing.T) {
	t.Parallel()
	b, g := newBench(t, nil), newGate()
	r, running, waiting := hoard(t, b, g)
	stopped := make(chan error, 1)
	go func() { stopped <- stopWithin(r, patience) }()
	eventually(t, "the fleet knows that it drains", func() bool {
		instances, err := b.options().Registry.Instances(t.Context())
		return err == nil && len(instances) == 1 && instances[0].Draining
	})
	eventually(t, "what waits is handed back", func() bool {
		for _, id := range waiting {
			if d := b.get(id); !d.LockedAt.IsZero() {
				return false
			}
		}
		return true
	})
	select {
	case err := <-stopped:
		t.Fatalf("Stop did not wait for the handler: %v", err)
	default:
	}
	close(g.letGo)
	if err := receive(t, "the end of Stop", stopped); err != nil {
		t.Errorf("Stop: %v", err)
	}
	if run := b.ended(running); run.Outcome != job.Succeeded || resultOf(t, run) != `"let go"` {
		t.Errorf("the job that ran is %s", run.Outcome)
	}
	for _, id := range waiting {
		b.state(id, job.Queued)
		if runs := b.runs(id); len(runs) != 0 || !b.get(id).LastRunAt.IsZero() {
			t.Errorf("a job whose handler was never called has runs: %+v", runs)
		}
	}
	if instances, err := b.options().Registry.Instances(t.Context()); err != nil || len(instances) != 0 {
		t.Errorf("the fleet still lists %v (%v)", instances, err)
	}
	b.start(b.options(noop("a")))
	for _, id := range waiting {
		if run := b.ended(id); run.Outcome != job.Succeeded || run.Attempt != 1 {
			t.Errorf("afterwards: %s, attempt %d; want the first to succeed", run.Outcome, run.Attempt)
		}
	}
}

// When the grace time ends, handlers are told; what they leave is continued
// elsewhere, and that is no failure.
func TestStopTellsHandlersAndHandsTheirJobsOn(t *testing.T) {
	t.Parallel()
	b, g := newBench(t, nil), newGate()
	last := func(d *catalog.Definition) { d.Retry.MaxAttempts = 1 }
	r := b.start(b.options(handler("a", g.run, last)))
	id := b.enqueue("a", nil)
	tick := receive(t, "the start", g.started).Tick
	b.stop(r, 5*time.Second) // half of it is theirs
	if cause := receive(t, "the cause", g.causes); !errors.Is(cause, runner.ErrStopping) {
		t.Errorf("the handler was told %v, want ErrStopping", cause)
	}
	b.state(id, job.Queued)

	again := make(chan noteJob, 1)
	b.start(b.options(handler("a", func(_ context.Context, j noteJob) (any, error) { again <- j; return nil, nil }, last)))
	if j := receive(t, "the continuation", again); j.Attempt != 2 || !j.Tick.Equal(tick) {
		t.Errorf("it goes on with attempt %d of %s, want 2 of %s", j.Attempt, j.Tick, tick)
	}
	runs := b.outcomes(id, 2)
	if runs[0].Outcome != job.Released || runs[1].Outcome != job.Succeeded || runs[1].Failures != 0 {
		t.Errorf("the runs are %s and %s with %d failures", runs[0].Outcome, runs[1].Outcome, runs[1].Failures)
	}
}

// A handler that does not listen is left behind: Stop ends in time, a peer
// takes the job over, and what the handler returns in the end is not recorded.
func TestHandlerThatIgnoresTheStopIsAbandoned(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	started, letGo, returned := make(chan struct{}), make(chan struct{}), make(chan struct{})
	r := b.start(b.options(handler("a", func(context.Context, noteJob) (any, error) {
		close(started)
		<-letGo
		defer close(returned)
		return "too late", nil
	})))
	id := b.enqueue("a", nil)
	receive(t, "the start", started)

	const grace = 2 * time.Second
	began := time.Now()
	err := stopWithin(r, grace)
	if err == nil || !strings.Contains(err.Error(), "1 handlers did not stop in time; their jobs will run again") {
		t.Errorf("Stop: %v", err)
	}
	if took := time.Since(began); took > grace+time.Second {
		t.Errorf("Stop took %s of %s", took, grace)
	}

	b.start(b.options(handler("a", func(_ context.Context, j noteJob) (any, error) { return j.Attempt, nil })))
	runs := b.outcomes(id, 2)
	if runs[0].Outcome != job.Lost || runs[1].Outcome != job.Succeeded || resultOf(t, runs[1]) != "2" {
		t.Errorf("the runs are %s and %s with %s", runs[0].Outcome, runs[1].Outcome, resultOf(t, runs[1]))
	}
	before := b.get(id)
	close(letGo)
	receive(t, "the end of the abandoned handler", returned)
	b.stop(r, patience) // once more, which waits for nothing
	if after := b.get(id); !after.LastFinishedAt.Equal(before.LastFinishedAt) || len(b.runs(id)) != 2 {
		t.Errorf("the abandoned handler left a trace: %+v", after)
	}
}

// Outcomes that are known when Stop is called are in the database when it
// returns.
func TestStopRecordsWhatIsKnown(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	ids := b.enqueueMany("a", 200)
	var ended atomic.Int64
	r := b.start(b.options(handler("a", func(context.Context, noteJob) (any, error) { ended.Add(1); return nil, nil })))
	eventually(t, "some have run", func() bool { return ended.Load() > 20 })
	b.stop(r, patience)
	recorded := int64(0)
	for _, id := range ids {
		switch state := b.get(id).State(b.store.Now()); state {
		case job.Completed:
			recorded++
		case job.Queued:
		default:
			t.Errorf("a job is left %s", state)
		}
	}
	if recorded != ended.Load() {
		t.Errorf("%d handlers ended, %d outcomes are recorded", ended.Load(), recorded)
	}
	if r.InFlight() != 0 {
		t.Errorf("%d leases are held after Stop", r.InFlight())
	}
}

// A stop without a deadline waits for the handlers, however long.
func TestStopWithoutADeadline(t *testing.T) {
	t.Parallel()
	b, g := newBench(t, nil), newGate()
	r := b.start(b.options(handler("a", g.run)))
	id := b.enqueue("a", nil)
	receive(t, "the start", g.started)
	stopped := make(chan error, 1)
	go func() { stopped <- r.Stop(context.Background()) }()
	eventually(t, "it drains", func() bool {
		instances, err := b.options().Registry.Instances(t.Context())
		return err == nil && len(instances) == 1 && instances[0].Draining
	})
	close(g.letGo)
	if err := receive(t, "the end of Stop", stopped); err != nil {
		t.Errorf("Stop: %v", err)
	}
	b.state(id, job.Completed)
}
