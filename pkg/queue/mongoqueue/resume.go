package mongoqueue

import (
	"context"

	"go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/etrainer/backend/pkg/job"
	"github.com/etrainer/backend/pkg/queue"
)

// resumeOf tells the run that follows an ending what it continues. It is
// written together with nextRunAt = at.
func resumeOf(ending queue.Ending) job.Resume {
	lease := ending.Lease
	r := job.Resume{
		At: ending.RunAgainAt, Tick: lease.Tick, Attempt: lease.Attempt, Failures: lease.Failures, Lost: lease.Lost,
	}
	switch ending.Outcome {
	case job.Retrying:
		r.Failures++
	case job.Released:
		r.At = lease.Due
		if ending.Unstarted {
			r.Attempt--
		}
	}
	return r
}

// brokenOff is a lease that repeats a run whose lock expired, and the job as
// that run left it.
type brokenOff struct {
	lease  *queue.Lease
	before *job.Document
}

// loseBrokenOff writes into the history what became of those runs.
func (s *Store) loseBrokenOff(ctx context.Context, repeated []brokenOff) {
	var models []mongo.WriteModel
	for _, r := range repeated {
		if r.before.LeaseHolder == "" || !r.before.Interrupted() || r.lease.Attempt < 2 {
			continue
		}
		run := s.runOf(r.lease)
		run.Attempt--
		run.ID = runID(run.JobID, run.Tick, run.Attempt)
		run.Failures = max(run.Failures-1, 0)
		run.Worker, run.StartedAt, run.FinishedAt = r.before.LeaseHolder, r.before.LastRunAt, &r.lease.StartedAt
		models = append(models, lostRun(run, job.Lost))
	}
	if err := s.writeRuns(ctx, models); err != nil {
		s.warn(ctx, "lost runs not recorded", err)
	}
}
