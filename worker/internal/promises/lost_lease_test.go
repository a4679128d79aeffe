package promises

import (
	"syscall"
	"testing"

	"github.com/etrainer/backend/pkg/job"
)

// A worker that lost its lease cannot record a result: it is paused past its
// heartbeat, a peer does its work, and it comes back with a result in hand.
func TestAWorkerThatLostItsLeaseRecordsNothing(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	sleeper := s.spawn("worker")
	id := s.enqueue(1, stepPayload{WaitMS: 3000})[0]
	s.eventually("the job runs", func() bool { return len(s.effects()[id]) == 1 })
	sleeper.signal(syscall.SIGSTOP)

	peer := s.spawn("worker")
	s.eventually("a peer has finished the job", func() bool {
		d, err := s.store.Get(t.Context(), id)
		return err == nil && d.State(s.store.Now()) == job.Completed
	})
	peerRun := s.runs()[id]
	finished, err := s.store.Get(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	peer.stop()

	sleeper.signal(syscall.SIGCONT)
	// It records in order: when it has done another job, it has tried to
	// record the first one.
	other := s.enqueue(1, stepPayload{})[0]
	s.eventually("the sleeper goes on", func() bool {
		d, err := s.store.Get(t.Context(), other)
		return err == nil && d.State(s.store.Now()) == job.Completed
	})
	ends := 0
	for _, e := range s.effects()[id] {
		if e.Phase == ended {
			ends++
		}
	}
	if ends != 2 {
		t.Fatalf("the handler ended %d times; the test needs the sleeper to end it as well", ends)
	}

	after, err := s.store.Get(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	if !after.LastFinishedAt.Equal(finished.LastFinishedAt) || after.LastModifiedBy != finished.LastModifiedBy {
		t.Errorf("the job changed after its lease was lost: %+v, before %+v", after, finished)
	}
	runs := s.runs()[id]
	if len(runs) != 2 || len(runs) != len(peerRun) {
		t.Fatalf("%d runs, want the lost one and the peer's: %+v", len(runs), runs)
	}
	for _, run := range runs {
		want := job.Lost
		if run.Worker == finished.LastModifiedBy {
			want = job.Succeeded
		}
		if run.Outcome != want || want == job.Lost && run.Result.Type != 0 {
			t.Errorf("run of %s is %s with result %s, want %s", run.Worker, run.Outcome, run.Result, want)
		}
	}
}
