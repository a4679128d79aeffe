package queuetest

import (
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/etrainer/backend/pkg/job"
	"github.com/etrainer/backend/pkg/queue"
)

// flood enqueues many jobs of a name that are due before all others.
func (s *suite) flood(name string, n int) {
	s.t.Helper()
	requests := make([]queue.Request, n)
	for i := range requests {
		requests[i] = queue.Request{Name: name, RunAt: Start.Add(-time.Hour).Add(time.Duration(i) * time.Millisecond)}
	}
	s.enqueue(requests...)
}

// leasedOf counts a batch by name.
func leasedOf(leases []*queue.Lease) map[string]int {
	count := map[string]int{}
	for _, lease := range leases {
		count[lease.Job.Name]++
	}
	return count
}

var fairnessTests = map[string]func(*testing.T, *suite){
	"a backlog of one name hides no other": func(t *testing.T, s *suite) {
		s.flood("a", 300)
		s.enqueue(queue.Request{Name: "b"}, queue.Request{Name: "c"})
		for title, a := range map[string]queue.NameRequest{
			"it has few places": {Free: 2}, "it is leased ahead": {Free: 30, Ahead: 28},
		} {
			request := queue.LeaseRequest{Holder: "worker@w1", Total: 10, Names: map[string]queue.NameRequest{"a": a, "b": {Free: 1}, "c": {Free: 1}}}
			leases := s.lease(request)
			if got := leasedOf(leases); got["b"] != 1 || got["c"] != 1 || got["a"] == 0 {
				t.Errorf("%s: leased %v; want one of b and of c beside those of a", title, got)
			}
			for _, lease := range leases {
				if lease.Job.Name != "a" {
					if err := s.record(queue.Ending{Lease: lease, Outcome: job.Released, Unstarted: true}); err != nil {
						t.Fatal(err)
					}
				}
			}
		}
	},
	"a name at its limit hides no other": func(t *testing.T, s *suite) {
		if err := s.Store.ChangeSettings(s.ctx(), job.Settings{Name: "a", Concurrency: 1}); err != nil {
			t.Fatal(err)
		}
		s.flood("a", 60)
		s.enqueue(queue.Request{Name: "b"})
		request := queue.LeaseRequest{Holder: "worker@w1", Total: 20, Names: map[string]queue.NameRequest{"a": {Free: 5, Limit: 1}, "b": {Free: 5}}}
		batch, err := s.Store.Lease(s.ctx(), request)
		if got := leasedOf(batch.Leases); err != nil || got["a"] != 1 || got["b"] != 1 {
			t.Fatalf("leased %v, %v; want one of each", got, err)
		}
		if len(batch.AtLimit) != 1 || batch.AtLimit[0] != "a" {
			t.Errorf("at their limit are %v, want a", batch.AtLimit)
		}
		s.enqueue(queue.Request{Name: "b"})
		if got := leasedOf(s.lease(request)); got["a"] != 0 || got["b"] != 1 {
			t.Errorf("leased %v while all places of a are taken; want one of b", got)
		}
	},
	"a name at its limit is looked at once": func(t *testing.T, s *suite) {
		if err := s.Store.ChangeSettings(s.ctx(), job.Settings{Name: "a", Concurrency: 1}); err != nil {
			t.Fatal(err)
		}
		s.flood("a", 3)
		request := queue.LeaseRequest{Holder: "worker@w1", Total: 20, Names: map[string]queue.NameRequest{"a": {Free: 5, Limit: 1}}}
		batch, err := s.Store.Lease(s.ctx(), request)
		if err != nil || len(batch.Leases) != 1 || len(batch.AtLimit) != 1 {
			t.Errorf("leased %d, at their limit are %v (%v); want one of a, and a once", len(batch.Leases), batch.AtLimit, err)
		}
	},
	"idle slots bound what starts, and only what is leased ahead goes beyond": func(t *testing.T, s *suite) {
		s.flood("a", 20)
		s.flood("b", 20)
		request := queue.LeaseRequest{Holder: "worker@w1", Total: 4, Names: map[string]queue.NameRequest{"a": {Free: 10, Ahead: 3}, "b": {Free: 10}}}
		leases := s.lease(request)
		atOnce, ahead := 0, 0
		for _, lease := range leases {
			if lease.Ahead {
				ahead++
			} else {
				atOnce++
			}
			if lease.Ahead && lease.Job.Name != "a" {
				t.Errorf("%q was leased ahead", lease.Job.Name)
			}
		}
		if atOnce != 4 || ahead == 0 || leasedOf(leases)["a"] > 10 {
			t.Errorf("%d at once, %d ahead: %v; want 4 at once", atOnce, ahead, leasedOf(leases))
		}
	},
	"a batch is bounded in bytes": func(t *testing.T, s *suite) {
		large := data(s, map[string]any{"text": string(make([]byte, 100_000))})
		for range 10 {
			s.enqueue(queue.Request{Name: "a", Data: large})
		}
		request := want("worker@w1", 10, "a")
		request.Bytes = 350_000
		seen := map[bson.ObjectID]bool{}
		for round := 0; len(seen) < 10 && round < 10; round++ {
			leases := s.lease(request)
			if len(leases) == 0 || len(leases) > 3 {
				t.Fatalf("leased %d jobs of 100 kB into 350 kB", len(leases))
			}
			for _, lease := range leases {
				s.fresh(lease)
				seen[lease.Job.ID] = true
				s.succeed(lease)
			}
			s.Clock.Advance(time.Millisecond)
		}
		if len(seen) != 10 {
			t.Errorf("%d of 10 jobs were leased", len(seen))
		}
	},
}

var placesTests = map[string]func(*testing.T, *suite){
	"a limit counts the runs that began before it was set": func(t *testing.T, s *suite) {
		s.flood("a", 6)
		early := s.lease(want("worker@w1", 2, "a"))
		if err := s.Store.ChangeSettings(s.ctx(), job.Settings{Name: "a", Concurrency: 3}); err != nil {
			t.Fatal(err)
		}
		if err := s.Store.Reconcile(s.ctx(), "a"); err != nil {
			t.Fatal(err)
		}
		limited := queue.LeaseRequest{Holder: "worker@w2", Total: 5, Names: map[string]queue.NameRequest{"a": {Free: 5, Limit: 3}}}
		if leases := s.lease(limited); len(leases) != 1 {
			t.Fatalf("leased %d beside two, of a limit of three", len(leases))
		}
		s.succeed(early[0])
		s.succeed(early[1])
		s.Clock.Advance(2 * time.Minute)
		if err := s.Store.Reconcile(s.ctx(), "a"); err != nil {
			t.Fatal(err)
		}
		if leases := s.lease(limited); len(leases) != 2 {
			t.Errorf("leased %d after two ended, want 2", len(leases))
		}
	},
	"a place that leaked comes free": func(t *testing.T, s *suite) {
		if err := s.Store.ChangeSettings(s.ctx(), job.Settings{Name: "a", Concurrency: 1}); err != nil {
			t.Fatal(err)
		}
		id := s.enqueue(queue.Request{Name: "a"})[0].ID
		limited := queue.LeaseRequest{Holder: "worker@w1", Total: 1, Names: map[string]queue.NameRequest{"a": {Free: 1, Limit: 1}}}
		lease := s.lease(limited)[0]
		lease.Slot = bson.ObjectID{} // the worker forgets its place
		s.succeed(lease)
		if err := s.Store.Delete(s.ctx(), id); err != nil {
			t.Fatal(err)
		}
		s.enqueue(queue.Request{Name: "a"})
		if leases := s.lease(limited); len(leases) != 0 {
			t.Fatal("leased beyond the limit")
		}
		s.Clock.Advance(2 * time.Minute)
		if err := s.Store.Reconcile(s.ctx(), "a"); err != nil {
			t.Fatal(err)
		}
		if leases := s.lease(limited); len(leases) != 1 {
			t.Error("the place that leaked did not come free")
		}
	},
}
