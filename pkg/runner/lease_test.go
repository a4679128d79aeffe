package runner_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/jonboulle/clockwork"
	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/etrainer/backend/pkg/catalog"
	"github.com/etrainer/backend/pkg/fleet/mongofleet"
	"github.com/etrainer/backend/pkg/job"
	"github.com/etrainer/backend/pkg/mongodb"
	"github.com/etrainer/backend/pkg/queue"
	"github.com/etrainer/backend/pkg/runner"
)

// steal makes another worker the holder of a job, as if its lease had run out.
func (b *bench) steal(id bson.ObjectID) {
	b.t.Helper()
	// A Node process locks what was locked minutes ago, so never in the millisecond
	// of the last renewal, which is the fence.
	now := time.Now().Add(time.Second)
	result, err := b.db.Collection("agendaJobs").UpdateByID(b.t.Context(), id, bson.M{"$set": bson.M{
		"lockedAt": now, "lastModifiedBy": "worker@thief", "lastRunAt": now,
	}})
	if err != nil || result.MatchedCount != 1 {
		b.t.Fatalf("steal: %+v, %v", result, err)
	}
}

func shortLived(lifetime time.Duration) func(*catalog.Definition) {
	return func(d *catalog.Definition) { d.LockLifetime = lifetime }
}

// A lease of two seconds outlives a run of six, though a peer looks for locks
// past their lifetime all the time.
func TestLeasesAreRenewed(t *testing.T) {
	t.Parallel()
	b, g := newBench(t, nil), newGate()
	lifetime := 4 * time.Second
	holder := b.start(b.options(handler("a", g.run, shortLived(lifetime))))
	id := b.enqueue("a", nil)
	receive(t, "the start", g.started)
	first := b.get(id).LockedAt

	thief := queue.LeaseRequest{Holder: "worker@thief", Total: 1, Expired: true, Names: map[string]queue.NameRequest{"a": {Free: 1, Lifetime: lifetime}}}
	deadline, tick := time.Now().Add(3*lifetime), time.NewTicker(100*time.Millisecond)
	defer tick.Stop()
	for time.Now().Before(deadline) {
		<-tick.C
		batch, err := b.store.Lease(t.Context(), thief)
		if err != nil || len(batch.Leases) != 0 {
			t.Fatalf("the lease ran out: %d leased, %v", len(batch.Leases), err)
		}
	}
	if document := b.get(id); !document.LockedAt.After(first.Add(lifetime)) || document.LastModifiedBy != holder.Instance() {
		t.Errorf("locked at %s by %s", document.LockedAt, document.LastModifiedBy)
	}
	close(g.letGo)
	if run := b.ended(id); run.Outcome != job.Succeeded {
		t.Errorf("the run is %s", run.Outcome)
	}
}

// Who lost the lease is told to stop, and nothing that it says is recorded.
func TestLostLease(t *testing.T) {
	t.Parallel()
	b, g := newBench(t, nil), newGate()
	r := b.start(b.options(handler("a", g.run, shortLived(4*time.Second))))
	id := b.enqueue("a", nil)
	receive(t, "the start", g.started)
	b.steal(id)
	stolen := b.get(id)
	if cause := receive(t, "the cause", g.causes); !errors.Is(cause, runner.ErrLeaseLost) {
		t.Errorf("the handler was told %v, want ErrLeaseLost", cause)
	}
	eventually(t, "the runner lets go", func() bool { return r.InFlight() == 0 })
	if after := b.get(id); !after.LockedAt.Equal(stolen.LockedAt) || !after.LastFinishedAt.IsZero() || after.LastModifiedBy != "worker@thief" {
		t.Errorf("the job was changed: %+v", after)
	}
	if run := b.ended(id); run.Outcome != job.Lost {
		t.Errorf("the run is %s, want lost", run.Outcome)
	}
}

// The same, when the handler ends before the loss is noticed.
func TestOutcomeOfALostLeaseIsRefused(t *testing.T) {
	t.Parallel()
	b, g := newBench(t, nil), newGate()
	b.start(b.options(handler("a", g.run)))
	id := b.enqueue("a", nil)
	receive(t, "the start", g.started)
	b.steal(id)
	stolen := b.get(id)
	close(g.letGo)
	if run := b.ended(id); run.Outcome != job.Lost || run.Result.Type != 0 {
		t.Errorf("the run is %s with %s, want lost with nothing", run.Outcome, run.Result)
	}
	if after := b.get(id); !after.LockedAt.Equal(stolen.LockedAt) || !after.LastFinishedAt.IsZero() {
		t.Errorf("the job was changed: %+v", after)
	}
}

func TestHeartbeatRenewsAndTells(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	beat, answers := make(chan struct{}), make(chan error)
	b.start(b.options(handler("a", func(ctx context.Context, _ noteJob) (any, error) {
		for range beat {
			answers <- runner.Heartbeat(ctx)
		}
		return nil, nil
	})))
	id := b.enqueue("a", nil)
	eventually(t, "it runs", func() bool { return b.get(id).State(time.Now()) == job.Running })
	first := b.get(id).LockedAt
	beat <- struct{}{}
	if err := receive(t, "the answer", answers); err != nil {
		t.Errorf("Heartbeat: %v", err)
	}
	if second := b.get(id).LockedAt; !second.After(first) {
		t.Errorf("the lock was not renewed: %s, %s", first, second)
	}
	b.steal(id)
	for range 2 { // the first finds it out, the second knows
		beat <- struct{}{}
		if err := receive(t, "the answer", answers); !errors.Is(err, runner.ErrLeaseLost) {
			t.Errorf("Heartbeat without a lease: %v, want ErrLeaseLost", err)
		}
	}
	close(beat)
	if run := b.ended(id); run.Outcome != job.Lost {
		t.Errorf("the run is %s, want lost", run.Outcome)
	}
}

// A Node process that arms its jobs clears the lock of one that runs here.
// The holder takes it back, and goes on.
func TestLockClearedByNodeIsTakenBack(t *testing.T) {
	t.Parallel()
	b, g := newBench(t, nil), newGate()
	b.start(b.options(handler("a", g.run, shortLived(4*time.Second))))
	id := b.enqueue("a", nil)
	receive(t, "the start", g.started)
	_, err := b.db.Collection("agendaJobs").UpdateByID(t.Context(), id, bson.M{"$set": bson.M{
		"lockedAt": nil, "lastRunAt": nil, "lastFinishedAt": nil, "lastModifiedBy": nil,
	}})
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "the lock is taken back", func() bool { return !b.get(id).LockedAt.IsZero() })
	close(g.letGo)
	if run := b.ended(id); run.Outcome != job.Succeeded {
		t.Errorf("the run is %s", run.Outcome)
	}
	b.state(id, job.Completed)
}

// Peers took this process for dead while it slept: it gives up what it held,
// hands back what it leased since, and goes on under a new name.
func TestDeclaredDead(t *testing.T) {
	t.Parallel()
	b, g := newBench(t, nil), newGate()
	o := b.options(handler("a", g.run))
	ids := b.enqueueMany("a", 2)
	o.Clock, o.Subscriber = pollless{clockwork.NewRealClock()}, nil // it leases nothing while the test is at it
	r := b.start(o)
	former := r.Instance()
	receive(t, "the first start", g.started)
	receive(t, "the second start", g.started)
	// A peer has released both; one was leased again before this worker knew.
	if _, err := b.store.Rescue(t.Context(), queue.RescueRequest{Instance: former}); err != nil {
		t.Fatal(err)
	}
	again, err := b.store.Lease(t.Context(), queue.LeaseRequest{
		Holder: former, Total: 1, Names: map[string]queue.NameRequest{"a": {Free: 1}},
	})
	if err != nil || len(again.Leases) != 1 {
		t.Fatalf("leased %d, %v", len(again.Leases), err)
	}
	if err := mongofleet.New(b.db, time.Now).Leave(t.Context(), former); err != nil {
		t.Fatal(err)
	}

	for range 2 {
		if cause := receive(t, "the cause", g.causes); !errors.Is(cause, runner.ErrLeaseLost) {
			t.Errorf("a handler was told %v, want ErrLeaseLost", cause)
		}
	}
	for range 2 {
		if j := receive(t, "the next attempt", g.started); j.Attempt != 2 {
			t.Errorf("attempt %d, want 2: the lease of which this worker did not know was never a run", j.Attempt)
		}
	}
	if r.Instance() == former {
		t.Error("it goes on under the name of the dead")
	}
	close(g.letGo)
	for _, id := range ids {
		runs := b.outcomes(id, 2)
		if runs[0].Outcome != job.Lost || runs[0].Worker != former || runs[1].Outcome != job.Succeeded || runs[1].Worker != r.Instance() {
			t.Errorf("the runs are %s by %s and %s by %s", runs[0].Outcome, runs[0].Worker, runs[1].Outcome, runs[1].Worker)
		}
	}
}

// A worker that died is noticed by its heartbeat, long before the lifetime of
// its locks, and by one that is idle.
func TestPeersRescueTheDead(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	registry := mongofleet.New(b.db, time.Now)
	id := b.enqueueMany("a", 1)[0]
	dead := queue.HolderPrefix + "dead"
	now := time.Now()
	if err := registry.Register(t.Context(), instance(dead, now, now.Add(-time.Second))); err != nil {
		t.Fatal(err)
	}
	batch, err := b.store.Lease(t.Context(), queue.LeaseRequest{Holder: dead, Total: 1, Names: map[string]queue.NameRequest{"a": {Free: 1}}})
	if err != nil || len(batch.Leases) != 1 {
		t.Fatalf("leased %d, %v", len(batch.Leases), err)
	}
	r := b.start(b.options(noop("a")))
	runs := b.outcomes(id, 2)
	if runs[0].Outcome != job.Lost || runs[1].Outcome != job.Succeeded || runs[1].Worker != r.Instance() || runs[1].Attempt != 2 {
		t.Errorf("the runs are %+v", runs)
	}
	eventually(t, "the dead is buried", func() bool {
		instances, err := registry.Instances(t.Context())
		return err == nil && len(instances) == 1 && instances[0].ID == r.Instance() && instances[0].Memory > 0
	})
}

// One late heartbeat is no death: the peer that beats again before the second
// look keeps its leases.
func TestPeersLookTwice(t *testing.T) {
	t.Parallel()
	var commands mongodb.CommandCounter
	b := newBench(t, commands.Monitor())
	registry := mongofleet.New(b.db, time.Now)
	id := b.enqueueMany("a", 1)[0]
	now := time.Now()
	late := instance(queue.HolderPrefix+"late", now, now.Add(-time.Second))
	if err := registry.Register(t.Context(), late); err != nil {
		t.Fatal(err)
	}
	batch, err := b.store.Lease(t.Context(), queue.LeaseRequest{Holder: late.ID, Total: 1, Names: map[string]queue.NameRequest{"a": {Free: 1}}})
	if err != nil || len(batch.Leases) != 1 {
		t.Fatalf("leased %d, %v", len(batch.Leases), err)
	}
	looked := &lookout{Registry: registry, looks: make(chan struct{}, 100)}
	o := b.options(noop("a"))
	o.Registry = looked
	b.start(o)
	receive(t, "the first look", looked.looks)
	late.SeenAt, late.ExpiresAt = time.Now(), time.Now().Add(time.Hour)
	if err := registry.Beat(t.Context(), late); err != nil {
		t.Fatal(err)
	}
	receive(t, "the second look", looked.looks)
	receive(t, "the third look", looked.looks)
	if document := b.get(id); !document.LockedAt.Equal(batch.Leases[0].Stamp) {
		t.Errorf("a living peer's lease was taken: %+v", document)
	}
}
