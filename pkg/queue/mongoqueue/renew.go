package mongoqueue

import (
	"context"
	"fmt"
	"slices"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/etrainer/backend/pkg/job"
	"github.com/etrainer/backend/pkg/queue"
)

// Renew implements queue.Consumer with one update for all leases. Only when
// some did not match does it look for which, and tries to take those back.
func (s *Store) Renew(ctx context.Context, leases []*queue.Lease) ([]*queue.Lease, error) {
	if len(leases) == 0 {
		return nil, nil
	}
	stamp := s.stamp()
	result, err := s.jobs.UpdateMany(ctx, held(leases), set(bson.D{{Key: "lockedAt", Value: job.Date(stamp)}}))
	if err != nil {
		return nil, fmt.Errorf("renew %d leases: %w", len(leases), err)
	}
	missing := []*queue.Lease(nil)
	if int(result.MatchedCount) < len(leases) {
		if missing, err = s.without(ctx, leases, stamp); err != nil {
			return nil, fmt.Errorf("look for lost leases: %w", err)
		}
	}
	for _, lease := range leases {
		if !slices.Contains(missing, lease) {
			lease.Stamp = stamp
		}
	}
	return s.takeBackAll(ctx, missing)
}

// held matches the jobs of leases that are still ours. All leases of one call
// have one holder.
func held(leases []*queue.Lease) bson.D {
	stamps := []bson.DateTime{}
	for _, lease := range leases {
		if stamp := bson.NewDateTimeFromTime(lease.Stamp); !slices.Contains(stamps, stamp) {
			stamps = append(stamps, stamp)
		}
	}
	return bson.D{
		{Key: "lockedAt", Value: in(stamps)},
		{Key: "lastModifiedBy", Value: textOrNull(leases[0].Holder)},
		among(jobIDs(leases)),
	}
}

// without returns the leases whose job does not carry the stamp.
func (s *Store) without(ctx context.Context, leases []*queue.Lease, stamp any) ([]*queue.Lease, error) {
	cursor, err := s.jobs.Find(ctx, bson.D{
		{Key: "lockedAt", Value: stamp},
		{Key: "lastModifiedBy", Value: textOrNull(leases[0].Holder)},
		among(jobIDs(leases)),
	}, inOneAnswer(len(leases)).SetProjection(bson.D{{Key: "_id", Value: 1}}))
	if err != nil {
		return nil, err
	}
	var kept []struct {
		ID bson.ObjectID `bson:"_id"`
	}
	if err := cursor.All(ctx, &kept); err != nil {
		return nil, err
	}
	carries := map[bson.ObjectID]bool{}
	for _, k := range kept {
		carries[k.ID] = true
	}
	var missing []*queue.Lease
	for _, lease := range leases {
		if !carries[lease.Job.ID] {
			missing = append(missing, lease)
		}
	}
	return missing, nil
}

func (s *Store) takeBackAll(ctx context.Context, missing []*queue.Lease) (lost []*queue.Lease, err error) {
	for _, lease := range missing {
		back, err := s.takeBack(ctx, lease)
		if err != nil {
			return lost, err
		}
		if !back {
			lost = append(lost, lease)
		}
	}
	return lost, nil
}

// takeBack regains a lease whose fence a Node process tore while the job ran.
// Agenda 6.2.6 clears the lock with every every() and every save of a loaded
// job; older versions, and our own upsert of a unique job, only put another
// name into lastModifiedBy. It succeeds only while nobody else has had the
// job since: no other run has started or ended, and either the lock is the
// one that we wrote, or there is none and the job is not due. (Rescue makes a
// job due when it takes it from a dead holder, so a holder that comes back
// cannot regain it.)
func (s *Store) takeBack(ctx context.Context, lease *queue.Lease) (bool, error) {
	stamp := s.stamp()
	cleared := func(nextRunAt any) bson.D { return bson.D{unlocked, {Key: "nextRunAt", Value: nextRunAt}} }
	result, err := s.jobs.UpdateOne(ctx, bson.D{
		{Key: "_id", Value: lease.Job.ID},
		{Key: "lastRunAt", Value: bson.D{{Key: "$in", Value: bson.A{nil, job.Date(lease.StartedAt)}}}},
		{Key: "lastFinishedAt", Value: bson.D{{Key: "$not", Value: bson.D{{Key: "$gte", Value: job.Date(lease.StartedAt)}}}}},
		{Key: "$or", Value: bson.A{
			cleared(nil), cleared(after(stamp)),
			bson.D{{Key: "lockedAt", Value: job.Date(lease.Stamp)}, {Key: "lastModifiedBy", Value: notAWorker}},
		}},
	}, set(bson.D{
		{Key: "lockedAt", Value: job.Date(stamp)},
		{Key: "lastModifiedBy", Value: textOrNull(lease.Holder)},
		{Key: "lastRunAt", Value: job.Date(lease.StartedAt)},
	}))
	if err != nil {
		return false, fmt.Errorf("take back the lease of %s: %w", lease.Job.ID.Hex(), err)
	}
	if result.MatchedCount == 0 {
		return false, nil
	}
	lease.Stamp = stamp
	return true, nil
}

// notAWorker matches any lastModifiedBy but that of another worker of ours.
var notAWorker = bson.D{{Key: "$not", Value: bson.Regex{Pattern: "^" + queue.HolderPrefix}}}

// CancelRequested implements queue.Consumer.
func (s *Store) CancelRequested(ctx context.Context, leases []*queue.Lease) ([]*queue.Lease, error) {
	byID := make(map[bson.ObjectID]*queue.Lease, len(leases))
	ids := make([]bson.ObjectID, len(leases))
	for i, lease := range leases {
		byID[lease.Job.ID], ids[i] = lease, lease.Job.ID
	}
	if len(ids) == 0 {
		return nil, nil
	}
	cursor, err := s.jobs.Find(ctx, bson.D{{Key: "_id", Value: in(ids)}, {Key: "cancelledAt", Value: anyDate}},
		options.Find().SetProjection(bson.D{{Key: "_id", Value: 1}}))
	if err != nil {
		return nil, fmt.Errorf("look for cancel requests: %w", err)
	}
	var found []struct {
		ID bson.ObjectID `bson:"_id"`
	}
	if err := cursor.All(ctx, &found); err != nil {
		return nil, fmt.Errorf("look for cancel requests: %w", err)
	}
	cancelled := make([]*queue.Lease, len(found))
	for i, f := range found {
		cancelled[i] = byID[f.ID]
	}
	return cancelled, nil
}
