package promises

import (
	"syscall"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/etrainer/backend/pkg/job"
)

// A worker that lost its lease cannot record a result: it is paused past its
// heartbeat, a peer does its work, and it comes back with a result in hand, and
// nobody tells it.
func TestAWorkerThatLostItsLeaseRecordsNothing(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	ids := s.enqueue(2, stepPayload{WaitMS: 1})
	sleeper := s.spawn("sleeper")
	sleeper.signal(syscall.SIGSTOP)

	peer := s.spawn("worker")
	s.eventually("a peer has finished the jobs", func() bool { return s.unfinished() == 0 })
	peer.stop() // what it has to write into the history is there
	finished := map[bson.ObjectID]*job.Document{}
	for _, id := range ids {
		finished[id] = s.get(id)
	}

	sleeper.signal(syscall.SIGCONT)
	sleeper.order()
	const tries = 4 // a record alone, two together, a renewal
	s.eventually("the sleeper has tried everything", func() bool { return s.count(answersOf, bson.D{}) >= tries })
	for _, each := range all[answer](s, answersOf) {
		if !each.Lost {
			t.Errorf("%s: %s; want it refused, since the lease was lost", each.Tried, each.Said)
		}
	}
	for id, runs := range s.runs() {
		after, before := s.get(id), finished[id]
		if !after.LastFinishedAt.Equal(before.LastFinishedAt) || after.LastModifiedBy != before.LastModifiedBy || !after.LockedAt.IsZero() || after.Progress != nil {
			t.Errorf("the job changed after its lease was lost: %+v, before %+v", after, before)
		}
		s.checkRuns(runs, before.LastModifiedBy)
	}
}

// checkRuns checks that of two runs the winner's succeeded, and that the other
// one left nothing.
func (s *stage) checkRuns(runs []job.Run, winner string) {
	s.t.Helper()
	if len(runs) != 2 {
		s.t.Fatalf("%d runs, want the lost one and the peer's: %+v", len(runs), runs)
	}
	for _, run := range runs {
		want := job.Lost
		if run.Worker == winner {
			want = job.Succeeded
		}
		if run.Outcome != want || want == job.Lost && run.Result.Type != 0 {
			s.t.Errorf("run of %s is %s with result %s, want %s", run.Worker, run.Outcome, run.Result, want)
		}
	}
}

// A real worker that comes back is told that it lost its lease. Its handler
// ends as it likes, the worker records nothing of it, and goes on with others.
func TestAPausedWorkerGoesOnWithoutWhatItLost(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	paused := s.spawn("worker")
	id := s.enqueue(1, stepPayload{WaitMS: 3000})[0]
	s.eventually("the job runs", func() bool { return len(s.effects()[id]) == 1 })
	paused.signal(syscall.SIGSTOP)

	peer := s.spawn("worker")
	s.eventually("a peer has finished the job", func() bool { return s.get(id).State(s.store.Now()) == job.Completed })
	peer.stop()
	finished := s.get(id)

	paused.signal(syscall.SIGCONT)
	// It records in order: when it has done another job, it has tried to
	// record the first one.
	other := s.enqueue(1, stepPayload{})[0]
	s.eventually("the worker goes on", func() bool { return s.get(other).State(s.store.Now()) == job.Completed })
	ends := 0
	for _, e := range s.effects()[id] {
		if e.Phase == ended {
			ends++
		}
	}
	if ends != 2 {
		t.Fatalf("the handler ended %d times; the test needs the paused worker to end it as well", ends)
	}
	if after := s.get(id); !after.LastFinishedAt.Equal(finished.LastFinishedAt) || after.LastModifiedBy != finished.LastModifiedBy {
		t.Errorf("the job changed after its lease was lost: %+v, before %+v", after, finished)
	}
	s.checkRuns(s.runs()[id], finished.LastModifiedBy)
}
