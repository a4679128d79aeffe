package queuetest

import (
	"errors"
	"testing"
	"time"

	"github.com/etrainer/backend/pkg/job"
	"github.com/etrainer/backend/pkg/queue"
)

var leaseTests = map[string]func(*testing.T, *suite){
	"due jobs come by time, then by priority": func(t *testing.T, s *suite) {
		s.enqueue(
			queue.Request{Name: "a", RunAt: Start.Add(-time.Second), Priority: 1, Data: data(s, "third")},
			queue.Request{Name: "b", RunAt: Start.Add(-time.Second), Priority: 9, Data: data(s, "second")},
			queue.Request{Name: "a", RunAt: Start.Add(-time.Minute), Priority: -20, Data: data(s, "first")},
			queue.Request{Name: "c", RunAt: Start.Add(-time.Hour), Data: data(s, "not asked for")},
			queue.Request{Name: "a", RunAt: Start.Add(time.Millisecond), Data: data(s, "not due")},
		)
		leases := s.lease(want("worker@w1", 10, "a", "b"))
		var got []string
		for _, lease := range leases {
			text, _ := lease.Job.DataJSON()
			got = append(got, string(text))
		}
		if want := []string{`"first"`, `"second"`, `"third"`}; !equal(got, want) {
			t.Errorf("leased %v, want %v", got, want)
		}
	},
	"a lease starts the run as Agenda does": func(t *testing.T, s *suite) {
		id := s.enqueue(queue.Request{Name: "a", RunAt: Start.Add(-time.Minute)})[0].ID
		lease := s.leaseOne("worker@w1", "a")
		got := s.get(id)
		s.sameTime("lockedAt", got.LockedAt, lease.Stamp)
		s.sameTime("lastRunAt", got.LastRunAt, lease.StartedAt)
		s.sameTime("nextRunAt of a one-off", got.NextRunAt, time.Time{})
		s.sameTime("tick", lease.Tick, Start.Add(-time.Minute))
		if got.LastModifiedBy != "worker@w1" || lease.Attempt != 1 {
			t.Errorf("lastModifiedBy %q, attempt %d", got.LastModifiedBy, lease.Attempt)
		}
		s.state(id, job.Running)
	},
	"a leased job is not leased again": func(t *testing.T, s *suite) {
		s.enqueue(queue.Request{Name: "a"})
		s.leaseOne("worker@w1", "a")
		if leases := s.lease(want("worker@w2", 10, "a")); len(leases) != 0 {
			t.Errorf("w2 leased %d jobs, want none", len(leases))
		}
	},
	"free places bound each name, and Total all of them": func(t *testing.T, s *suite) {
		for range 5 {
			s.enqueue(queue.Request{Name: "a"}, queue.Request{Name: "b"})
		}
		batch, err := s.Store.Lease(s.ctx(), queue.LeaseRequest{Holder: "worker@w1", Total: 10, Names: map[string]queue.NameRequest{"a": {Free: 2}, "b": {Free: 4}}})
		if err != nil || len(batch.Leases) != 6 || !batch.More {
			t.Fatalf("leased %d, more %t, %v; want 6 and more", len(batch.Leases), batch.More, err)
		}
		batch, err = s.Store.Lease(s.ctx(), want("worker@w1", 3, "a", "b"))
		if err != nil || len(batch.Leases) != 3 || !batch.More {
			t.Errorf("leased %d, more %t, %v; want 3 and more", len(batch.Leases), batch.More, err)
		}
		batch, err = s.Store.Lease(s.ctx(), want("worker@w1", 3, "a", "b"))
		if err != nil || len(batch.Leases) != 1 || batch.More {
			t.Errorf("leased %d, more %t, %v; want the last one and no more", len(batch.Leases), batch.More, err)
		}
	},
	"a lease tells when the next job is due": func(t *testing.T, s *suite) {
		s.enqueue(queue.Request{Name: "a"}, queue.Request{Name: "a", RunAt: Start.Add(20 * time.Second)}, queue.Request{Name: "a", RunAt: Start.Add(40 * time.Second)})
		batch, err := s.Store.Lease(s.ctx(), want("worker@w1", 10, "a"))
		if err != nil || len(batch.Leases) != 1 {
			t.Fatalf("leased %d, %v; want 1", len(batch.Leases), err)
		}
		s.sameTime("NextDue", batch.NextDue, Start.Add(20*time.Second))
	},
	"renewing moves the lock, and only then an old stamp is refused": func(t *testing.T, s *suite) {
		s.enqueue(queue.Request{Name: "a"})
		lease := s.leaseOne("worker@w1", "a")
		before := lease.Stamp
		s.Clock.Advance(time.Minute)
		lost, err := s.Store.Renew(s.ctx(), []*queue.Lease{lease})
		if err != nil || len(lost) != 0 {
			t.Fatalf("Renew: lost %d, %v", len(lost), err)
		}
		if !lease.Stamp.After(before) {
			t.Errorf("stamp did not move")
		}
		s.sameTime("lockedAt", s.get(lease.Job.ID).LockedAt, lease.Stamp)
		old := *lease
		old.Stamp = before
		if err := s.record(queue.Ending{Lease: &old, Outcome: job.Succeeded}); !errors.Is(err, queue.ErrLeaseLost) {
			t.Errorf("a record with the old stamp: %v, want ErrLeaseLost", err)
		}
		s.succeed(lease)
	},
	"a lock past its lifetime is taken over, one millisecond earlier it is not": func(t *testing.T, s *suite) {
		s.enqueue(queue.Request{Name: "a"})
		first := s.leaseOne("worker@dead", "a")
		expired := want("worker@w2", 1, "a")
		expired.Expired = true
		s.Clock.Advance(queue.DefaultLockLifetime - time.Millisecond)
		if leases := s.lease(expired); len(leases) != 0 {
			t.Fatalf("taken over too early")
		}
		s.Clock.Advance(time.Millisecond)
		leases := s.lease(expired)
		if len(leases) != 1 {
			t.Fatalf("not taken over")
		}
		if err := s.record(queue.Ending{Lease: first, Outcome: job.Succeeded}); !errors.Is(err, queue.ErrLeaseLost) {
			t.Errorf("the former holder recorded a result: %v", err)
		}
		s.state(first.Job.ID, job.Running)
		s.succeed(leases[0])
		s.state(first.Job.ID, job.Completed)
	},
	"a rescued job runs again at once, and its former holder records nothing": func(t *testing.T, s *suite) {
		id := s.enqueue(queue.Request{Name: "a", RunAt: Start.Add(-time.Minute)})[0].ID
		lost := s.leaseOne("worker@dead", "a")
		if err := s.Store.Open(s.ctx(), []*queue.Lease{lost}); err != nil {
			t.Fatal(err)
		}
		s.Clock.Advance(10 * time.Second)
		if n, err := s.rescue("worker@dead"); err != nil || n != 1 {
			t.Fatalf("Rescue: %d, %v; want 1", n, err)
		}
		s.state(id, job.Queued)
		if lostNow, err := s.Store.Renew(s.ctx(), []*queue.Lease{lost}); err != nil || len(lostNow) != 1 {
			t.Errorf("the former holder renewed its lease (%d lost, %v)", len(lostNow), err)
		}
		next := s.leaseOne("worker@w2", "a")
		s.sameTime("tick of the second attempt", next.Tick, Start.Add(-time.Minute))
		if next.Attempt != 2 || next.Failures != 1 {
			t.Errorf("attempt %d, failures %d; want 2 and 1", next.Attempt, next.Failures)
		}
		if err := s.record(queue.Ending{Lease: lost, Outcome: job.Succeeded, Result: data(s, "stale")}); !errors.Is(err, queue.ErrLeaseLost) {
			t.Errorf("the former holder recorded a result: %v", err)
		}
		s.succeed(next)
		runs := s.runs(id)
		if len(runs) != 2 || runs[0].Outcome != job.Succeeded || runs[1].Outcome != job.Lost {
			t.Errorf("runs: %+v; want succeeded after lost", runs)
		}
	},
	"a run that was never opened leaves a record when it is lost": func(t *testing.T, s *suite) {
		id := s.enqueue(queue.Request{Name: "a"})[0].ID
		s.leaseOne("worker@dead", "a")
		if _, err := s.rescue("worker@dead"); err != nil {
			t.Fatal(err)
		}
		if runs := s.runs(id); len(runs) != 1 || runs[0].Outcome != job.Lost || runs[0].Worker != "worker@dead" {
			t.Errorf("runs: %+v; want one lost run of dead", runs)
		}
	},
	"a global limit holds over all workers": func(t *testing.T, s *suite) {
		if err := s.Store.ChangeSettings(s.ctx(), job.Settings{Name: "a", Concurrency: 3}); err != nil {
			t.Fatal(err)
		}
		for range 10 {
			s.enqueue(queue.Request{Name: "a"})
		}
		limited := func(holder string) []*queue.Lease {
			return s.lease(queue.LeaseRequest{Holder: holder, Total: 10, Names: map[string]queue.NameRequest{"a": {Free: 2, Limit: 3}}})
		}
		first, second, third := limited("worker@w1"), limited("worker@w2"), limited("worker@w3")
		if len(first) != 2 || len(second) != 1 || len(third) != 0 {
			t.Fatalf("leased %d, %d and %d; want 2, 1 and 0", len(first), len(second), len(third))
		}
		s.succeed(first[0])
		if again := limited("worker@w3"); len(again) != 1 {
			t.Errorf("leased %d after one ended, want 1", len(again))
		}
		if _, err := s.rescue("worker@w2"); err != nil {
			t.Fatal(err)
		}
		if again := limited("worker@w3"); len(again) != 1 {
			t.Errorf("leased %d after a holder died, want 1", len(again))
		}
	},
}

func equal(a, b []string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}
