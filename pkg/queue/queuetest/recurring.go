package queuetest

import (
	"sync"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/etrainer/backend/pkg/job"
	"github.com/etrainer/backend/pkg/queue"
	"github.com/etrainer/backend/pkg/schedule"
)

var everyFive = queue.Recurring{Name: "r", Repeat: schedule.Spec{Interval: "*/5 * * * *"}}

// firstTick is the first tick of everyFive after Start.
var firstTick = time.Date(2024, 1, 17, 10, 25, 0, 0, time.UTC)

func (s *suite) arm(r queue.Recurring, want queue.Armed) {
	s.t.Helper()
	unarmed, err := s.Store.Unarmed(s.ctx(), r)
	if err != nil || (len(unarmed) == 1) != (want != queue.ArmedUnchanged) {
		s.t.Fatalf("Unarmed: %+v, %v; Arm is to answer %q", unarmed, err, want)
	}
	armed, err := s.Store.Arm(s.ctx(), r)
	if err != nil || armed != want {
		s.t.Fatalf("Arm: %q, %v; want %q", armed, err, want)
	}
}

// recurringJob returns the one job of everyFive.
func (s *suite) recurringJob() *job.Document {
	s.t.Helper()
	jobs := s.list(queue.Filter{Names: []string{"r"}})
	if len(jobs) != 1 {
		s.t.Fatalf("%d jobs named r, want 1", len(jobs))
	}
	return jobs[0]
}

var recurringTests = map[string]func(*testing.T, *suite){
	"arming again changes nothing": func(t *testing.T, s *suite) {
		s.arm(everyFive, queue.ArmedCreated)
		created := s.recurringJob()
		s.sameTime("first tick", created.NextRunAt, firstTick)
		s.Clock.Advance(3 * time.Hour) // the tick is overdue now
		s.arm(everyFive, queue.ArmedUnchanged)
		s.sameTime("overdue tick", s.recurringJob().NextRunAt, firstTick)
	},
	"only what is not in order is unarmed": func(t *testing.T, s *suite) {
		other, unreadable := everyFive, everyFive
		other.Name, unreadable.Name, unreadable.Repeat.Interval = "other", "unreadable", "now and then"
		s.arm(other, queue.ArmedCreated)
		unarmed, err := s.Store.Unarmed(s.ctx(), everyFive, other, unreadable)
		if err != nil || len(unarmed) != 2 || unarmed[0].Name != everyFive.Name || unarmed[1].Name != unreadable.Name {
			t.Fatalf("Unarmed: %+v, %v; want the new one, and the one that Arm refuses", unarmed, err)
		}
		if unarmed, err := s.Store.Unarmed(s.ctx()); err != nil || len(unarmed) != 0 {
			t.Fatalf("Unarmed of nothing: %+v, %v", unarmed, err)
		}
	},
	"arming does not touch a running job": func(t *testing.T, s *suite) {
		s.arm(everyFive, queue.ArmedCreated)
		s.Clock.Advance(time.Hour)
		lease := s.leaseOne("worker@w1", "r")
		s.arm(everyFive, queue.ArmedUnchanged)
		changed := everyFive
		changed.Repeat.Interval = "0 9 * * *"
		s.arm(changed, queue.ArmedMoved)
		if got := s.recurringJob(); got.LockedAt.IsZero() || got.LastRunAt.IsZero() {
			t.Fatalf("the running job lost its lock or history: %+v", got)
		}
		s.succeed(lease)
		s.sameTime("next tick", s.recurringJob().NextRunAt, time.Date(2024, 1, 18, 9, 0, 0, 0, time.UTC))
	},
	"a job without a next tick is revived": func(t *testing.T, s *suite) {
		s.arm(everyFive, queue.ArmedCreated)
		s.Clock.Advance(time.Hour)
		lease := s.leaseOne("worker@w1", "r")
		ended := everyFive
		ended.Repeat.End = Start.Add(time.Minute)
		s.arm(ended, queue.ArmedMoved)
		s.succeed(lease)
		s.sameTime("after its end", s.recurringJob().NextRunAt, time.Time{})
		s.arm(everyFive, queue.ArmedMoved)
		if s.recurringJob().NextRunAt.IsZero() {
			t.Errorf("still without a next tick")
		}
	},
	"five schedulers make one job": func(t *testing.T, s *suite) {
		var wait sync.WaitGroup
		for range 5 {
			wait.Go(func() {
				for range 5 {
					if _, err := s.Store.Arm(s.ctx(), everyFive); err != nil {
						t.Errorf("Arm: %v", err)
					}
				}
			})
		}
		wait.Wait()
		s.recurringJob()
	},
	"arming leaves open what it is not asked for": func(t *testing.T, s *suite) {
		full := everyFive
		full.Data, full.Priority = data(s, map[string]any{"dryRun": true}), new(job.PriorityHigh)
		s.arm(full, queue.ArmedCreated)
		same := func(what string, payload string, priority float64) {
			t.Helper()
			got := s.recurringJob()
			if text, err := got.DataJSON(); err != nil || string(text) != payload || got.Priority != priority {
				t.Errorf("%s: data %s, priority %v (%v); want %s, %v", what, text, got.Priority, err, payload, priority)
			}
		}
		s.arm(everyFive, queue.ArmedUnchanged)
		other := everyFive
		other.Name, other.Data = "other", full.Data
		if unarmed, err := s.Store.Unarmed(s.ctx(), everyFive, other); err != nil || len(unarmed) != 1 || unarmed[0].Name != "other" {
			t.Errorf("Unarmed beside one that has data: %+v, %v", unarmed, err)
		}
		changed := everyFive
		changed.Repeat.Interval = "0 9 * * *"
		s.arm(changed, queue.ArmedMoved)
		same("neither is asked for", `{"dryRun":true}`, job.PriorityHigh)
		changed.Priority = new(job.PriorityNormal)
		s.arm(changed, queue.ArmedUpdated)
		same("a priority of 0 is asked for", `{"dryRun":true}`, job.PriorityNormal)
		changed.Data = data(s, bson.D{{Key: "dryRun", Value: false}})
		s.arm(changed, queue.ArmedUpdated)
		same("data are asked for", `{"dryRun":false}`, job.PriorityNormal)
		changed.Data = bson.RawValue{Type: bson.TypeNull}
		s.arm(changed, queue.ArmedUpdated)
		same("no data are asked for", "null", job.PriorityNormal)
		s.arm(changed, queue.ArmedUnchanged)
	},
	"a due tick stays due when the schedule moves": func(t *testing.T, s *suite) {
		s.arm(everyFive, queue.ArmedCreated)
		s.Clock.Advance(firstTick.Sub(Start))
		changed := everyFive
		changed.Repeat.Interval = "0 9 * * *"
		s.arm(changed, queue.ArmedMoved)
		s.arm(everyFive, queue.ArmedMoved) // another release, with another idea
		s.arm(changed, queue.ArmedMoved)
		lease := s.leaseOne("worker@w1", "r")
		s.sameTime("tick", lease.Tick, firstTick)
		s.succeed(lease)
		s.sameTime("next tick", s.recurringJob().NextRunAt, time.Date(2024, 1, 18, 9, 0, 0, 0, time.UTC))
		s.arm(everyFive, queue.ArmedMoved)
		s.sameTime("a tick that is ahead moves", s.recurringJob().NextRunAt, firstTick.Add(5*time.Minute))
	},
	"a retry stays planned when the schedule moves": func(t *testing.T, s *suite) {
		s.arm(everyFive, queue.ArmedCreated)
		s.Clock.Advance(firstTick.Sub(Start))
		again := firstTick.Add(time.Minute)
		if err := s.record(queue.Ending{Lease: s.leaseOne("worker@w1", "r"), Outcome: job.Retrying, Error: "boom", RunAgainAt: again}); err != nil {
			t.Fatal(err)
		}
		changed := everyFive
		changed.Repeat.Interval = "0 9 * * *"
		s.arm(changed, queue.ArmedMoved)
		s.Clock.Advance(time.Minute)
		lease := s.leaseOne("worker@w1", "r")
		s.sameTime("tick", lease.Tick, firstTick)
		if lease.Attempt != 2 {
			t.Errorf("attempt %d, want 2", lease.Attempt)
		}
		s.succeed(lease)
		s.sameTime("next tick", s.recurringJob().NextRunAt, time.Date(2024, 1, 18, 9, 0, 0, 0, time.UTC))
	},
	"a tick that passed while ticks were off does not become due": func(t *testing.T, s *suite) {
		off := everyFive
		off.Enabled = new(false)
		s.arm(off, queue.ArmedCreated)
		s.Clock.Advance(time.Hour)
		on := everyFive
		on.Enabled, on.Repeat.Interval = new(true), "0 9 * * *"
		s.arm(on, queue.ArmedEnabled)
		s.sameTime("next tick", s.recurringJob().NextRunAt, time.Date(2024, 1, 18, 9, 0, 0, 0, time.UTC))
	},
	"a moved distance counts on from the last run, within its bounds": func(t *testing.T, s *suite) {
		hourly := everyFive
		hourly.Repeat.Interval = "1 hour"
		s.arm(hourly, queue.ArmedCreated)
		s.succeed(s.leaseOne("worker@w1", "r"))
		s.Clock.Advance(time.Minute)
		hourly.Repeat.Interval = "2 hours"
		s.arm(hourly, queue.ArmedMoved)
		s.sameTime("next tick", s.recurringJob().NextRunAt, Start.Add(2*time.Hour))
		hourly.Repeat.End = Start.Add(time.Hour)
		s.arm(hourly, queue.ArmedMoved)
		s.sameTime("after its end", s.recurringJob().NextRunAt, time.Time{})
	},
	"a run plans the next tick and keeps the lock": func(t *testing.T, s *suite) {
		s.arm(everyFive, queue.ArmedCreated)
		s.Clock.Advance(firstTick.Sub(Start))
		lease := s.leaseOne("worker@w1", "r")
		s.sameTime("tick", lease.Tick, firstTick)
		s.sameTime("next tick", s.recurringJob().NextRunAt, firstTick.Add(5*time.Minute))
		s.succeed(lease)
		s.state(lease.Job.ID, job.Repeating)
		if leases := s.lease(want("worker@w1", 1, "r")); len(leases) != 0 {
			t.Errorf("the same tick was leased twice")
		}
	},
	"a recurring job is not leased again while it runs, though its next tick is due": func(t *testing.T, s *suite) {
		s.arm(everyFive, queue.ArmedCreated)
		s.Clock.Advance(firstTick.Sub(Start))
		lease := s.leaseOne("worker@w1", "r")
		s.Clock.Advance(6 * time.Minute)
		if leases := s.lease(want("worker@w2", 1, "r")); len(leases) != 0 {
			t.Error("the job was leased a second time")
		}
		s.succeed(lease)
	},
	"missed ticks: once": func(t *testing.T, s *suite) {
		s.arm(everyFive, queue.ArmedCreated)
		s.Clock.Advance(3 * time.Hour)
		lease := s.leaseOne("worker@w1", "r")
		s.sameTime("tick", lease.Tick, firstTick)
		s.succeed(lease)
		s.sameTime("next tick", s.recurringJob().NextRunAt, time.Date(2024, 1, 17, 13, 25, 0, 0, time.UTC))
	},
	"missed ticks: skip": func(t *testing.T, s *suite) {
		s.arm(everyFive, queue.ArmedCreated)
		s.Clock.Advance(3 * time.Hour)
		request := want("worker@w1", 1, "r")
		request.Names["r"] = queue.NameRequest{Free: 1, Missed: job.MissedSkip}
		if leases := s.lease(request); len(leases) != 0 {
			t.Fatalf("a missed tick was run")
		}
		got := s.recurringJob()
		s.sameTime("next tick", got.NextRunAt, time.Date(2024, 1, 17, 13, 25, 0, 0, time.UTC))
		if runs := s.runs(got.ID); len(runs) != 1 || runs[0].Outcome != job.Skipped {
			t.Errorf("runs: %+v; want one skipped", runs)
		}
	},
	"missed ticks: all": func(t *testing.T, s *suite) {
		s.arm(everyFive, queue.ArmedCreated)
		s.Clock.Advance(firstTick.Sub(Start) + 11*time.Minute)
		request := want("worker@w1", 1, "r")
		request.Names["r"] = queue.NameRequest{Free: 1, Missed: job.MissedAll}
		for i := range 3 {
			leases := s.lease(request)
			if len(leases) != 1 {
				t.Fatalf("tick %d was not run", i)
			}
			s.sameTime("tick", leases[0].Tick, firstTick.Add(time.Duration(i)*5*time.Minute))
			s.succeed(leases[0])
		}
		if leases := s.lease(request); len(leases) != 0 {
			t.Errorf("a fourth tick was run")
		}
	},
	"overlap: ticks that pass during a run are dropped": func(t *testing.T, s *suite) {
		s.arm(everyFive, queue.ArmedCreated)
		s.Clock.Advance(firstTick.Sub(Start))
		lease := s.leaseOne("worker@w1", "r")
		s.Clock.Advance(12 * time.Minute)
		s.succeed(lease)
		s.sameTime("next tick", s.recurringJob().NextRunAt, firstTick.Add(15*time.Minute))
	},
	"overlap: allowed, each tick is a job of its own": func(t *testing.T, s *suite) {
		s.arm(everyFive, queue.ArmedCreated)
		request := want("worker@w1", 5, "r")
		request.Names["r"] = queue.NameRequest{Free: 5, Overlap: job.OverlapAllow}
		var running []*queue.Lease
		s.Clock.Advance(firstTick.Sub(Start))
		for range 2 {
			for range 2 { // the first look makes the tick's job, the next one leases it
				running = append(running, s.lease(request)...)
			}
			s.Clock.Advance(5 * time.Minute)
		}
		if len(running) != 2 || running[0].Job.ID == running[1].Job.ID {
			t.Fatalf("%d runs side by side, want 2 of different jobs", len(running))
		}
		s.sameTime("first", running[0].Tick, firstTick)
		s.sameTime("second", running[1].Tick, firstTick.Add(5*time.Minute))
	},
	"a crashed recurring run is repeated for the same tick": func(t *testing.T, s *suite) {
		s.arm(everyFive, queue.ArmedCreated)
		s.Clock.Advance(firstTick.Sub(Start))
		lost := s.leaseOne("worker@dead", "r")
		if err := s.Store.Open(s.ctx(), []*queue.Lease{lost}); err != nil {
			t.Fatal(err)
		}
		if _, err := s.rescue("worker@dead"); err != nil {
			t.Fatal(err)
		}
		s.Clock.Advance(time.Second)
		again := s.leaseOne("worker@w2", "r")
		s.sameTime("tick", again.Tick, firstTick)
		if again.Attempt != 2 {
			t.Errorf("attempt %d, want 2", again.Attempt)
		}
		s.succeed(again)
		s.sameTime("next tick", s.recurringJob().NextRunAt, firstTick.Add(5*time.Minute))
	},
}
