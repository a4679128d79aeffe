package mongoqueue_test

import (
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/etrainer/backend/pkg/job"
	"github.com/etrainer/backend/pkg/queue"
)

// cleared is what Agenda's every() leaves of a running job: no lock, no history.
var cleared = bson.D{{Key: "lockedAt", Value: nil}, {Key: "lastRunAt", Value: nil}, {Key: "lastFinishedAt", Value: nil}}

// renews checks whether a lease is still its holder's after a Node process
// changed the job.
func (c *crossing) renews(lease *queue.Lease, want bool) {
	c.t.Helper()
	gone, err := c.store.Renew(c.t.Context(), []*queue.Lease{lease})
	c.must(err)
	if held := len(gone) == 0; held != want {
		c.t.Errorf("the lease is held: %t, want %t", held, want)
	}
}

// A run whose lock a Node process cleared keeps its lease, and its outcome is
// recorded.
func TestALockThatNodeClearedIsTakenBack(t *testing.T) {
	t.Parallel()
	for name, fields := range map[string]bson.D{
		"by every()":                  cleared,
		"by saving a loaded job":      {{Key: "lockedAt", Value: nil}, {Key: "lastModifiedBy", Value: "node-1"}},
		"with the end of an old run":  {{Key: "lockedAt", Value: nil}, {Key: "lastFinishedAt", Value: crossed.Add(-time.Hour)}},
		"with a start that is ours":   {{Key: "lockedAt", Value: nil}, {Key: "lastRunAt", Value: crossed}},
		"and everything but the lock": {{Key: "lastModifiedBy", Value: "node-1"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newCrossing(t)
			id := c.enqueue("a", 1)[0]
			lease := c.lease(c.store, "worker@w1", "a", 1)[0]
			c.node(id, fields)
			c.clock.Advance(time.Second)
			c.renews(lease, true)
			if got := c.get(id); !got.LockedAt.Equal(lease.Stamp) {
				t.Errorf("locked at %s, want %s", got.LockedAt, lease.Stamp)
			}
			c.node(id, fields)
			if results := c.record(c.store, job.Succeeded, lease); results[0] != nil {
				t.Errorf("not recorded: %v", results[0])
			}
			if got := c.get(id); got.State(c.clock.Now()) != job.Completed {
				t.Errorf("the job is %+v, want it completed", got)
			}
		})
	}
}

// A job that was leased ahead shows the start of its run before: that is no run
// of somebody else.
func TestALockOfAJobThatWasLeasedAheadIsTakenBack(t *testing.T) {
	t.Parallel()
	c := newCrossing(t)
	id := c.enqueue("a", 1)[0]
	c.record(c.store, job.Discarded, c.lease(c.store, "worker@w1", "a", 1)...)
	c.clock.Advance(time.Minute)
	if _, err := c.store.Retry(t.Context(), id, "ann"); err != nil {
		t.Fatal(err)
	}
	batch, err := c.store.Lease(t.Context(), queue.LeaseRequest{Holder: "worker@w1", Names: map[string]queue.NameRequest{"a": {Free: 1, Ahead: 1}}})
	if err != nil || len(batch.Leases) != 1 || !batch.Leases[0].Ahead {
		t.Fatalf("leased %d, %v; want one ahead", len(batch.Leases), err)
	}
	c.node(id, bson.D{{Key: "lockedAt", Value: nil}})
	c.renews(batch.Leases[0], true)
}

// A lease is not taken back from whoever has had the job since.
func TestALeaseIsNotTakenBackFromSomebodyElse(t *testing.T) {
	t.Parallel()
	for name, since := range map[string]func(c *crossing, lease *queue.Lease){
		"a Node process has locked it": func(c *crossing, lease *queue.Lease) {
			c.node(lease.Job.ID, bson.D{{Key: "lockedAt", Value: c.clock.Now().Add(-time.Second)}, {Key: "lastModifiedBy", Value: "node-1"}})
		},
		"a Node process has begun a run": func(c *crossing, lease *queue.Lease) {
			c.node(lease.Job.ID, bson.D{{Key: "lockedAt", Value: nil}, {Key: "lastRunAt", Value: c.clock.Now()}})
		},
		"a Node process has ended a run": func(c *crossing, lease *queue.Lease) {
			c.node(lease.Job.ID, bson.D{{Key: "lockedAt", Value: nil}, {Key: "lastRunAt", Value: nil}, {Key: "lastFinishedAt", Value: c.clock.Now()}})
		},
		"a peer took it over, and Node cleared that lock": func(c *crossing, lease *queue.Lease) {
			c.clock.Advance(queue.DefaultLockLifetime)
			batch, err := c.peer.Lease(c.t.Context(), queue.LeaseRequest{Holder: "worker@w2", Total: 1, Expired: true, Names: map[string]queue.NameRequest{"a": {Free: 1}}})
			c.must(err)
			if len(batch.Leases) != 1 {
				c.t.Fatal("the peer did not take the job over")
			}
			c.node(lease.Job.ID, cleared)
		},
		"its holder leased it again for another time, and Node cleared that lock": func(c *crossing, lease *queue.Lease) {
			_, err := c.peer.Rescue(c.t.Context(), queue.RescueRequest{Instance: "worker@w1"})
			c.must(err)
			_, err = c.peer.Retry(c.t.Context(), lease.Job.ID, "ann")
			c.must(err)
			if again := c.lease(c.store, "worker@w1", "a", 1); len(again) != 1 || again[0].Due.Equal(lease.Due) {
				c.t.Fatal("the job was not leased again for another time")
			}
			c.node(lease.Job.ID, cleared)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newCrossing(t)
			c.enqueue("a", 1)
			lease := c.lease(c.store, "worker@w1", "a", 1)[0]
			c.clock.Advance(time.Minute)
			since(c, lease)
			c.renews(lease, false)
			if results := c.record(c.store, job.Dead, lease); results[0] == nil {
				t.Error("a lease that is lost was recorded")
			}
		})
	}
}

// A lease whose job is gone takes no other job.
func TestALeaseOfADeletedJobTakesNoOther(t *testing.T) {
	t.Parallel()
	c := newCrossing(t)
	request := queue.Request{Name: "a", RunAt: c.clock.Now()}
	if _, err := c.peer.Enqueue(t.Context(), request, request); err != nil {
		t.Fatal(err)
	}
	leases := c.lease(c.store, "worker@w1", "a", 2)
	if _, err := c.db.Collection("agendaJobs").DeleteOne(t.Context(), bson.D{{Key: "_id", Value: leases[0].Job.ID}}); err != nil {
		t.Fatal(err)
	}
	c.node(leases[1].Job.ID, cleared)
	gone, err := c.store.Renew(t.Context(), leases)
	if err != nil || len(gone) != 1 || gone[0] != leases[0] {
		t.Errorf("lost are %d leases, %v; want that of the deleted job alone", len(gone), err)
	}
}
