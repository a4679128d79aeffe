package promises

import (
	"os"
	"strconv"
	"testing"

	"github.com/etrainer/backend/pkg/job"
)

// jobsFromEnv lets a server with indexes be tried with more jobs than the
// embedded engine can take in a minute.
func jobsFromEnv(otherwise int) int {
	if n, err := strconv.Atoi(os.Getenv("PROMISES_JOBS")); err == nil && n > 0 {
		return n
	}
	return otherwise
}

// At most one worker holds a valid lease: the history of many processes that
// fight for the same jobs has no two runs of one job.
func TestTwoWorkersNeverHoldOneLease(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	ids := s.enqueue(jobsFromEnv(1000), stepPayload{WaitMS: 1})
	for range 4 {
		s.spawn("worker")
	}
	s.eventually("all jobs are done", func() bool { return s.unfinished(ids) == 0 })
	s.eventually("all runs are recorded", func() bool { return len(s.runs()) == len(ids) })
	s.checkOnce(ids)
	workers := map[string]int{}
	for id, runs := range s.runs() {
		if len(runs) != 1 || runs[0].Outcome != job.Succeeded {
			t.Errorf("job %s has the runs %+v, want one", id.Hex(), runs)
		}
		workers[runs[0].Worker]++
	}
	for id, effects := range s.effects() {
		if len(effects) != 2 {
			t.Errorf("the handler of job %s left %d traces, want a start and an end", id.Hex(), len(effects))
		}
	}
	if len(workers) < 2 {
		t.Errorf("only %v took part: there was no race", workers)
	}
}
