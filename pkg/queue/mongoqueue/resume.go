package mongoqueue

import (
	"context"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

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

// ofOlderRelease reports that the last run of a job was one of an older
// release, which told what the next run continues in the history alone.
func ofOlderRelease(d *job.Document) bool {
	return d.Resume == nil && d.LeaseHolder == "" && strings.HasPrefix(d.LastModifiedBy, queue.HolderPrefix) &&
		(d.Interrupted() || d.FailedLast())
}

// resumeFromHistory continues the runs of an older release, so that both can
// work beside each other. Without the history the run counts as the first.
func (s *Store) resumeFromHistory(ctx context.Context, leases []*queue.Lease) {
	if len(leases) == 0 {
		return
	}
	byJob := map[bson.ObjectID]*queue.Lease{}
	ids := make([]bson.ObjectID, len(leases))
	started := make([]bson.DateTime, len(leases))
	for i, lease := range leases {
		byJob[lease.Job.ID] = lease
		ids[i], started[i] = lease.Job.ID, bson.NewDateTimeFromTime(lease.Previous)
	}
	cursor, err := s.runs.Find(ctx, bson.D{{Key: "jobId", Value: in(ids)}, {Key: "startedAt", Value: in(started)}},
		options.Find().SetProjection(bson.D{{Key: "logs", Value: 0}, {Key: "result", Value: 0}, {Key: "stack", Value: 0}}))
	if err != nil {
		s.warn(ctx, "earlier runs not read; the attempts begin anew", err)
		return
	}
	defer func() { _ = cursor.Close(ctx) }()
	for cursor.Next(ctx) {
		var run job.Run
		if cursor.Decode(&run) != nil {
			continue // a damaged record continues nothing
		}
		lease := byJob[run.JobID]
		if lease == nil || !run.StartedAt.Equal(lease.Previous) || !run.Outcome.Unfinished() {
			continue
		}
		lease.Tick, lease.Attempt, lease.Failures = run.Tick.UTC(), run.Attempt+1, run.Failures
		switch run.Outcome {
		case job.Open, job.Lost, job.Retrying:
			lease.Failures++
		}
		lease.RunID = runID(lease.Job.ID, lease.Tick, lease.Attempt)
	}
	if err := cursor.Err(); err != nil {
		s.warn(ctx, "earlier runs not read; the attempts begin anew", err)
	}
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
