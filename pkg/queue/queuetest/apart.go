package queuetest

import (
	"errors"
	"testing"
	"time"

	"github.com/etrainer/backend/pkg/job"
	"github.com/etrainer/backend/pkg/queue"
)

// loseTwo leases two jobs together, and loses both to a rescue.
func loseTwo(s *suite, holder string) []*queue.Lease {
	s.t.Helper()
	for range 2 {
		s.enqueue(queue.Request{Name: "a", RunAt: Start.Add(-time.Minute)})
	}
	lost := s.lease(want(holder, 2, "a"))
	if n, err := s.rescue(holder); err != nil || n != 2 || len(lost) != 2 {
		s.t.Fatalf("leased %d and rescued %d, %v; want 2", len(lost), n, err)
	}
	return lost
}

// refuses checks that leases that were lost are neither renewed nor recorded,
// together or alone.
func refuses(s *suite, lost []*queue.Lease) {
	s.t.Helper()
	if gone, err := s.Store.Renew(s.ctx(), lost); err != nil || len(gone) != len(lost) {
		s.t.Errorf("%d of %d leases are lost, %v; want all", len(gone), len(lost), err)
	}
	for _, batch := range [][]*queue.Lease{lost, lost[:1]} {
		endings := make([]queue.Ending, len(batch))
		for i, lease := range batch {
			endings[i] = queue.Ending{Lease: lease, Outcome: job.Dead, Error: "of who lost it"}
		}
		for _, result := range s.recordAll(endings) {
			if !errors.Is(result, queue.ErrLeaseLost) {
				s.t.Errorf("%d lost leases recorded: %v, want ErrLeaseLost", len(batch), result)
			}
		}
	}
}

// succeedAll records a success of each lease, in one batch.
func (s *suite) succeedAll(leases []*queue.Lease) {
	s.t.Helper()
	endings := make([]queue.Ending, len(leases))
	for i, lease := range leases {
		endings[i] = queue.Ending{Lease: lease, Outcome: job.Succeeded}
	}
	for i, result := range s.recordAll(endings) {
		if result != nil {
			s.t.Errorf("lease %d of %d: %v", i+1, len(leases), result)
		}
		s.state(leases[i].Job.ID, job.Completed)
	}
}

// Claims are told apart by everything that may differ: the process, the moment,
// the job.
var apartTests = map[string]func(*testing.T, *suite){
	"two workers that claim in one millisecond are told apart": func(t *testing.T, s *suite) {
		lost := loseTwo(s, "worker@w1")
		batch, err := s.Peer.Lease(s.ctx(), want("worker@w2", 2, "a"))
		if err != nil || len(batch.Leases) != 2 {
			t.Fatalf("the peer leased %d, %v; want 2", len(batch.Leases), err)
		}
		refuses(s, lost)
		if gone, err := s.Peer.Renew(s.ctx(), batch.Leases); err != nil || len(gone) != 0 {
			t.Errorf("the peer lost %d leases, %v", len(gone), err)
		}
		s.succeedAll(batch.Leases)
	},
	"two claims of one worker are told apart, also where whole batches are lost": func(_ *testing.T, s *suite) {
		lost := loseTwo(s, "worker@w1")
		s.Clock.Advance(time.Second)
		valid := s.lease(want("worker@w1", 2, "a"))
		refuses(s, lost)
		s.succeedAll(valid)
	},
	"a lost lease records nothing in the shadow of a neighbour": func(t *testing.T, s *suite) {
		lost, valid, neighbour := twice(s)
		endings := []queue.Ending{{Lease: neighbour, Outcome: job.Succeeded}, {Lease: lost, Outcome: job.Succeeded}}
		if results := s.recordAll(endings); results[0] != nil || !errors.Is(results[1], queue.ErrLeaseLost) {
			t.Errorf("results are %v; want the second lease lost", results)
		}
		s.state(valid.Job.ID, job.Running)
		s.succeed(valid)
	},
	"a renewal in the millisecond of a claim of a peer takes nothing from it": func(t *testing.T, s *suite) {
		for range 2 {
			s.enqueue(queue.Request{Name: "a"})
		}
		leases := s.lease(want("worker@w1", 2, "a"))
		lost, kept := leases[0], leases[1]
		if _, err := s.rescue("worker@w1", kept); err != nil {
			t.Fatal(err)
		}
		s.Clock.Advance(time.Second)
		batch, err := s.Peer.Lease(s.ctx(), want("worker@w2", 1, "a"))
		if err != nil || len(batch.Leases) != 1 {
			t.Fatalf("the peer leased %d, %v", len(batch.Leases), err)
		}
		if gone, err := s.Store.Renew(s.ctx(), leases); err != nil || len(gone) != 1 || gone[0] != lost {
			t.Errorf("%d leases are lost, %v; want the first one", len(gone), err)
		}
		s.succeedAll([]*queue.Lease{kept})
		s.succeedAll(batch.Leases)
	},
	"leases of two processes that are renewed and recorded together stay whose they are": func(t *testing.T, s *suite) {
		var leases []*queue.Lease
		for holder, store := range map[string]queue.Store{"worker@w1": s.Store, "worker@w2": s.Peer} {
			s.enqueue(queue.Request{Name: "a"})
			batch, err := store.Lease(s.ctx(), want(holder, 1, "a"))
			if err != nil || len(batch.Leases) != 1 {
				t.Fatalf("%s leased %d, %v", holder, len(batch.Leases), err)
			}
			leases = append(leases, batch.Leases[0])
		}
		if gone, err := s.Store.Renew(s.ctx(), leases); err != nil || len(gone) != 0 {
			t.Errorf("%d leases are lost, %v; want none", len(gone), err)
		}
		s.succeedAll(leases)
	},
}
