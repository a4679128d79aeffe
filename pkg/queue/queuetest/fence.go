package queuetest

import (
	"errors"
	"testing"
	"time"

	"github.com/etrainer/backend/pkg/job"
	"github.com/etrainer/backend/pkg/queue"
)

// twice leases job X, loses it to a rescue, and leases it again together with
// a neighbour M, all under one holder: a process that was paused knows both
// leases of X.
func twice(s *suite) (lost, valid, neighbour *queue.Lease) {
	s.t.Helper()
	x := s.enqueue(queue.Request{Name: "a", RunAt: Start.Add(-time.Minute)})[0].ID
	lost = s.leaseOne("worker@w1", "a")
	s.Clock.Advance(15 * time.Second)
	if _, err := s.rescue("worker@w1"); err != nil {
		s.t.Fatal(err)
	}
	s.enqueue(queue.Request{Name: "a"})
	s.Clock.Advance(time.Millisecond)
	for _, lease := range s.lease(want("worker@w1", 2, "a")) {
		if lease.Job.ID == x {
			valid = lease
		} else {
			neighbour = lease
		}
	}
	if valid == nil || neighbour == nil {
		s.t.Fatal("not both were leased")
	}
	s.Clock.Advance(time.Second)
	return lost, valid, neighbour
}

var fenceTests = map[string]func(*testing.T, *suite){
	"a lost lease records nothing, whatever is in its batch": func(t *testing.T, s *suite) {
		lost, valid, neighbour := twice(s)
		for _, batch := range [][]*queue.Lease{{lost, neighbour}, {valid, lost}} {
			endings := make([]queue.Ending, len(batch))
			for i, lease := range batch {
				endings[i] = queue.Ending{Lease: lease, Outcome: job.Succeeded, Result: data(s, "of attempt")}
			}
			for i, result := range s.recordAll(endings) {
				if want := batch[i] == lost; errors.Is(result, queue.ErrLeaseLost) != want {
					t.Errorf("attempt %d: %v; lost is %t", batch[i].Attempt, result, want)
				}
			}
		}
		s.state(valid.Job.ID, job.Completed)
		s.state(neighbour.Job.ID, job.Completed)
		runs := s.runs(valid.Job.ID)
		if len(runs) != 2 || runs[0].Outcome != job.Succeeded || runs[0].Attempt != 2 || runs[1].Outcome != job.Lost || runs[1].Result.Type != 0 {
			t.Errorf("runs: %+v; want a success of attempt 2 after a lost attempt 1 without a result", runs)
		}
	},
	"a lost lease is not renewed, whatever is in its batch": func(t *testing.T, s *suite) {
		lost, valid, neighbour := twice(s)
		gone, err := s.Store.Renew(s.ctx(), []*queue.Lease{lost, valid, neighbour})
		if err != nil || len(gone) != 1 || gone[0] != lost {
			t.Fatalf("lost are %v, %v; want the first lease alone", gone, err)
		}
		s.succeed(valid)
		s.succeed(neighbour)
	},
	"a lost lease reports no progress": func(t *testing.T, s *suite) {
		lost, valid, _ := twice(s)
		report := queue.Ending{Lease: lost, Progress: &job.Progress{Percent: 99, At: Start}}
		if err := s.Store.Report(s.ctx(), []queue.Ending{report}); err != nil {
			t.Fatal(err)
		}
		if got := s.get(valid.Job.ID); got.Progress != nil && *got.Progress == 99 {
			t.Error("the job shows the progress of a lease that was lost")
		}
	},
	"a lost lease that was leased ahead does not begin the run of another": func(t *testing.T, s *suite) {
		for range 2 {
			s.enqueue(queue.Request{Name: "a"})
		}
		request := want("worker@w1", 1, "a")
		request.Names["a"] = queue.NameRequest{Free: 2, Ahead: 1}
		leases := s.lease(request)
		if len(leases) != 2 || !leases[1].Ahead {
			t.Fatalf("leased %d, want one at once and one ahead", len(leases))
		}
		lost := leases[1]
		if _, err := s.rescue("worker@w1"); err != nil {
			t.Fatal(err)
		}
		s.Clock.Advance(time.Second)
		s.lease(want("worker@w2", 2, "a"))
		if err := s.Store.Open(s.ctx(), []*queue.Lease{lost}); err != nil {
			t.Fatal(err)
		}
		s.sameTime("lastRunAt", s.get(lost.Job.ID).LastRunAt, Start.Add(time.Second))
	},
	"a run that has ended keeps its end, and one of another worker goes on": func(t *testing.T, s *suite) {
		mine, other := s.enqueue(queue.Request{Name: "a"})[0].ID, s.enqueue(queue.Request{Name: "b"})[0].ID
		lease, neighbour := s.leaseOne("worker@w1", "a"), s.leaseOne("worker@w2", "b")
		if err := s.Store.Open(s.ctx(), []*queue.Lease{lease, neighbour}); err != nil {
			t.Fatal(err)
		}
		s.succeed(lease)
		if _, err := s.rescue("worker@w1"); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Store.RecordRuns(s.ctx(), []queue.Ending{{Lease: lease, Outcome: job.Dead, FinishedAt: s.Clock.Now()}}); err != nil {
			t.Fatal(err)
		}
		if runs := s.runs(mine); len(runs) != 1 || runs[0].Outcome != job.Succeeded {
			t.Errorf("runs: %+v; want the success", runs)
		}
		if runs := s.runs(other); len(runs) != 1 || runs[0].Outcome != job.Open {
			t.Errorf("runs: %+v; want an open one", runs)
		}
	},
	"two leases of one millisecond are two": func(t *testing.T, s *suite) {
		for range 4 {
			s.enqueue(queue.Request{Name: "a"})
		}
		first, second := s.lease(want("worker@w1", 2, "a")), s.lease(want("worker@w1", 2, "a"))
		if len(first) != 2 || len(second) != 2 || first[0].Stamp.Equal(second[0].Stamp) {
			t.Fatalf("stamps are %s and %s", stamp(first[0].Stamp), stamp(second[0].Stamp))
		}
	},
	"a holder that was rescued takes nothing back": func(t *testing.T, s *suite) {
		s.enqueue(queue.Request{Name: "a"})
		lost := s.leaseOne("worker@w1", "a")
		if _, err := s.rescue("worker@w1"); err != nil {
			t.Fatal(err)
		}
		if gone, err := s.Store.Renew(s.ctx(), []*queue.Lease{lost}); err != nil || len(gone) != 1 {
			t.Errorf("renewed a lease that a peer had released (%d lost, %v)", len(gone), err)
		}
	},
	"a holder takes nothing back after a peer has run the job": func(t *testing.T, s *suite) {
		s.enqueue(queue.Request{Name: "a"})
		lost := s.leaseOne("worker@w1", "a")
		if _, err := s.rescue("worker@w1"); err != nil {
			t.Fatal(err)
		}
		s.Clock.Advance(time.Second)
		s.succeed(s.leaseOne("worker@w2", "a"))
		if err := s.record(queue.Ending{Lease: lost, Outcome: job.Dead}); !errors.Is(err, queue.ErrLeaseLost) {
			t.Errorf("recorded after a peer had run the job: %v", err)
		}
		s.state(lost.Job.ID, job.Completed)
	},
}
