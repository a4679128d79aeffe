package queuetest

import (
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/etrainer/backend/pkg/job"
	"github.com/etrainer/backend/pkg/queue"
	"github.com/etrainer/backend/pkg/schedule"
)

// crash is what becomes of the leases of a worker that died: peers rescue
// them, or their locks expire. It returns the next lease of the job.
type crash func(s *suite, name string, policy job.MissedPolicy) *queue.Lease

func byRescue(s *suite, name string, policy job.MissedPolicy) *queue.Lease {
	s.t.Helper()
	s.Clock.Advance(14 * time.Second)
	if n, err := s.rescue("worker@dead"); err != nil || n == 0 {
		s.t.Fatalf("Rescue: %d, %v", n, err)
	}
	return s.leaseWith("worker@dead", name, policy, false)
}

func byExpiry(s *suite, name string, policy job.MissedPolicy) *queue.Lease {
	s.t.Helper()
	s.Clock.Advance(queue.DefaultLockLifetime + time.Minute)
	return s.leaseWith("worker@dead", name, policy, true)
}

var crashes = map[string]crash{"rescue": byRescue, "an expired lock": byExpiry}

func (s *suite) leaseWith(holder, name string, policy job.MissedPolicy, expired bool) *queue.Lease {
	s.t.Helper()
	request := want(holder, 1, name)
	request.Expired = expired
	request.Names[name] = queue.NameRequest{Free: 1, Missed: policy}
	leases := s.lease(request)
	if len(leases) != 1 {
		s.t.Fatalf("leased %d jobs of %q, want 1", len(leases), name)
	}
	return leases[0]
}

var crashTests = map[string]func(*testing.T, *suite){
	"tick, attempts and failures of a one-off job survive crashes": func(t *testing.T, s *suite) {
		for how, crash := range crashes {
			planned := s.Store.Now().Add(-time.Minute)
			s.enqueue(queue.Request{Name: how, RunAt: planned})
			lease := s.leaseOne("worker@dead", how)
			for attempt := 2; attempt <= 4; attempt++ {
				if attempt == 3 { // a run that lasted is in the history, others are not
					if err := s.Store.Open(s.ctx(), []*queue.Lease{lease}); err != nil {
						t.Fatal(err)
					}
				}
				lease = crash(s, how, "")
				s.sameTime(how+": tick", lease.Tick, planned)
				if lease.Attempt != attempt || lease.Failures != attempt-1 || lease.Lost != attempt-1 {
					t.Errorf("%s: attempt %d, failures %d, lost %d; want %d and %d", how, lease.Attempt, lease.Failures, lease.Lost, attempt, attempt-1)
				}
			}
			s.succeed(lease)
			if runs := s.runs(lease.Job.ID); len(runs) != 4 || runs[0].Outcome != job.Succeeded || runs[1].Outcome != job.Lost {
				t.Errorf("%s: runs are %+v; want one success after three lost", how, runs)
			}
		}
	},
	"tick and attempts of a recurring job survive crashes, whatever its policy": func(t *testing.T, s *suite) {
		for how, crash := range crashes {
			for _, policy := range []job.MissedPolicy{job.MissedOnce, job.MissedSkip, job.MissedAll} {
				name := how + " " + string(policy)
				s.arm(queue.Recurring{Name: name, Repeat: schedule.Spec{Interval: "0 * * * *"}}, queue.ArmedCreated)
				s.Clock.Advance(time.Hour - time.Duration(s.Store.Now().Minute())*time.Minute)
				lease := s.leaseWith("worker@dead", name, policy, false)
				tick := lease.Tick
				for attempt := 2; attempt <= 3; attempt++ {
					lease = crash(s, name, policy)
					s.sameTime(name+": tick", lease.Tick, tick)
					if lease.Attempt != attempt || lease.Failures != attempt-1 {
						t.Errorf("%s: attempt %d, failures %d; want %d and %d", name, lease.Attempt, lease.Failures, attempt, attempt-1)
					}
				}
				s.succeed(lease)
				if next := s.get(lease.Job.ID).NextRunAt; !next.After(tick) {
					t.Errorf("%s: the next tick is %s, after that of %s", name, stamp(next), stamp(tick))
				}
			}
		}
	},
	"a crash continues the attempts that failed before it": func(t *testing.T, s *suite) {
		for how, crash := range crashes {
			planned := s.Store.Now()
			s.enqueue(queue.Request{Name: how, RunAt: planned})
			again := planned.Add(time.Minute)
			if err := s.record(queue.Ending{Lease: s.leaseOne("worker@dead", how), Outcome: job.Retrying, RunAgainAt: again, Error: "boom"}); err != nil {
				t.Fatal(err)
			}
			s.Clock.Advance(2 * time.Minute)
			s.leaseOne("worker@dead", how)
			lease := crash(s, how, "")
			s.sameTime(how+": tick", lease.Tick, planned)
			if lease.Attempt != 3 || lease.Failures != 2 || lease.Lost != 1 {
				t.Errorf("%s: attempt %d, failures %d, lost %d; want 3, 2 and 1", how, lease.Attempt, lease.Failures, lease.Lost)
			}
		}
	},
	"a job that was leased ahead is not charged, and then is not leased ahead": func(t *testing.T, s *suite) {
		for range 3 {
			s.enqueue(queue.Request{Name: "a"})
		}
		ahead := want("worker@dead", 1, "a")
		ahead.Names["a"] = queue.NameRequest{Free: 3, Ahead: 2}
		leases := s.lease(ahead)
		if len(leases) != 3 || leases[0].Ahead || !leases[1].Ahead || !leases[2].Ahead {
			t.Fatalf("leased %d, want one at once and two ahead", len(leases))
		}
		if _, err := s.rescue("worker@dead"); err != nil {
			t.Fatal(err)
		}
		s.Clock.Advance(time.Second)
		ahead.Total = 0
		if again := s.lease(ahead); len(again) != 0 {
			t.Fatalf("leased %d ahead, want none: a worker died with each", len(again))
		}
		for _, lease := range s.lease(want("worker@w2", 3, "a")) {
			charged := 0
			if lease.Job.ID == leases[0].Job.ID {
				charged = 1
			}
			if lease.Failures != charged || lease.Lost != charged {
				t.Errorf("charged %d failures, %d lost; want %d", lease.Failures, lease.Lost, charged)
			}
			s.succeed(lease)
		}
	},
	"a job that ends its worker, leased ahead or not, is charged each of its runs": func(t *testing.T, s *suite) {
		for how, crash := range crashes {
			s.enqueue(queue.Request{Name: how})
			ahead := want("worker@dead", 0, how)
			ahead.Names[how] = queue.NameRequest{Free: 1, Ahead: 1}
			if leases := s.lease(ahead); len(leases) != 1 || !leases[0].Ahead {
				t.Fatalf("%s: leased %d, want one ahead", how, len(leases))
			}
			if _, err := s.rescue("worker@dead"); err != nil { // whether it had begun is not known
				t.Fatal(err)
			}
			s.Clock.Advance(time.Second)
			s.leaseOne("worker@dead", how)
			lease := crash(s, how, "")
			if lease.Attempt != 3 || lease.Failures != 2 || lease.Lost != 2 {
				t.Errorf("%s: attempt %d, failures %d, lost %d; want 3, 2 and 2", how, lease.Attempt, lease.Failures, lease.Lost)
			}
			s.succeed(lease)
		}
	},
	"what a worker claimed without its knowing is charged nothing": func(t *testing.T, s *suite) {
		s.enqueue(queue.Request{Name: "a"})
		s.leaseOne("worker@w1", "a") // the answer was lost on its way
		if _, err := s.Store.Rescue(s.ctx(), queue.RescueRequest{Instance: "worker@w1", Own: true}); err != nil {
			t.Fatal(err)
		}
		lease := s.leaseOne("worker@w1", "a")
		s.fresh(lease)
		s.succeed(lease)
		if runs := s.runs(lease.Job.ID); len(runs) != 1 {
			t.Errorf("%d runs, want 1", len(runs))
		}
	},
	"a lease that was renewed is spared": func(t *testing.T, s *suite) {
		for range 2 {
			s.enqueue(queue.Request{Name: "a"})
		}
		leases := s.lease(want("worker@w1", 2, "a"))
		s.Clock.Advance(10 * time.Second)
		if _, err := s.Store.Renew(s.ctx(), leases[:1]); err != nil {
			t.Fatal(err)
		}
		rescued, err := s.Store.Rescue(s.ctx(), queue.RescueRequest{Instance: "worker@w1", Renewed: Start.Add(5 * time.Second)})
		if err != nil || rescued.Due != 1 || rescued.Spare != 1 {
			t.Fatalf("rescued %+v, %v; want one due and one spared", rescued, err)
		}
		s.succeed(leases[0])
		s.state(leases[1].Job.ID, job.Queued)
	},
	"a job that was changed by somebody else is rescued at once": func(t *testing.T, s *suite) {
		s.enqueue(uniqueJob(s))
		s.leaseOne("worker@dead", "a")
		s.enqueue(uniqueJob(s)) // writes its own name into lastModifiedBy
		if n, err := s.rescue("worker@dead"); err != nil || n != 1 {
			t.Errorf("Rescue: %d, %v; want 1", n, err)
		}
		s.fresh(s.leaseOne("worker@w2", "a"))
	},
	"a cancel that met a run outlives its worker": func(t *testing.T, s *suite) {
		var ids []bson.ObjectID
		for range 2 {
			ids = append(ids, s.enqueue(queue.Request{Name: "a"})[0].ID)
		}
		s.lease(want("worker@dead", 2, "a"))
		if _, err := s.Store.Cancel(s.ctx(), ids[0], "ann"); err != nil {
			t.Fatal(err)
		}
		s.Clock.Advance(10 * time.Second)
		if n, err := s.rescue("worker@dead"); err != nil || n != 1 {
			t.Fatalf("Rescue: %d, %v; want 1", n, err)
		}
		if found := s.get(ids[0]); !found.Cancelled() || found.LastFinishedAt.IsZero() {
			t.Errorf("the cancelled job is %+v; want it ended", found)
		}
	},
	"a cancel of one run of a recurring job leaves its next tick": func(t *testing.T, s *suite) {
		s.arm(queue.Recurring{Name: "r", Repeat: schedule.Spec{Interval: "*/5 * * * *"}}, queue.ArmedCreated)
		s.Clock.Advance(5 * time.Minute)
		lease := s.leaseOne("worker@dead", "r")
		next := s.get(lease.Job.ID).NextRunAt
		if _, err := s.Store.Cancel(s.ctx(), lease.Job.ID, "ann"); err != nil {
			t.Fatal(err)
		}
		if n, err := s.rescue("worker@dead"); err != nil || n != 0 {
			t.Errorf("Rescue: %d, %v; want nothing due", n, err)
		}
		s.sameTime("next tick", s.get(lease.Job.ID).NextRunAt, next)
		s.Clock.Advance(5 * time.Minute)
		s.fresh(s.leaseOne("worker@w2", "r"))
	},
}
