package mongoqueue

import (
	"context"
	"fmt"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/etrainer/backend/pkg/job"
	"github.com/etrainer/backend/pkg/queue"
)

// Rescue implements queue.Consumer. Every job that the dead instance held is
// made due, so that the run it broke off takes place again at once; nextRunAt
// in the past is also what keeps a holder that only slept from taking its
// lease back. The broken-off runs are recorded as lost.
func (s *Store) Rescue(ctx context.Context, request queue.RescueRequest) (queue.Rescued, error) {
	due, err := s.rescue(ctx, request.Instance, request.Keep)
	return queue.Rescued{Due: due}, err
}

func (s *Store) rescue(ctx context.Context, instance string, keep []*queue.Lease) (int, error) {
	now := s.Now()
	heldBy := bson.D{{Key: "lastModifiedBy", Value: instance}, {Key: "lockedAt", Value: anyDate}}
	if len(keep) > 0 {
		heldBy = append(heldBy, bson.E{Key: "_id", Value: notIn(jobIDs(keep))})
	}
	cursor, err := s.jobs.Find(ctx, heldBy)
	if err != nil {
		return 0, fmt.Errorf("find the leases of %s: %w", instance, err)
	}
	var documents []*job.Document
	if err := cursor.All(ctx, &documents); err != nil {
		return 0, fmt.Errorf("read the leases of %s: %w", instance, err)
	}
	if len(documents) > 0 {
		if err := s.loseRuns(ctx, instance, documents, now); err != nil {
			return 0, fmt.Errorf("record the lost runs of %s: %w", instance, err)
		}
		if err := s.release(ctx, heldBy, now); err != nil {
			return 0, fmt.Errorf("release the leases of %s: %w", instance, err)
		}
	}
	if err := s.closeRuns(ctx, instance, keep, now); err != nil {
		return 0, fmt.Errorf("close the runs of %s: %w", instance, err)
	}
	return len(documents), wrap(s.freeSlotsOf(ctx, instance, keep), "free the places of "+instance)
}

// release gives the jobs back: a cancelled one-off for good, what is due
// already as it is, and the rest as due now. The statements run in order, so
// each document is met by exactly one.
func (s *Store) release(ctx context.Context, heldBy bson.D, now time.Time) error {
	free := func(condition bson.D, fields ...bson.E) mongo.WriteModel {
		filter := append(append(bson.D{}, heldBy...), condition...)
		return mongo.NewUpdateManyModel().SetFilter(filter).SetUpdate(set(append(bson.D{{Key: "lockedAt", Value: nil}}, fields...)))
	}
	_, err := s.jobs.BulkWrite(ctx, []mongo.WriteModel{
		free(bson.D{{Key: "cancelledAt", Value: anyDate}, {Key: "repeatInterval", Value: nil}}, bson.E{Key: "nextRunAt", Value: nil}),
		free(bson.D{{Key: "nextRunAt", Value: upTo(now)}}),
		free(nil, bson.E{Key: "nextRunAt", Value: job.Date(now)}),
	}, options.BulkWrite().SetOrdered(true))
	return err
}

// loseRuns leaves a record of each run that was going on: the opened record
// becomes lost, and one that was never opened is made. It comes before the
// release, so that whoever leases the job next finds it.
func (s *Store) loseRuns(ctx context.Context, instance string, documents []*job.Document, now time.Time) error {
	var models []mongo.WriteModel
	for _, d := range documents {
		if !d.Interrupted() {
			continue // leased, but the run had not started
		}
		expires := now.Add(s.options.RunRetention)
		models = append(models, lostRun(&job.Run{
			ID: runID(d.ID, d.LastRunAt, instance), JobID: d.ID, Name: d.Name, Tick: d.LastRunAt, Attempt: 1, Failures: d.FailCount,
			Worker: instance, StartedAt: d.LastRunAt, FinishedAt: &now, ExpiresAt: &expires,
		}))
	}
	return s.writeRuns(ctx, models)
}

// lostRun marks the record of a run as lost, and makes one if there is none.
// The holder and whoever rescued the job may both come to that conclusion.
func lostRun(run *job.Run) mongo.WriteModel {
	return mongo.NewUpdateOneModel().SetUpsert(true).
		SetFilter(bson.D{{Key: "_id", Value: run.ID}}).
		SetUpdate(bson.D{
			{Key: "$set", Value: bson.D{
				{Key: "outcome", Value: job.Lost}, {Key: "finishedAt", Value: job.Date(*run.FinishedAt)}, {Key: "error", Value: lostReason},
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
	return err
}

func jobIDs(leases []*queue.Lease) []bson.ObjectID {
	ids := make([]bson.ObjectID, len(leases))
	for i, lease := range leases {
		ids[i] = lease.Job.ID
	}
	return ids
}
