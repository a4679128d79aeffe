package promises

import (
	"os"
	"strconv"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/etrainer/backend/pkg/job"
	"github.com/etrainer/backend/pkg/queue/mongoqueue"
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
// fight for the same jobs has no two runs of one job. The jobs come in waves,
// because the embedded engine looks at every document that there is.
func TestTwoWorkersNeverHoldOneLease(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.spawnAll("worker", 4)
	workers := map[string]int{}
	const wave = 100
	for left := jobsFromEnv(1000); left > 0 && !t.Failed(); left -= wave {
		ids := s.enqueue(min(wave, left), stepPayload{WaitMS: 1})
		s.eventually("all jobs are done", func() bool { return s.unfinished() == 0 })
		s.eventually("all runs are recorded", func() bool {
			return s.count(mongoqueue.RunsCollection, bson.D{{Key: "outcome", Value: job.Succeeded}}) >= int64(len(ids))
		})
		s.checkOnce(ids, false)
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
		s.clear(mongoqueue.DefaultCollection, mongoqueue.RunsCollection, "effects")
	}
	if len(workers) < 2 {
		t.Errorf("only %v took part: there was no race", workers)
	}
}
