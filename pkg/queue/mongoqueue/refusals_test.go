package mongoqueue_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/etrainer/backend/pkg/job"
	"github.com/etrainer/backend/pkg/mongodb/wiretest"
	"github.com/etrainer/backend/pkg/queue"
	"github.com/etrainer/backend/pkg/schedule"
)

// tooLarge is the server's code for a document that would outgrow 16 MB.
const tooLarge = 17419

// refuses reports which statements of a write the test refuses.
type refuses func(statement bson.Raw) bool

// about is true for statements that are about one job, and hold the word.
func about(id bson.ObjectID, word string) refuses {
	return func(statement bson.Raw) bool {
		return bytes.Contains(statement, id[:]) && bytes.Contains(statement, []byte(word))
	}
}

// refuse refuses statements to a collection, and has the database do the others.
func (c *crossing) refuse(collection string, these refuses) {
	c.answer(func(command bson.Raw) bson.D {
		kind, refused, others := c.divide(collection, command, these)
		if len(refused) == 0 {
			return nil
		}
		var done struct{ N int }
		if len(others) > 0 {
			doing := bson.D{{Key: wiretest.Name(command), Value: collection}, {Key: kind, Value: others}, {Key: "ordered", Value: false}}
			if err := c.db.RunCommand(c.t.Context(), doing).Decode(&done); err != nil {
				c.t.Error(err)
			}
		}
		return wiretest.Refused(tooLarge, done.N, refused...)
	})
}

// refuseWhole refuses every command that has such a statement, as a server does
// with a command that it cannot read.
func (c *crossing) refuseWhole(collection string, these refuses) {
	c.answer(func(command bson.Raw) bson.D {
		if _, refused, _ := c.divide(collection, command, these); len(refused) > 0 {
			return wiretest.Failed(9)
		}
		return nil
	})
}

// divide lists the statements of a write: the places of those to refuse, and
// the others.
func (c *crossing) divide(collection string, command bson.Raw, these refuses) (kind string, refused []int, others bson.A) {
	kind = map[string]string{"update": "updates", "insert": "documents"}[wiretest.Name(command)]
	if to, _ := command.Index(0).Value().StringValueOK(); kind == "" || to != collection {
		return "", nil, nil
	}
	statements, err := command.Lookup(kind).Array().Values()
	if err != nil {
		c.t.Error(err)
	}
	for i, statement := range statements {
		if these(statement.Document()) {
			refused = append(refused, i)
		} else {
			others = append(others, statement)
		}
	}
	return kind, refused, others
}

// reported checks that a document is shown as a problem.
func (c *crossing) reported(id bson.ObjectID) {
	c.t.Helper()
	for _, problem := range c.problems.List() {
		if problem.ID == id.Hex() {
			return
		}
	}
	c.t.Errorf("the problem with job %s is not reported", id.Hex())
}

// leasedAre checks which jobs were leased.
func (c *crossing) leasedAre(leases []*queue.Lease, want ...bson.ObjectID) {
	c.t.Helper()
	got := map[bson.ObjectID]bool{}
	for _, lease := range leases {
		got[lease.Job.ID] = true
	}
	for _, id := range want {
		if !got[id] {
			c.t.Errorf("job %s is not leased", id.Hex())
		}
	}
	if len(leases) != len(want) {
		c.t.Errorf("%d jobs are leased, want %d", len(leases), len(want))
	}
}

// A job that cannot be claimed costs no other job its lease, and is not looked
// at again.
func TestAJobThatCannotBeClaimedCostsNoOther(t *testing.T) {
	t.Parallel()
	c := newCrossing(t)
	ids := c.enqueue("a", 4)
	c.refuse(jobs, about(ids[1], "$rename"))
	c.leasedAre(c.lease(c.store, "worker@w1", "a", 4), ids[0], ids[2], ids[3])
	c.reported(ids[1])
	more := c.enqueue("a", 1)
	c.leasedAre(c.lease(c.store, "worker@w1", "a", 1), more...)
}

// A job that is found again and again, and never claimed, is left out at last.
func TestAJobThatIsNeverClaimedIsLeftOut(t *testing.T) {
	t.Parallel()
	c := newCrossing(t)
	ids := c.enqueue("a", 2)
	c.answer(func(command bson.Raw) bson.D {
		if _, claims, _ := c.divide(jobs, command, about(ids[0], "$rename")); len(claims) > 0 {
			return bson.D{{Key: "n", Value: 0}, {Key: "nModified", Value: 0}}
		}
		return nil
	})
	for range 6 {
		if leases := c.lease(c.store, "worker@w1", "a", 1); len(leases) > 0 {
			c.leasedAre(leases, ids[1])
			c.reported(ids[0])
			return
		}
		c.clock.Advance(time.Second)
	}
	t.Error("the job behind it is never leased")
}

// A recurring job whose start is refused costs no other its start.
func TestAStartThatIsRefusedCostsNoOther(t *testing.T) {
	t.Parallel()
	c := newCrossing(t)
	want := queue.LeaseRequest{Holder: "worker@w1", Total: 3, Names: map[string]queue.NameRequest{}}
	for i := range 3 {
		name := fmt.Sprint("r", i)
		_, err := c.peer.Arm(t.Context(), queue.Recurring{Name: name, Repeat: schedule.Spec{Interval: "*/5 * * * *"}})
		c.must(err)
		want.Names[name] = queue.NameRequest{Free: 1}
	}
	page, err := c.peer.List(t.Context(), queue.Filter{})
	c.must(err)
	c.clock.Advance(5 * time.Minute)
	bad := page.Jobs[1].ID
	c.refuse(jobs, about(bad, "lastRunAt"))
	batch, err := c.store.Lease(t.Context(), want)
	c.must(err)
	c.leasedAre(batch.Leases, page.Jobs[0].ID, page.Jobs[2].ID)
	c.reported(bad)
}

// An outcome that the database refuses for itself is recorded in a smaller form,
// and those beside it as they are.
func TestAnOutcomeThatIsRefusedHoldsBackNoOther(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		word  string // what the refused forms have
		whole bool   // the command is refused as one
		check func(c *crossing, bad *job.Document, result error)
	}{
		"its progress": {word: "progress", check: func(c *crossing, bad *job.Document, result error) {
			if result != nil || !bad.Dead() || bad.FailReason == "" {
				c.t.Errorf("%v, %+v; want it dead with the reason", result, bad)
			}
		}},
		"its reason": {word: "failCount", check: func(c *crossing, bad *job.Document, result error) {
			if result != nil || !bad.Dead() || bad.FailReason != "" {
				c.t.Errorf("%v, %+v; want it dead without the reason", result, bad)
			}
		}},
		"all of it": {word: "lockedAt", check: func(c *crossing, bad *job.Document, result error) {
			if !errors.Is(result, queue.ErrRefused) || bad.LockedAt.IsZero() {
				c.t.Errorf("%v, %+v; want ErrRefused and the lock as it was", result, bad)
			}
			c.reported(bad.ID)
		}},
		"its progress, by no answer about it": {word: "progress", whole: true, check: func(c *crossing, bad *job.Document, result error) {
			if result != nil || !bad.Dead() || bad.FailReason == "" {
				c.t.Errorf("%v, %+v; want it dead with the reason", result, bad)
			}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newCrossing(t)
			ids := c.enqueue("a", 5)
			endings := make([]queue.Ending, len(ids))
			for i, lease := range c.lease(c.store, "worker@w1", "a", 5) {
				endings[i] = queue.Ending{Lease: lease, Outcome: job.Succeeded, Progress: &job.Progress{Percent: 50}}
				if test.word == "failCount" {
					endings[i] = queue.Ending{Lease: lease, Outcome: job.Dead, Error: "boom"}
				}
			}
			bad := endings[2].Lease.Job.ID
			if refuse := about(bad, test.word); test.whole {
				c.refuseWhole(jobs, refuse)
			} else {
				c.refuse(jobs, refuse)
			}
			results, err := c.store.Record(t.Context(), endings)
			c.must(err)
			for i, id := range ids {
				if got := c.get(id); id == bad {
					test.check(c, got, results[i])
				} else if results[i] != nil || !got.LockedAt.IsZero() || got.LastFinishedAt.IsZero() || endings[i].Progress != nil && got.Dead() {
					t.Errorf("a neighbour: %v, %+v", results[i], got)
				}
			}
		})
	}
}

// A record that the history refuses is written without what the run left, and
// never holds back those beside it.
func TestARecordThatIsRefusedHoldsBackNoOther(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		word    string
		whole   bool
		dropped int
	}{
		"its lines":                        {word: "logs"},
		"all of it":                        {word: "outcome", dropped: 1},
		"its lines, by no answer about it": {word: "logs", whole: true},
		"all, by no answer about it":       {word: "outcome", whole: true, dropped: 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newCrossing(t)
			ids := c.enqueue("a", 5)
			endings := make([]queue.Ending, len(ids))
			for i, lease := range c.lease(c.store, "worker@w1", "a", 5) {
				endings[i] = queue.Ending{Lease: lease, Outcome: job.Succeeded, FinishedAt: c.clock.Now(), Logs: []job.LogLine{{At: crossed, Message: "line"}}}
			}
			bad := endings[2].Lease.Job.ID
			if refuse := about(bad, test.word); test.whole {
				c.refuseWhole("agendaRuns", refuse)
			} else {
				c.refuse("agendaRuns", refuse)
			}
			dropped, err := c.store.RecordRuns(t.Context(), endings)
			if err != nil || dropped != test.dropped {
				t.Errorf("%d dropped, %v; want %d", dropped, err, test.dropped)
			}
			for _, id := range ids {
				runs, err := c.peer.Runs(t.Context(), id, 10)
				c.must(err)
				switch {
				case id != bad && (len(runs) != 1 || len(runs[0].Logs) != 1):
					t.Errorf("a neighbour's runs are %+v", runs)
				case id == bad && len(runs) != 1-test.dropped, id == bad && len(runs) == 1 && (len(runs[0].Logs) > 0 || runs[0].Error == ""):
					t.Errorf("the runs are %+v, want one with a reason instead of its lines", runs)
				}
			}
		})
	}
}

// A job that cannot be released, or renewed, costs no other job its release or
// its lease.
func TestAReleaseAndARenewalThatAreRefusedCostNoOther(t *testing.T) {
	t.Parallel()
	c := newCrossing(t)
	ids := c.enqueue("a", 3)
	leases := c.lease(c.store, "worker@w1", "a", 3)
	rest := c.lease(c.store, "worker@w1", "a", 1) // nothing is left
	c.leasedAre(rest)
	c.clock.Advance(time.Second)
	own := c.enqueue("b", 1)
	single := c.lease(c.store, "worker@w1", "b", 1)
	c.refuse(jobs, func(statement bson.Raw) bool { return bytes.Contains(statement, own[0][:]) })
	lost, err := c.store.Renew(t.Context(), append(single, leases...))
	if err == nil && (len(lost) > 1 || len(lost) == 1 && lost[0] != single[0]) {
		t.Errorf("%d leases are lost", len(lost))
	}
	if got := c.get(ids[0]); !got.LockedAt.After(crossed) {
		t.Errorf("a neighbour is locked at %s, and not renewed", got.LockedAt)
	}
	rescued, err := c.store.Rescue(t.Context(), queue.RescueRequest{Instance: "worker@w1"})
	if err != nil || rescued.Due != 3 {
		t.Errorf("rescued %+v, %v; want the three that may be", rescued, err)
	}
	c.reported(own[0])
}

// A recurring job that other workers take each time, just before the claim of
// this one, is not left out: there is nothing wrong with it.
func TestAJobThatOthersAreFasterToClaimIsNotLeftOut(t *testing.T) {
	t.Parallel()
	c := newCrossing(t)
	_, err := c.peer.Arm(t.Context(), queue.Recurring{Name: "r", Repeat: schedule.Spec{Interval: "* * * * *"}})
	c.must(err)
	for range 7 {
		c.clock.Advance(time.Minute)
		var faster []*queue.Lease
		c.before(1, "update", jobs, func() { faster = c.lease(c.peer, "worker@w2", "r", 1) })
		if got := c.lease(c.store, "worker@w1", "r", 1); len(got) > 0 || len(faster) != 1 {
			t.Fatalf("the store leased %d and its peer %d, want none and one", len(got), len(faster))
		}
		c.record(c.peer, job.Succeeded, faster...)
	}
	c.answer(nil)
	c.clock.Advance(time.Minute)
	if got := c.lease(c.store, "worker@w1", "r", 1); len(got) != 1 {
		t.Errorf("it leases %d afterwards, want 1", len(got))
	}
	if problems := c.problems.List(); len(problems) > 0 {
		t.Errorf("problems are reported: %v", problems)
	}
}

// A job for which a batch has no room, time after time, is not left out: it was
// claimed, and is leased as soon as there is room.
func TestAJobThatFitsInNoBatchIsNotLeftOut(t *testing.T) {
	t.Parallel()
	c := newCrossing(t)
	const rounds, large = 7, 100 << 10
	data, err := job.ToData(strings.Repeat("x", large))
	c.must(err)
	request := queue.Request{Data: data}
	var requests []queue.Request
	for round := range rounds {
		for range 2 {
			request.Name, request.Priority = fmt.Sprintf("first %d", round), 10
			requests = append(requests, request)
		}
	}
	request.Name, request.Priority = "last", 0 // and the last one in the order of _id
	_, err = c.peer.Enqueue(t.Context(), append(requests, request)...)
	c.must(err)

	lease := func(names ...string) []*queue.Lease {
		t.Helper()
		wanted := map[string]queue.NameRequest{}
		for _, name := range names {
			wanted[name] = queue.NameRequest{Free: 2}
		}
		batch, err := c.store.Lease(t.Context(), queue.LeaseRequest{
			Holder: "worker@w1", Total: 4, Horizon: time.Minute, Names: wanted, Bytes: 2*large + large/2,
		})
		c.must(err)
		return batch.Leases
	}
	for round := range rounds {
		got := lease(fmt.Sprintf("first %d", round), "last")
		if len(got) != 2 || got[0].Job.Name == "last" || got[1].Job.Name == "last" {
			t.Fatalf("round %d leases %d jobs, want the two before the last one", round, len(got))
		}
	}
	if got := lease("last"); len(got) != 1 {
		t.Errorf("it leases %d of the last name, want 1", len(got))
	}
	if problems := c.problems.List(); len(problems) > 0 {
		t.Errorf("problems are reported: %v", problems)
	}
}
