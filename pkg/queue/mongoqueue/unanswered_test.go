package mongoqueue_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/etrainer/backend/pkg/job"
	"github.com/etrainer/backend/pkg/mongodb/wiretest"
	"github.com/etrainer/backend/pkg/queue"
)

// shutdown is the server's answer where an operation was broken off: the client
// does not learn whether it was done.
var shutdown = bson.D{{Key: "ok", Value: 0}, {Key: "code", Value: 11600}, {Key: "codeName", Value: "InterruptedAtShutdown"}, {Key: "errmsg", Value: "interrupted"}}

// losesAnswers does the updates of jobs and loses their answers, or holds the
// updates back where stored is false. It returns what was held back.
func (c *crossing) losesAnswers(stored bool) (late func()) {
	var held []bson.D
	c.answer(func(got bson.Raw) bson.D {
		if to, _ := got.Index(0).Value().StringValueOK(); wiretest.Name(got) != "update" || to != jobs {
			return nil
		}
		doing := plain(got)
		if stored {
			c.must(c.db.RunCommand(c.t.Context(), doing).Err())
		} else {
			held = append(held, doing)
		}
		return shutdown
	})
	return func() {
		for _, doing := range held {
			c.must(c.db.RunCommand(c.t.Context(), doing).Err())
		}
	}
}

// plain is a command without what belongs to its connection.
func plain(command bson.Raw) bson.D {
	var doing bson.D
	elements, _ := command.Elements()
	for _, element := range elements {
		if !slices.Contains([]string{"lsid", "$db", "$clusterTime", "txnNumber", "$readPreference"}, element.Key()) {
			doing = append(doing, bson.E{Key: element.Key(), Value: element.Value()})
		}
	}
	return doing
}

// A renewal of which the answer was lost may be stored. The lease is its holder's
// all the same: to renew, to record, and not to be taken for an unknown one.
func TestARenewalWithoutAnAnswer(t *testing.T) {
	t.Parallel()
	for name, stored := range map[string]bool{"that was stored": true, "that was not": false} {
		for what, then := range map[string]func(c *crossing, leases []*queue.Lease){
			"is renewed": func(c *crossing, leases []*queue.Lease) {
				gone, err := c.store.Renew(c.t.Context(), leases)
				c.must(err)
				if len(gone) > 0 {
					c.t.Errorf("%d leases are lost", len(gone))
				}
				for _, lease := range leases {
					if lockedAt := c.get(lease.Job.ID).LockedAt; lockedAt.Before(c.clock.Now()) || len(lease.Unanswered) > 0 {
						c.t.Errorf("locked at %s, with %d renewals without an answer; it is %s", lockedAt, len(lease.Unanswered), c.clock.Now())
					}
				}
			},
			"is recorded": func(*crossing, []*queue.Lease) {},
			"is lost once more": func(c *crossing, leases []*queue.Lease) {
				c.losesAnswers(stored)
				if _, err := c.store.Renew(c.t.Context(), leases); err == nil {
					c.t.Error("a renewal without an answer is no error")
				}
				c.answer(nil)
			},
		} {
			t.Run(name+" "+what, func(t *testing.T) {
				t.Parallel()
				c := newCrossing(t)
				ids := c.enqueue("a", 3)
				leases := c.lease(c.store, "worker@w1", "a", 3)
				c.clock.Advance(time.Second)
				c.losesAnswers(stored)
				if _, err := c.store.Renew(t.Context(), leases); err == nil {
					t.Fatal("a renewal without an answer is no error")
				}
				c.answer(nil)
				c.clock.Advance(time.Second)
				then(c, leases)
				c.clock.Advance(time.Second)
				for _, err := range c.record(c.store, job.Succeeded, leases...) {
					c.must(err)
				}
				for _, id := range ids {
					if d := c.get(id); !d.LockedAt.IsZero() || d.LastFinishedAt.IsZero() {
						t.Errorf("the job is locked at %s and finished at %s", d.LockedAt, d.LastFinishedAt)
					}
				}
			})
		}
	}
}

// A renewal that arrives late, after another one, changes nothing; one that arrives
// between two of them does not lose the lease.
func TestARenewalThatArrivesLate(t *testing.T) {
	t.Parallel()
	c := newCrossing(t)
	c.enqueue("a", 1)
	leases := c.lease(c.store, "worker@w1", "a", 1)
	renew := func() {
		t.Helper()
		c.clock.Advance(time.Second)
		if gone, err := c.store.Renew(t.Context(), leases); err != nil || len(gone) > 0 {
			t.Fatalf("lost %d, %v", len(gone), err)
		}
	}
	for range 2 {
		late := c.losesAnswers(false)
		c.clock.Advance(time.Second)
		if _, err := c.store.Renew(t.Context(), leases); err == nil {
			t.Fatal("a renewal without an answer is no error")
		}
		c.before(1, "update", jobs, late) // it looked, and found that nothing was stored
		renew()
		c.answer(nil)
		renew()
		stamp := leases[0].Stamp
		late()
		if d := c.get(leases[0].Job.ID); !d.LockedAt.Equal(stamp) {
			t.Fatalf("locked at %s, want %s", d.LockedAt, stamp)
		}
	}
	c.must(c.record(c.store, job.Succeeded, leases...)[0])
}

// A peer that took the job over is not taken for an own renewal.
func TestAnUnansweredRenewalRegainsNoLostLease(t *testing.T) {
	t.Parallel()
	c := newCrossing(t)
	ids := c.enqueue("a", 1)
	leases := c.lease(c.store, "worker@w1", "a", 1)
	late := c.losesAnswers(false)
	c.clock.Advance(time.Second)
	if _, err := c.store.Renew(t.Context(), leases); err == nil {
		t.Fatal("a renewal without an answer is no error")
	}
	c.answer(nil)
	c.node(ids[0], bson.D{{Key: "lockedAt", Value: leases[0].Unanswered[0]}, {Key: "leaseHolder", Value: "worker@w2"}})
	late()
	if gone, err := c.store.Renew(t.Context(), leases); err != nil || len(gone) != 1 {
		t.Errorf("lost %d, %v; want 1", len(gone), err)
	}
	if err := c.record(c.store, job.Succeeded, leases...)[0]; !errors.Is(err, queue.ErrLeaseLost) {
		t.Errorf("the outcome is answered with %v, want that the lease was lost", err)
	}
}

// A lock that Node cleared, and of whose taking back the answer was lost, is held.
func TestATakingBackWithoutAnAnswer(t *testing.T) {
	t.Parallel()
	c := newCrossing(t)
	ids := c.enqueue("a", 1)
	leases := c.lease(c.store, "worker@w1", "a", 1)
	c.node(ids[0], cleared)
	updates := 0
	c.answer(func(got bson.Raw) bson.D {
		if to, _ := got.Index(0).Value().StringValueOK(); wiretest.Name(got) != "update" || to != jobs {
			return nil
		}
		if updates++; updates == 1 { // the renewal, which matches nothing
			return nil
		}
		c.must(c.db.RunCommand(c.t.Context(), plain(got)).Err())
		return shutdown
	})
	if _, err := c.store.Renew(t.Context(), leases); err == nil {
		t.Fatal("a taking back without an answer is no error")
	}
	c.answer(nil)
	c.must(c.record(c.store, job.Succeeded, leases...)[0])
}
