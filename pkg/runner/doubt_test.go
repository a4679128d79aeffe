package runner_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/event"

	"github.com/etrainer/backend/pkg/job"
	"github.com/etrainer/backend/pkg/queue"
)

// A lease whose answer was lost has locked jobs of which nobody knows. They
// are handed back at once, and not when their locks expire.
func TestLeaseWhoseAnswerWasLostIsHandedBack(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	ids := b.enqueueMany("a", 5)
	var lost, calls atomic.Int64
	o := b.options(handler("a", counted(&calls)))
	o.Store = &faulty{Consumer: b.store, afterLease: func(batch queue.Batch) error {
		if len(batch.Leases) > 0 && lost.Add(1) <= 2 {
			return errAway
		}
		return nil
	}}
	r := b.start(o)
	b.allFinished(ids)
	if n := calls.Load(); n != 5 {
		t.Errorf("%d calls of the handler for 5 jobs", n)
	}
	eventually(t, "nothing is held", func() bool { return r.InFlight() == 0 })
}

// thief takes the lock of a job in the moment before it is claimed.
type thief struct {
	steal func()
	done  atomic.Bool
}

func (s *thief) monitor() *event.CommandMonitor {
	return &event.CommandMonitor{Started: func(_ context.Context, e *event.CommandStartedEvent) {
		if e.CommandName == "update" && e.Command.Lookup("update").StringValue() == "agendaJobs" && s.steal != nil && s.done.CompareAndSwap(false, true) {
			s.steal()
		}
	}}
}

// The place of a limit that was taken for a job which another worker got first
// is given back.
func TestPlaceOfALostClaimComesFree(t *testing.T) {
	t.Parallel()
	stealer := &thief{}
	b := newBench(t, stealer.monitor())
	if err := b.client.ChangeSettings(t.Context(), job.Settings{Name: "a", Concurrency: 1}); err != nil {
		t.Fatal(err)
	}
	ids := b.enqueueMany("a", 2)
	stealer.steal = func() {
		_, err := b.db.Collection("agendaJobs").UpdateByID(context.Background(), ids[0], bson.M{"$set": bson.M{"lockedAt": time.Now(), "lastModifiedBy": "node"}})
		if err != nil {
			t.Error(err)
		}
	}
	b.start(b.options(noop("a")))
	began := time.Now()
	b.allFinished(ids[1:])
	// A place that nobody holds is found after a minute as well.
	if took := time.Since(began); took > 40*time.Second {
		t.Errorf("the other job waited for %s", took)
	}
	if !stealer.done.Load() {
		t.Error("nothing was stolen")
	}
}
