package queuetest

import (
	"testing"
	"time"

	"github.com/etrainer/backend/pkg/job"
	"github.com/etrainer/backend/pkg/queue"
	"github.com/etrainer/backend/pkg/schedule"
)

// uniqueJob is the one job "a" of a user.
func uniqueJob(s *suite) queue.Request {
	return queue.Request{Name: "a", Data: data(s, map[string]any{"user": 1}), Unique: &queue.Unique{By: map[string]any{"user": 1}}}
}

// fail records failed attempts of the job that is due, until its policy says
// that it is dead, and returns how many there were.
func (s *suite) failUntilDead(name string, policy job.Retry) int {
	s.t.Helper()
	for attempts := 1; ; attempts++ {
		lease := s.leaseOne("worker@w1", name)
		if lease.Attempt != attempts {
			s.t.Errorf("attempt %d, want %d", lease.Attempt, attempts)
		}
		delay, again := policy.Next(lease.Failures+1, 0.5)
		ending := queue.Ending{Lease: lease, Outcome: job.Dead, Error: "boom"}
		if again {
			ending.Outcome, ending.RunAgainAt = job.Retrying, s.Store.Now().Add(delay)
		}
		if err := s.record(ending); err != nil {
			s.t.Fatal(err)
		}
		if !again {
			return attempts
		}
		s.Clock.Advance(delay)
	}
}

// fresh fails the test unless a lease is the first attempt of its tick, with
// nothing of an earlier planning.
func (s *suite) fresh(lease *queue.Lease) {
	s.t.Helper()
	if lease.Attempt != 1 || lease.Failures != 0 || lease.Lost != 0 || lease.Cancelled || !lease.Job.CancelledAt.IsZero() {
		s.t.Errorf("attempt %d, failures %d, lost %d, cancelled %t (%s): something of an earlier planning is left",
			lease.Attempt, lease.Failures, lease.Lost, lease.Cancelled, stamp(lease.Job.CancelledAt))
	}
}

var planningTests = map[string]func(*testing.T, *suite){
	"a unique job that was cancelled runs when it is enqueued anew": func(t *testing.T, s *suite) {
		id := s.enqueue(uniqueJob(s))[0].ID
		if _, err := s.Store.Cancel(s.ctx(), id, "ann"); err != nil {
			t.Fatal(err)
		}
		again := s.enqueue(uniqueJob(s))[0]
		if again.ID != id || !again.CancelledAt.IsZero() {
			t.Fatalf("enqueued %s, cancelled at %s; want the same job, not cancelled", again.ID.Hex(), again.CancelledAt)
		}
		s.sameTime("cancelledAt", s.get(id).CancelledAt, time.Time{})
		s.fresh(s.leaseOne("worker@w1", "a"))
	},
	"a unique job that died has all its attempts when it is enqueued anew": func(t *testing.T, s *suite) {
		for range 2 {
			s.enqueue(uniqueJob(s))
			if n := s.failUntilDead("a", job.Retry{MaxAttempts: 3}); n != 3 {
				t.Errorf("%d attempts, want 3", n)
			}
		}
	},
	"a unique job that waits for its retry is new when it is enqueued anew": func(t *testing.T, s *suite) {
		s.enqueue(uniqueJob(s))
		lease := s.leaseOne("worker@w1", "a")
		if err := s.record(queue.Ending{Lease: lease, Outcome: job.Retrying, RunAgainAt: Start.Add(time.Hour), Error: "boom"}); err != nil {
			t.Fatal(err)
		}
		s.Clock.Advance(time.Second)
		s.enqueue(uniqueJob(s))
		next := s.leaseOne("worker@w1", "a")
		s.fresh(next)
		s.sameTime("tick", next.Tick, Start.Add(time.Second))
	},
	"a retry by an operator has all its attempts, also where a retry is planned": func(t *testing.T, s *suite) {
		id := s.enqueue(queue.Request{Name: "a"})[0].ID
		lease := s.leaseOne("worker@w1", "a")
		if err := s.record(queue.Ending{Lease: lease, Outcome: job.Retrying, RunAgainAt: Start.Add(time.Hour), Error: "boom"}); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Store.Retry(s.ctx(), id, "ann"); err != nil {
			t.Fatal(err)
		}
		if n := s.failUntilDead("a", job.Retry{MaxAttempts: 2, Delay: time.Second}); n != 2 {
			t.Errorf("%d attempts, want 2", n)
		}
	},
	"every tick has all its attempts, also after a dead one": func(t *testing.T, s *suite) {
		s.arm(queue.Recurring{Name: "r", Repeat: schedule.Spec{Interval: "*/5 * * * *"}}, queue.ArmedCreated)
		for range 3 {
			s.Clock.Advance(5 * time.Minute)
			if n := s.failUntilDead("r", job.Retry{MaxAttempts: 3, Delay: time.Second}); n != 3 {
				t.Errorf("%d attempts, want 3", n)
			}
		}
	},
	"a cancel that came too late for its run does not reach the next tick": func(t *testing.T, s *suite) {
		s.arm(queue.Recurring{Name: "r", Repeat: schedule.Spec{Interval: "*/5 * * * *"}}, queue.ArmedCreated)
		for _, outcome := range []job.Outcome{job.Succeeded, job.Dead, job.Discarded, job.Cancelled} {
			s.Clock.Advance(5 * time.Minute)
			lease := s.leaseOne("worker@w1", "r")
			s.fresh(lease)
			if _, err := s.Store.Cancel(s.ctx(), lease.Job.ID, "ann"); err != nil {
				t.Fatal(err)
			}
			if err := s.record(queue.Ending{Lease: lease, Outcome: outcome}); err != nil {
				t.Fatal(err)
			}
			if !s.get(lease.Job.ID).CancelledAt.IsZero() {
				t.Errorf("after %s the job still is cancelled", outcome)
			}
		}
	},
	"a cancel ends the attempts of the run that it met": func(t *testing.T, s *suite) {
		for _, outcome := range []job.Outcome{job.Retrying, job.Snoozed, job.Released} {
			id := s.enqueue(queue.Request{Name: "a"})[0].ID
			lease := s.leaseOne("worker@w1", "a")
			if _, err := s.Store.Cancel(s.ctx(), id, "ann"); err != nil {
				t.Fatal(err)
			}
			ending := queue.Ending{Lease: lease, Outcome: outcome}
			if outcome != job.Released {
				ending.RunAgainAt = Start.Add(time.Hour)
			}
			if err := s.record(ending); err != nil {
				t.Fatal(err)
			}
			if found := s.get(id); !found.Cancelled() || !found.NextRunAt.IsZero() {
				t.Errorf("%s: cancelled %t, planned %s; want cancelled for good", outcome, found.Cancelled(), stamp(found.NextRunAt))
			}
		}
	},
	"a plan that is made during a run outlives it": func(t *testing.T, s *suite) {
		for _, outcome := range []job.Outcome{job.Succeeded, job.Retrying, job.Dead, job.Cancelled, job.Released} {
			id := s.enqueue(uniqueJob(s))[0].ID
			lease := s.leaseOne("worker@w1", "a")
			later := uniqueJob(s)
			later.RunAt = s.Store.Now().Add(time.Hour)
			s.enqueue(later)
			ending := queue.Ending{Lease: lease, Outcome: outcome}
			if outcome == job.Retrying {
				ending.RunAgainAt = s.Store.Now().Add(3 * time.Hour)
			}
			if err := s.record(ending); err != nil {
				t.Fatalf("%s: %v", outcome, err)
			}
			s.sameTime(string(outcome)+": planned", s.get(id).NextRunAt, later.RunAt)
			s.Clock.Advance(time.Hour)
			next := s.leaseOne("worker@w1", "a")
			s.fresh(next)
			s.sameTime(string(outcome)+": tick", next.Tick, later.RunAt)
			s.succeed(next)
		}
	},
	"a cancel of a run does not reach the plan that was made during it": func(t *testing.T, s *suite) {
		id := s.enqueue(uniqueJob(s))[0].ID
		lease := s.leaseOne("worker@w1", "a")
		if _, err := s.Store.Cancel(s.ctx(), id, "ann"); err != nil {
			t.Fatal(err)
		}
		s.enqueue(uniqueJob(s))
		if err := s.record(queue.Ending{Lease: lease, Outcome: job.Cancelled}); err != nil {
			t.Fatal(err)
		}
		next := s.leaseOne("worker@w1", "a")
		s.fresh(next)
		s.succeed(next)
		if found := s.get(id); found.Cancelled() || !found.CancelledAt.IsZero() {
			t.Errorf("the job ended as cancelled at %s", stamp(found.CancelledAt))
		}
	},
	"a cancelled job that is retried by an operator is new": func(t *testing.T, s *suite) {
		id := s.enqueue(queue.Request{Name: "a"})[0].ID
		err := s.record(queue.Ending{Lease: s.leaseOne("worker@w1", "a"), Outcome: job.Retrying, RunAgainAt: Start.Add(time.Minute), Error: "boom"})
		if err != nil {
			t.Fatal(err)
		}
		s.Clock.Advance(time.Minute)
		if _, err := s.Store.Cancel(s.ctx(), id, "ann"); err != nil {
			t.Fatal(err)
		}
		again, err := s.Store.Retry(s.ctx(), id, "ann") // for the very instant of the planned retry
		if err != nil || !again.CancelledAt.IsZero() {
			t.Fatalf("Retry: cancelled at %s, %v", stamp(again.CancelledAt), err)
		}
		s.fresh(s.leaseOne("worker@w1", "a"))
	},
	"a retry by an operator for the instant of a planned retry is new": func(t *testing.T, s *suite) {
		id := s.enqueue(queue.Request{Name: "a"})[0].ID
		err := s.record(queue.Ending{Lease: s.leaseOne("worker@w1", "a"), Outcome: job.Retrying, RunAgainAt: Start.Add(time.Minute), Error: "boom"})
		if err != nil {
			t.Fatal(err)
		}
		s.Clock.Advance(time.Minute)
		if _, err := s.Store.Retry(s.ctx(), id, "ann"); err != nil {
			t.Fatal(err)
		}
		s.fresh(s.leaseOne("worker@w1", "a"))
	},
	"a plan that is made during a run outlives its worker": func(t *testing.T, s *suite) {
		id := s.enqueue(uniqueJob(s))[0].ID
		s.leaseOne("worker@dead", "a")
		later := uniqueJob(s)
		later.RunAt = Start.Add(time.Hour)
		s.enqueue(later)
		if _, err := s.rescue("worker@dead"); err != nil {
			t.Fatal(err)
		}
		s.sameTime("planned", s.get(id).NextRunAt, later.RunAt)
		s.Clock.Advance(time.Hour)
		s.fresh(s.leaseOne("worker@w1", "a"))
	},
	"a dropped tick leaves a plan alone that was made during the run": func(t *testing.T, s *suite) {
		s.arm(queue.Recurring{Name: "r", Repeat: schedule.Spec{Interval: "*/5 * * * *"}}, queue.ArmedCreated)
		s.Clock.Advance(5 * time.Minute)
		lease := s.leaseOne("worker@w1", "r")
		moved := schedule.Spec{Interval: "*/2 * * * *"}
		s.arm(queue.Recurring{Name: "r", Repeat: moved}, queue.ArmedMoved)
		planned := s.get(lease.Job.ID).NextRunAt
		s.Clock.Advance(6 * time.Minute) // ticks passed during the run
		s.succeed(lease)
		s.sameTime("planned", s.get(lease.Job.ID).NextRunAt, planned)
	},
}
