package mongoqueue_test

import (
	"errors"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/etrainer/backend/pkg/job"
	"github.com/etrainer/backend/pkg/mongodb/wiretest"
	"github.com/etrainer/backend/pkg/queue"
	"github.com/etrainer/backend/pkg/schedule"
)

const jobs, settings = "agendaJobs", "agendaSettings"

var everyFive = queue.Recurring{Name: "r", Repeat: schedule.Spec{Interval: "*/5 * * * *"}}

// A holder that was paused between its claim and its start has lost the tick to
// a peer that ran it meanwhile.
func TestATickThatAPeerHasRunIsNotStartedAgain(t *testing.T) {
	t.Parallel()
	c := newCrossing(t)
	_, err := c.peer.Arm(t.Context(), everyFive)
	c.must(err)
	c.clock.Advance(5 * time.Minute)
	c.before(2, "update", jobs, func() { // the first one is the claim
		_, err := c.peer.Rescue(t.Context(), queue.RescueRequest{Instance: "worker@w1"})
		c.must(err)
		c.record(c.peer, job.Succeeded, c.lease(c.peer, "worker@w2", "r", 1)...)
	})
	if leases := c.lease(c.store, "worker@w1", "r", 1); len(leases) != 0 {
		t.Errorf("tick %s, attempt %d was leased after a peer had run it", leases[0].Tick, leases[0].Attempt)
	}
}

// What a job has become between the search and the claim counts.
func TestAClaimMatchesWhatTheSearchDecided(t *testing.T) {
	t.Parallel()
	for name, since := range map[string]func(c *crossing, id bson.ObjectID) error{
		"a peer leased it": func(c *crossing, _ bson.ObjectID) error {
			c.lease(c.peer, "worker@w2", "a", 1)
			return nil
		},
		"somebody cancelled it": func(c *crossing, id bson.ObjectID) error {
			_, err := c.peer.Cancel(t.Context(), id, "ann")
			return err
		},
		"somebody planned it for later": func(c *crossing, id bson.ObjectID) error {
			c.node(id, bson.D{{Key: "nextRunAt", Value: c.clock.Now().Add(time.Hour)}})
			return nil
		},
		"somebody disabled it": func(c *crossing, id bson.ObjectID) error {
			c.node(id, bson.D{{Key: "disabled", Value: true}})
			return nil
		},
		"somebody gave it another name": func(c *crossing, id bson.ObjectID) error {
			c.node(id, bson.D{{Key: "name", Value: "b"}})
			return nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newCrossing(t)
			id := c.enqueue("a", 1)[0]
			c.before(1, "update", jobs, func() { c.must(since(c, id)) })
			if leases := c.lease(c.store, "worker@w1", "a", 1); len(leases) != 0 {
				t.Error("the job was leased")
			}
		})
	}
}

// Of two claims that met the same jobs each reads back what it has claimed
// itself, also where both are of one worker, or of one millisecond.
func TestAClaimReadsBackOnlyItsOwn(t *testing.T) {
	t.Parallel()
	for name, quicker := range map[string]func(c *crossing) []*queue.Lease{
		"both are of one worker":      func(c *crossing) []*queue.Lease { return c.lease(c.store, "worker@w1", "a", 1) },
		"both are of one millisecond": func(c *crossing) []*queue.Lease { return c.lease(c.peer, "worker@w2", "a", 1) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newCrossing(t)
			ids := c.enqueue("a", 2)
			var first []*queue.Lease
			c.before(1, "update", jobs, func() { first = quicker(c) })
			second := c.lease(c.store, "worker@w1", "a", 2)
			c.leasedAre(first, ids[0])
			c.leasedAre(second, ids[1])
		})
	}
}

// A peer that rescues what it read to be held leaves alone what has changed
// hands since, or was planned anew.
func TestARescueReleasesOnlyWhatItRead(t *testing.T) {
	t.Parallel()
	rescue := func(c *crossing) queue.Rescued {
		rescued, err := c.store.Rescue(c.t.Context(), queue.RescueRequest{Instance: "worker@w1"})
		c.must(err)
		return rescued
	}
	t.Run("its holder renewed it", func(t *testing.T) {
		t.Parallel()
		c := newCrossing(t)
		c.enqueue("a", 1)
		lease := c.lease(c.peer, "worker@w1", "a", 1)[0]
		c.clock.Advance(time.Second)
		c.before(1, "update", jobs, func() {
			_, err := c.peer.Renew(t.Context(), []*queue.Lease{lease})
			c.must(err)
		})
		if rescued := rescue(c); rescued.Due != 0 {
			t.Errorf("rescued %+v, want nothing", rescued)
		}
		if results := c.record(c.peer, job.Succeeded, lease); results[0] != nil {
			t.Errorf("the holder's outcome: %v", results[0])
		}
	})
	t.Run("another worker has it since, by a claim of the same millisecond", func(t *testing.T) {
		t.Parallel()
		c := newCrossing(t)
		c.enqueue("a", 1)
		lost := c.lease(c.store, "worker@w1", "a", 1)[0]
		var valid *queue.Lease
		c.before(1, "update", jobs, func() {
			_, err := c.peer.Rescue(t.Context(), queue.RescueRequest{Instance: "worker@w1"})
			c.must(err)
			valid = c.lease(c.peer, "worker@w2", "a", 1)[0]
		})
		if rescued := rescue(c); rescued.Due != 0 || !valid.Stamp.Equal(lost.Stamp) {
			t.Errorf("rescued %+v of two claims at %s and %s, want nothing of two alike", rescued, lost.Stamp, valid.Stamp)
		}
		if results := c.record(c.peer, job.Succeeded, valid); results[0] != nil {
			t.Errorf("the new holder's outcome: %v", results[0])
		}
	})
	t.Run("somebody planned it anew", func(t *testing.T) {
		t.Parallel()
		c := newCrossing(t)
		id := c.enqueue("a", 1)[0]
		c.lease(c.peer, "worker@w1", "a", 1)
		planned := c.clock.Now().Add(time.Hour)
		c.before(1, "update", jobs, func() { c.node(id, bson.D{{Key: "nextRunAt", Value: planned}}) })
		rescue(c)
		if got := c.get(id); !got.NextRunAt.Equal(planned) {
			t.Errorf("planned for %s, want %s", got.NextRunAt, planned)
		}
	})
}

// A place of a limit that was taken for a job which a peer leased first comes
// free at once.
func TestPlacesOfALostRaceComeFree(t *testing.T) {
	t.Parallel()
	c := newCrossing(t)
	c.must(c.peer.ChangeSettings(t.Context(), job.Settings{Name: "a", Concurrency: 1}))
	limited := queue.LeaseRequest{Holder: "worker@w1", Total: 1, Names: map[string]queue.NameRequest{"a": {Free: 1, Limit: 1}}}
	c.enqueue("a", 1)
	c.before(1, "update", jobs, func() { c.lease(c.peer, "worker@w2", "a", 1) }) // by one who knows of no limit yet
	if batch, err := c.store.Lease(t.Context(), limited); err != nil || len(batch.Leases) != 0 {
		t.Fatalf("leased %d, %v; want none", len(batch.Leases), err)
	}
	c.enqueue("a", 1)
	if batch, err := c.store.Lease(t.Context(), limited); err != nil || len(batch.Leases) != 1 {
		t.Errorf("leased %d, %v; want 1: the place is free", len(batch.Leases), err)
	}
}

// A place that could not be freed is freed with the next outcomes.
func TestPlacesThatWereNotFreedAreNotForgotten(t *testing.T) {
	t.Parallel()
	c := newCrossing(t)
	c.must(c.peer.ChangeSettings(t.Context(), job.Settings{Name: "a", Concurrency: 1}))
	limited := queue.LeaseRequest{Holder: "worker@w1", Total: 1, Names: map[string]queue.NameRequest{"a": {Free: 1, Limit: 1}}}
	c.enqueue("a", 2)
	c.enqueue("b", 1)
	batch, err := c.store.Lease(t.Context(), limited)
	c.must(err)
	other := c.lease(c.store, "worker@w1", "b", 1)
	c.answer(func(command bson.Raw) bson.D {
		if to, _ := command.Index(0).Value().StringValueOK(); wiretest.Name(command) == "update" && to == settings {
			return wiretest.Failed(8)
		}
		return nil
	})
	c.record(c.store, job.Succeeded, batch.Leases...)
	c.answer(nil)
	c.record(c.store, job.Succeeded, other...)
	if batch, err := c.store.Lease(t.Context(), limited); err != nil || len(batch.Leases) != 1 {
		t.Errorf("leased %d, %v; want 1: the place is free", len(batch.Leases), err)
	}
}

// Who puts right the places of a name takes none away that a lease took at that
// moment.
func TestReconcileKeepsAPlaceThatIsTakenMeanwhile(t *testing.T) {
	t.Parallel()
	c := newCrossing(t)
	c.must(c.peer.ChangeSettings(t.Context(), job.Settings{Name: "a", Concurrency: 3}))
	c.enqueue("a", 5)
	c.lease(c.peer, "worker@w2", "a", 1) // has no place: it began before the limit
	limited := queue.LeaseRequest{Holder: "worker@w3", Total: 1, Names: map[string]queue.NameRequest{"a": {Free: 1, Limit: 3}}}
	var taken []*queue.Lease
	c.before(1, "update", settings, func() {
		batch, err := c.peer.Lease(t.Context(), limited)
		if taken = batch.Leases; err != nil || len(taken) != 1 {
			t.Errorf("leased %d, %v", len(taken), err)
		}
	})
	c.must(c.store.Reconcile(t.Context(), "a"))
	c.answer(nil)
	c.must(c.store.Reconcile(t.Context(), "a"))
	limited.Total, limited.Names = 5, map[string]queue.NameRequest{"a": {Free: 5, Limit: 3}}
	batch, err := c.store.Lease(t.Context(), limited)
	if err != nil || len(batch.Leases) != 1 {
		t.Errorf("leased %d, %v beside two, of a limit of three", len(batch.Leases), err)
	}
	c.record(c.peer, job.Succeeded, taken...) // its place is the one that it took
	if batch, err := c.store.Lease(t.Context(), limited); err != nil || len(batch.Leases) != 1 {
		t.Errorf("leased %d, %v when one of three had ended", len(batch.Leases), err)
	}
}

// The tick of a job whose runs may overlap is created once, also when its
// worker dies between creating it and planning the next one.
func TestATickOfItsOwnIsCreatedOnce(t *testing.T) {
	t.Parallel()
	c := newCrossing(t)
	_, err := c.peer.Arm(t.Context(), everyFive)
	c.must(err)
	c.clock.Advance(5 * time.Minute)
	overlap := queue.LeaseRequest{Holder: "worker@w1", Total: 5, Names: map[string]queue.NameRequest{"r": {Free: 5, Overlap: job.OverlapAllow}}}
	updates := 0
	c.answer(func(command bson.Raw) bson.D {
		if wiretest.Name(command) != "update" {
			return nil
		}
		if updates++; updates == 2 { // after the claim: the tick's job is there
			return wiretest.Failed(8)
		}
		return nil
	})
	if _, err := c.store.Lease(t.Context(), overlap); err == nil {
		t.Fatal("the lease did not fail")
	}
	c.answer(nil)
	_, err = c.peer.Rescue(t.Context(), queue.RescueRequest{Instance: "worker@w1"})
	c.must(err)
	for range 3 {
		batch, err := c.store.Lease(t.Context(), overlap)
		c.must(err)
		c.record(c.store, job.Succeeded, batch.Leases...)
	}
	n, err := c.db.Collection(jobs).CountDocuments(t.Context(), bson.D{{Key: "name", Value: "r"}, {Key: "type", Value: "normal"}})
	if err != nil || n != 1 {
		t.Errorf("%d jobs for one tick, %v", n, err)
	}
}

// A cancel counts only for what it met.
func TestACancelThatMeetsAStartIsLookedAtAgain(t *testing.T) {
	t.Parallel()
	c := newCrossing(t)
	id := c.enqueue("a", 1)[0]
	var leases []*queue.Lease
	c.before(1, "findAndModify", jobs, func() { leases = c.lease(c.peer, "worker@w2", "a", 1) })
	_, err := c.store.Cancel(t.Context(), id, "ann")
	c.must(err)
	asked, err := c.peer.CancelRequested(t.Context(), leases)
	if err != nil || len(asked) != 1 {
		t.Errorf("%d of the running jobs are told of the cancel, %v; want 1", len(asked), err)
	}
	if results := c.record(c.peer, job.Cancelled, leases...); results[0] != nil {
		t.Errorf("the run's outcome: %v", results[0])
	}
	c.before(1, "findAndModify", jobs, func() {
		again := c.lease(c.peer, "worker@w2", "a", 1)
		c.record(c.peer, job.Succeeded, again...)
	})
	id = c.enqueue("a", 1)[0]
	if _, err := c.store.Cancel(t.Context(), id, "ann"); !errors.Is(err, queue.ErrConflict) {
		t.Errorf("a job that ended before its cancel: %v, want ErrConflict", err)
	}
}
