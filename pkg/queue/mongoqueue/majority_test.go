package mongoqueue_test

import (
	"slices"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/etrainer/backend/pkg/job"
	"github.com/etrainer/backend/pkg/mongodb/wiretest"
	"github.com/etrainer/backend/pkg/queue"
	"github.com/etrainer/backend/pkg/schedule"
)

// unreplicated answers every write as a primary that no majority follows.
func unreplicated(command bson.Raw) bson.D {
	switch wiretest.Name(command) {
	case "insert", "update", "delete":
		return wiretest.Unreplicated(1)
	case "findAndModify":
		return append(wiretest.Unreplicated(1), bson.E{Key: "value", Value: bson.D{
			{Key: "_id", Value: bson.NewObjectID()}, {Key: "name", Value: "a"}, {Key: "nextRunAt", Value: crossed},
		}})
	}
	return nil
}

// unsatisfiable answers every write as a primary of a set that can have no
// majority.
func unsatisfiable(command bson.Raw) bson.D {
	answer := unreplicated(command)
	for i, e := range answer {
		if e.Key == "writeConcernError" {
			answer[i].Value = bson.D{{Key: "code", Value: 100}, {Key: "errmsg", Value: "not enough members"}}
		}
	}
	return answer
}

// A write that no majority of the servers has is not acknowledged, whichever
// write it is: a failover may undo it.
func TestAWriteThatNoMajorityHasIsNotAcknowledged(t *testing.T) {
	t.Parallel()
	unique := queue.Request{Name: "u", Unique: &queue.Unique{By: map[string]any{"x": 1}}}
	insertOnly := queue.Request{Name: "u", Unique: &queue.Unique{By: map[string]any{"x": 1}, InsertOnly: true}}
	moved := everyFive
	moved.Repeat = schedule.Spec{Interval: "*/7 * * * *"}
	enqueue := func(requests ...queue.Request) func(c *crossing, _ *queue.Lease) error {
		return func(c *crossing, _ *queue.Lease) error {
			_, err := c.store.Enqueue(c.t.Context(), requests...)
			return err
		}
	}
	for name, call := range map[string]func(c *crossing, held *queue.Lease) error{
		"Enqueue":             enqueue(queue.Request{Name: "a"}),
		"Enqueue of several":  enqueue(queue.Request{Name: "a"}, queue.Request{Name: "a"}),
		"Enqueue with a key":  enqueue(queue.Request{Name: "a", IdempotencyKey: "k"}),
		"Enqueue unique":      enqueue(unique),
		"Enqueue insert-only": enqueue(insertOnly),
		"Arm": func(c *crossing, _ *queue.Lease) error {
			_, err := c.store.Arm(c.t.Context(), queue.Recurring{Name: "new", Repeat: everyFive.Repeat})
			return err
		},
		"Arm that moves": func(c *crossing, _ *queue.Lease) error { _, err := c.store.Arm(c.t.Context(), moved); return err },
		"Cancel": func(c *crossing, held *queue.Lease) error {
			_, err := c.store.Cancel(c.t.Context(), held.Job.ID, "ann")
			return err
		},
		"Retry": func(c *crossing, held *queue.Lease) error {
			_, err := c.store.Retry(c.t.Context(), held.Job.ID, "ann")
			return err
		},
		"Delete": func(c *crossing, held *queue.Lease) error { return c.store.Delete(c.t.Context(), held.Job.ID) },
		"Pause":  func(c *crossing, _ *queue.Lease) error { return c.store.Pause(c.t.Context(), "a", "ann") },
		"ChangeSettings": func(c *crossing, _ *queue.Lease) error {
			return c.store.ChangeSettings(c.t.Context(), job.Settings{Name: "a"})
		},
		"ChangeSchedule": func(c *crossing, _ *queue.Lease) error { return c.store.ChangeSchedule(c.t.Context(), "a", nil) },
		"Lease": func(c *crossing, _ *queue.Lease) error {
			_, err := c.store.Lease(c.t.Context(), queue.LeaseRequest{Holder: "worker@w1", Total: 1, Names: map[string]queue.NameRequest{"free": {Free: 1}}})
			return err
		},
		"Open": func(c *crossing, held *queue.Lease) error { return c.store.Open(c.t.Context(), []*queue.Lease{held}) },
		"Renew": func(c *crossing, held *queue.Lease) error {
			_, err := c.store.Renew(c.t.Context(), []*queue.Lease{held})
			return err
		},
		"Record": func(c *crossing, held *queue.Lease) error {
			_, err := c.store.Record(c.t.Context(), []queue.Ending{{Lease: held, Outcome: job.Succeeded}})
			return err
		},
		"RecordRuns": func(c *crossing, held *queue.Lease) error {
			_, err := c.store.RecordRuns(c.t.Context(), []queue.Ending{{Lease: held, Outcome: job.Succeeded, FinishedAt: crossed}})
			return err
		},
		"Rescue": func(c *crossing, _ *queue.Lease) error {
			_, err := c.store.Rescue(c.t.Context(), queue.RescueRequest{Instance: "worker@w1"})
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newCrossing(t)
			c.enqueue("free", 1)
			c.enqueue("a", 1)
			_, err := c.peer.Arm(t.Context(), everyFive)
			c.must(err)
			held := c.lease(c.peer, "worker@w1", "a", 1)[0]
			for title, answer := range map[string]func(bson.Raw) bson.D{"yet": unreplicated, "ever": unsatisfiable} {
				c.answer(answer)
				if err := call(c, held); err == nil {
					t.Errorf("it was acknowledged, and no majority will have it %s", title)
				}
			}
		})
	}
}

// A document that is there already, but that no majority has, is not
// acknowledged either, be it alone or together with those of others.
func TestADuplicateThatNoMajorityHasIsNotAcknowledged(t *testing.T) {
	t.Parallel()
	c := newCrossing(t)
	c.answer(func(command bson.Raw) bson.D {
		if wiretest.Name(command) != "insert" {
			return nil
		}
		documents, _ := command.Lookup("documents").Array().Values()
		all := make([]int, len(documents))
		for i := range all {
			all[i] = i
		}
		failure := slices.DeleteFunc(wiretest.Unreplicated(0), func(e bson.E) bool { return e.Key != "writeConcernError" })
		return append(wiretest.Refused(11000, 0, all...), failure...)
	})
	key := queue.Request{Name: "a", IdempotencyKey: "k"}
	for name, requests := range map[string][]queue.Request{
		"a key":    {key},
		"two keys": {key, {Name: "a", IdempotencyKey: "l"}},
		"unique":   {{Name: "u", Unique: &queue.Unique{By: map[string]any{"x": 1}}}},
	} {
		if _, err := c.store.Enqueue(t.Context(), requests...); err == nil {
			t.Errorf("%s: it was acknowledged", name)
		}
	}
}

// Of a command in which one outcome is refused, and of which no majority has the
// rest, nothing counts as recorded.
func TestARefusalHidesNoMissingMajority(t *testing.T) {
	t.Parallel()
	c := newCrossing(t)
	c.enqueue("a", 2)
	leases := c.lease(c.peer, "worker@w1", "a", 2)
	c.answer(func(command bson.Raw) bson.D {
		if wiretest.Name(command) == "update" {
			return append(wiretest.Refused(10334, 1, 0), unsatisfiable(command)[3:]...)
		}
		return nil
	})
	endings := []queue.Ending{{Lease: leases[0], Outcome: job.Dead}, {Lease: leases[1], Outcome: job.Succeeded}}
	if _, err := c.store.Record(t.Context(), endings); err == nil {
		t.Error("the outcomes count as recorded")
	}
}

// A unique job that is only looked for may be known to one server alone. So it
// is acknowledged by a write, which waits for a majority.
func TestAFoundJobIsAcknowledgedByAWrite(t *testing.T) {
	t.Parallel()
	c := newCrossing(t)
	insertOnly := queue.Request{Name: "u", Unique: &queue.Unique{By: map[string]any{"x": nil}, InsertOnly: true}}
	_, err := c.peer.Enqueue(t.Context(), insertOnly)
	c.must(err)
	c.answer(unreplicated)
	if _, err := c.store.Enqueue(t.Context(), insertOnly); err == nil {
		t.Error("it was acknowledged by a read")
	}
}

// The tick of a job whose runs may overlap counts as created only when a
// majority has it, also where an earlier try made it.
func TestATickThatNoMajorityHasIsNotStarted(t *testing.T) {
	t.Parallel()
	for title, answer := range map[string]bson.D{
		"new":   wiretest.Unreplicated(1),
		"there": append(wiretest.Refused(11000, 0, 0), wiretest.Unreplicated(0)[3:]...),
	} {
		t.Run(title, func(t *testing.T) {
			t.Parallel()
			c := newCrossing(t)
			_, err := c.peer.Arm(t.Context(), everyFive)
			c.must(err)
			c.clock.Advance(5 * time.Minute)
			c.answer(func(command bson.Raw) bson.D {
				if wiretest.Name(command) == "insert" {
					return answer
				}
				return nil
			})
			_, err = c.store.Lease(t.Context(), queue.LeaseRequest{Holder: "worker@w1", Total: 1, Names: map[string]queue.NameRequest{"r": {Free: 1, Overlap: job.OverlapAllow}}})
			if err == nil {
				t.Error("the tick was passed over")
			}
		})
	}
}
