package mongoqueue

import (
	"context"
	"fmt"
	"slices"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/etrainer/backend/pkg/job"
	"github.com/etrainer/backend/pkg/mongodb"
	"github.com/etrainer/backend/pkg/queue"
)

// rescueBatch is how many leases one command of Rescue releases.
const rescueBatch = 500

// Rescue implements queue.Consumer. Every job that the instance held is made
// due, so that the run it broke off takes place again at once, as the next
// attempt of its tick. Each release names the lock that was read, so a lease
// that is renewed meanwhile stays.
func (s *Store) Rescue(ctx context.Context, request queue.RescueRequest) (queue.Rescued, error) {
	var rescued queue.Rescued
	held, err := s.heldOf(ctx, request)
	if err != nil {
		return rescued, fmt.Errorf("find the leases of %s: %w", request.Instance, err)
	}
	now := s.Now()
	var releases []release
	for _, d := range held {
		if !request.Renewed.IsZero() && d.LockedAt.After(request.Renewed) {
			rescued.Spare++
			continue
		}
		at := now
		if !d.CancelledAt.IsZero() {
			at = s.stamp() // the end that is written is told from every end that this process records
		}
		releases = append(releases, releaseOf(d, request, at))
	}
	for part := range slices.Chunk(releases, rescueBatch) {
		due, err := s.release(ctx, part)
		rescued.Due += due
		if err != nil {
			return rescued, fmt.Errorf("release the leases of %s: %w", request.Instance, err)
		}
	}
	s.loseRuns(ctx, request, releases, rescued.Spare == 0)
	if rescued.Spare > 0 {
		return rescued, nil // it lives: its places stand
	}
	return rescued, wrap(s.freeSlotsOf(ctx, request.Instance, request.Keep), "free the places of "+request.Instance)
}

// heldOf reads what an instance holds, in the fields that its release needs.
// A job of an older release names its holder in lastModifiedBy alone.
func (s *Store) heldOf(ctx context.Context, request queue.RescueRequest) ([]*job.Document, error) {
	filter := bson.D{
		{Key: "lockedAt", Value: anyDate},
		{Key: "$or", Value: bson.A{
			bson.D{{Key: "leaseHolder", Value: request.Instance}},
			bson.D{{Key: "leaseHolder", Value: nil}, {Key: "lastModifiedBy", Value: request.Instance}},
		}},
	}
	if len(request.Keep) > 0 {
		filter = append(filter, bson.E{Key: "_id", Value: notIn(jobIDs(request.Keep))})
	}
	cursor, err := s.jobs.Find(ctx, filter, options.Find().SetProjection(candidateFields).SetBatchSize(rescueBatch))
	if err != nil {
		return nil, err
	}
	defer func() { _ = cursor.Close(ctx) }()
	var held []*job.Document
	for cursor.Next(ctx) {
		document := &job.Document{}
		if problem := readCandidate(cursor.Current, document); problem != "" {
			s.leaveOut(ctx, cursor.Current, problem) // it cannot have been leased by us
			continue
		}
		held = append(held, document)
	}
	return held, cursor.Err()
}

// release is what Rescue does to one job.
type release struct {
	job    *job.Document
	change bson.D
	due    bool
	lost   *job.Run // the run that was broken off; nil = none had begun
}

// releaseOf decides it from the document alone. now is the server's time.
func releaseOf(d *job.Document, request queue.RescueRequest, now time.Time) release {
	fields := bson.D{{Key: "lockedAt", Value: nil}}
	unset := leaseFields(false)
	r := release{job: d, due: true}
	unknown := request.Own && !slices.ContainsFunc(request.Lost, func(lease *queue.Lease) bool {
		return lease.Job.ID == d.ID && lease.Wrote(d.LockedAt)
	})
	began := !unknown && d.Interrupted() && (!d.LeaseDue.IsZero() || d.LeaseHolder == "")
	broken := brokenRun(d)
	if began {
		r.lost = &job.Run{
			ID: runID(d.ID, broken.Tick, broken.Attempt), JobID: d.ID, Name: d.Name, Tick: broken.Tick, Attempt: broken.Attempt,
			Failures: broken.Failures, Worker: request.Instance, StartedAt: d.LastRunAt, FinishedAt: &now,
		}
	}
	switch {
	case !d.CancelledAt.IsZero() && d.Recurring(): // only this run was cancelled
		unset = append(unset, bson.E{Key: "cancelledAt", Value: ""}, bson.E{Key: "resume", Value: ""})
		r.due = !d.NextRunAt.After(now)
	case !d.CancelledAt.IsZero():
		fields = append(fields, bson.E{Key: "lastFinishedAt", Value: job.Date(now)})
		unset = append(unset, bson.E{Key: "resume", Value: ""})
		r.due = !d.NextRunAt.IsZero() && !d.NextRunAt.After(now)
		r.change = append(update(fields, unset), nullUnlessPlanned)
		return r
	case !d.Recurring() && !d.NextRunAt.IsZero():
		// Somebody planned the job anew during the run: that plan stands.
		unset = leaseFields(true)
	case broken.Attempt > 0:
		broken.At = earlier(broken.At, now)
		switch {
		case unknown:
			broken.Attempt--
		case began:
			charge(&broken.Failures, &broken.Lost, broken.Ahead)
			broken.Ahead = false
		default:
			broken.Ahead = true
		}
		fields = append(fields, bson.E{Key: "nextRunAt", Value: job.Date(broken.At)}, bson.E{Key: "resume", Value: broken.Fields()})
	}
	r.change = update(fields, unset)
	return r
}

// brokenRun describes the run that a held job was leased for, as its start saw
// it; attempt 0 = the claim of a recurring job had not become a start.
func brokenRun(d *job.Document) job.Resume {
	due := d.LeaseDue
	switch {
	case due.IsZero() && d.LeaseHolder != "":
		return job.Resume{}
	case due.IsZero() && d.Interrupted(): // by an older release
		due = d.LastRunAt
	case due.IsZero():
		return job.Resume{}
	}
	run := job.Resume{At: due, Tick: due, Attempt: 1}
	if r := d.Resume; r != nil && r.At.Equal(due) {
		run.Tick, run.Attempt, run.Failures, run.Lost, run.Ahead = r.Tick, r.Attempt+1, r.Failures, r.Lost, r.Ahead
	}
	return run
}

// charge counts a run that its worker did not survive. Where another worker died
// before while it had leased this job ahead, that was a run as well: nobody wrote
// down whether it had begun, and now this job is what both have in common.
func charge(failures, lost *int, ahead bool) {
	runs := 1
	if ahead {
		runs = 2
	}
	*failures += runs
	*lost += runs
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// release gives jobs back, and returns how many are due now. What did not
// match was renewed, recorded or planned anew meanwhile.
func (s *Store) release(ctx context.Context, part []release) (due int, err error) {
	models := make([]mongo.WriteModel, len(part))
	for i, r := range part {
		models[i] = mongo.NewUpdateOneModel().SetUpdate(r.change).SetFilter(bson.D{
			{Key: "_id", Value: r.job.ID},
			{Key: "lockedAt", Value: job.Date(r.job.LockedAt)},
			{Key: "leaseHolder", Value: textOrNull(r.job.LeaseHolder)},
			{Key: "nextRunAt", Value: job.Date(r.job.NextRunAt)},
		})
		if r.due {
			due++
		}
	}
	result, err := s.jobs.BulkWrite(ctx, models, options.BulkWrite().SetOrdered(false))
	for i, failure := range refusedStatements(err) {
		s.refuseJob(ctx, part[i].job.ID, part[i].job.Name, "release this job", failure)
		err = nil
	}
	if err != nil {
		return 0, err
	}
	return min(due, int(result.MatchedCount)), nil
}

// loseRuns writes into the history what became of the runs. Nothing waits for
// that: a history that cannot be written holds back no job.
func (s *Store) loseRuns(ctx context.Context, request queue.RescueRequest, releases []release, all bool) {
	now := s.Now()
	var models []mongo.WriteModel
	for _, r := range releases {
		if r.lost == nil {
			continue
		}
		expires := now.Add(s.options.RunRetention)
		r.lost.ExpiresAt = &expires
		outcome := job.Lost
		if !r.job.CancelledAt.IsZero() {
			outcome = job.Cancelled
		}
		models = append(models, lostRun(r.lost, outcome))
	}
	err := s.writeRuns(ctx, models)
	if err == nil && all {
		err = s.closeRuns(ctx, request.Instance, request.Keep, now)
	}
	if err != nil {
		s.warn(ctx, "lost runs not recorded", err)
	}
}

// lostRun marks the record of a run as lost, and makes one if there is none.
// The holder and whoever rescued the job may both come to that conclusion.
func lostRun(run *job.Run, outcome job.Outcome) mongo.WriteModel {
	return mongo.NewUpdateOneModel().SetUpsert(true).
		SetFilter(bson.D{{Key: "_id", Value: run.ID}}).
		SetUpdate(bson.D{
			{Key: "$set", Value: bson.D{
				{Key: "outcome", Value: outcome}, {Key: "finishedAt", Value: job.Date(*run.FinishedAt)}, {Key: "error", Value: lostReason},
			}},
			{Key: "$setOnInsert", Value: bson.D{
				{Key: "jobId", Value: run.JobID},
				{Key: "startedAt", Value: job.Date(run.StartedAt)},
				{Key: "worker", Value: run.Worker},
				{Key: "name", Value: run.Name},
				{Key: "tick", Value: job.Date(run.Tick)},
				{Key: "attempt", Value: run.Attempt},
				{Key: "failures", Value: run.Failures},
				{Key: "expiresAt", Value: job.Date(*run.ExpiresAt)},
			}},
		})
}

const lostReason = "the worker stopped answering; its lease was released"

// closeRuns ends the open records of the instance whose job it had finished:
// it died between recording the outcome and recording the history.
func (s *Store) closeRuns(ctx context.Context, instance string, keep []*queue.Lease, now time.Time) error {
	open := bson.D{{Key: "worker", Value: instance}, {Key: "outcome", Value: job.Open}}
	if len(keep) > 0 {
		open = append(open, bson.E{Key: "jobId", Value: notIn(jobIDs(keep))})
	}
	_, err := s.runs.UpdateMany(ctx, open,
		set(bson.D{{Key: "outcome", Value: job.Lost}, {Key: "finishedAt", Value: job.Date(now)}, {Key: "error", Value: lostReason}}))
	if mongodb.IsUnavailable(err) || err == nil {
		return err
	}
	return fmt.Errorf("close the runs of %s: %w", instance, err)
}

func jobIDs(leases []*queue.Lease) []bson.ObjectID {
	ids := make([]bson.ObjectID, len(leases))
	for i, lease := range leases {
		ids[i] = lease.Job.ID
	}
	return ids
}
