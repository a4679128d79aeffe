package mongoqueue

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/etrainer/backend/pkg/job"
	"github.com/etrainer/backend/pkg/queue"
)

// Renew implements queue.Consumer with one command for all leases. Only when
// some did not match does it look for which, and tries to take those back.
func (s *Store) Renew(ctx context.Context, leases []*queue.Lease) ([]*queue.Lease, error) {
	var lost []*queue.Lease
	for _, distinct := range oncePerJob(leases) {
		gone, err := s.renew(ctx, distinct)
		lost = append(lost, gone...)
		if err != nil {
			return lost, err
		}
	}
	return lost, nil
}

// oncePerJob splits leases so that no part has two of one job: a process that
// lost a lease and got the job again may still know both, and what is read
// back could not tell them apart.
func oncePerJob(leases []*queue.Lease) [][]*queue.Lease {
	var parts [][]*queue.Lease
	count := make(map[bson.ObjectID]int, len(leases))
	for _, lease := range leases {
		n := count[lease.Job.ID]
		count[lease.Job.ID]++
		if n == len(parts) {
			parts = append(parts, nil)
		}
		parts[n] = append(parts[n], lease)
	}
	return parts
}

func (s *Store) renew(ctx context.Context, leases []*queue.Lease) ([]*queue.Lease, error) {
	if err := s.adoptUnanswered(ctx, leases); err != nil {
		return nil, fmt.Errorf("look whether earlier renewals were stored: %w", err)
	}
	stamp := s.stamp()
	var models []mongo.WriteModel
	for _, group := range byStamp(leases) {
		models = append(models, mongo.NewUpdateManyModel().SetFilter(held(group)).SetUpdate(set(bson.D{{Key: "lockedAt", Value: job.Date(stamp)}})))
	}
	result, err := s.jobs.BulkWrite(ctx, models, options.BulkWrite().SetOrdered(false))
	if err != nil && len(refusedStatements(err)) == 0 {
		unanswered(stamp, leases...)
		return nil, fmt.Errorf("renew %d leases: %w", len(leases), err)
	}
	missing := []*queue.Lease(nil)
	if err != nil || int(result.MatchedCount) < len(leases) {
		if missing, err = s.without(ctx, leases, stamp); err != nil {
			unanswered(stamp, leases...)
			return nil, fmt.Errorf("look for lost leases: %w", err)
		}
	}
	gone := make(map[*queue.Lease]bool, len(missing))
	for _, lease := range missing {
		gone[lease] = true
	}
	for _, lease := range leases {
		if !gone[lease] {
			hold(lease, stamp)
		}
	}
	return s.takeBackAll(ctx, missing)
}

// hold notes what is stored as lockedAt. What was not answered before it cannot be
// stored any more: each such write matches an older lockedAt.
func hold(lease *queue.Lease, stamp time.Time) { lease.Stamp, lease.Unanswered = stamp, nil }

// unanswered notes a lockedAt that may be stored, or not: the answer was lost.
func unanswered(stamp time.Time, leases ...*queue.Lease) {
	for _, lease := range leases {
		lease.Unanswered = append(lease.Unanswered, stamp)
	}
}

// adoptUnanswered looks at the jobs of leases of which a renewal was not answered,
// since one that was stored is the fence of all that follows. It reads before it
// renews again, so that no list grows while the database is away.
func (s *Store) adoptUnanswered(ctx context.Context, leases []*queue.Lease) error {
	byID := map[bson.ObjectID]*queue.Lease{}
	for _, lease := range leases {
		if len(lease.Unanswered) > 0 {
			byID[lease.Job.ID] = lease
		}
	}
	if len(byID) == 0 {
		return nil
	}
	ids := slices.Collect(maps.Keys(byID))
	cursor, err := s.jobs.Find(ctx, bson.D{among(ids)}, inOneAnswer(len(ids)).SetProjection(candidateFields))
	if err != nil {
		return err
	}
	documents, err := documentsOf(ctx, cursor)
	if err != nil {
		return err
	}
	for _, document := range documents {
		adopt(byID[document.ID], document)
	}
	return nil
}

// isStored reports whether the job is held by a lease, and adopts its lockedAt.
func (s *Store) isStored(ctx context.Context, lease *queue.Lease) (bool, error) {
	stored, err := s.asStored(ctx, lease.Job.ID)
	if err != nil || stored == nil {
		return false, err
	}
	return adopt(lease, stored), nil
}

// adopt takes a stored lockedAt for the one of a lease, if the lease wrote it. It
// reports whether the job is held by the lease.
func adopt(lease *queue.Lease, stored *job.Document) bool {
	if stored.LeaseHolder != lease.Holder || !lease.Wrote(stored.LockedAt) {
		return false
	}
	if !lease.Stamp.Equal(stored.LockedAt) {
		hold(lease, stored.LockedAt)
	}
	return true
}

// byStamp groups leases that one statement can match exactly: by their stamp
// and holder, in the order of their first.
func byStamp(leases []*queue.Lease) [][]*queue.Lease {
	type claim struct {
		stamp  int64
		holder string
	}
	at := map[claim]int{}
	var groups [][]*queue.Lease
	for _, lease := range leases {
		key := claim{lease.Stamp.UnixMilli(), lease.Holder}
		i, ok := at[key]
		if !ok {
			i = len(groups)
			at[key] = i
			groups = append(groups, nil)
		}
		groups[i] = append(groups[i], lease)
	}
	return groups
}

// held matches the jobs of leases with one stamp and one holder that are
// still ours. It never is a product of stamps and ids.
func held(leases []*queue.Lease) bson.D {
	if len(leases) == 1 {
		return fence(leases[0])
	}
	return bson.D{
		{Key: "lockedAt", Value: job.Date(leases[0].Stamp)},
		{Key: "leaseHolder", Value: leases[0].Holder},
		among(jobIDs(leases)),
	}
}

// without returns the leases whose job does not carry the stamp.
func (s *Store) without(ctx context.Context, leases []*queue.Lease, stamp time.Time) ([]*queue.Lease, error) {
	cursor, err := s.jobs.Find(ctx, bson.D{{Key: "lockedAt", Value: job.Date(stamp)}, among(jobIDs(leases))},
		inOneAnswer(len(leases)).SetProjection(bson.D{{Key: "leaseHolder", Value: 1}}))
	if err != nil {
		return nil, err
	}
	defer func() { _ = cursor.Close(ctx) }()
	holders := make(map[bson.ObjectID]string, len(leases))
	for cursor.Next(ctx) {
		id, isID := cursor.Current.Lookup("_id").ObjectIDOK()
		if holder, ok := cursor.Current.Lookup("leaseHolder").StringValueOK(); ok && isID {
			holders[id] = holder
		}
	}
	var missing []*queue.Lease
	for _, lease := range leases {
		if holders[lease.Job.ID] != lease.Holder {
			missing = append(missing, lease)
		}
	}
	return missing, cursor.Err()
}

func (s *Store) takeBackAll(ctx context.Context, missing []*queue.Lease) (lost []*queue.Lease, err error) {
	for _, lease := range missing {
		back, err := s.takeBack(ctx, lease)
		if err == nil && !back && len(lease.Unanswered) > 0 { // an earlier renewal came in only now
			back, err = s.isStored(ctx, lease)
		}
		if err != nil {
			return lost, err
		}
		if !back {
			lost = append(lost, lease)
		}
	}
	return lost, nil
}

// takeBack regains a lease whose lock a Node process cleared while the job
// ran: Agenda 6.2.6 does so with every every() and every save of a loaded job.
// It succeeds only while nobody else has had the job since: no other worker of
// ours has claimed or rescued it (the holder is still the one that we wrote,
// for the tick that we took), and no run of Node has started or ended.
func (s *Store) takeBack(ctx context.Context, lease *queue.Lease) (bool, error) {
	stamp := s.stamp()
	started := bson.A{nil, job.Date(lease.StartedAt)}
	if lease.Ahead {
		started = append(started, job.Date(lease.Previous))
	}
	result, err := s.jobs.UpdateOne(ctx, bson.D{
		{Key: "_id", Value: lease.Job.ID},
		unlocked,
		{Key: "leaseHolder", Value: lease.Holder},
		{Key: "leaseDue", Value: job.Date(lease.Due)},
		{Key: "lastRunAt", Value: bson.D{{Key: "$in", Value: started}}},
		{Key: "lastFinishedAt", Value: bson.D{{Key: "$not", Value: bson.D{{Key: "$gte", Value: job.Date(lease.StartedAt)}}}}},
	}, set(bson.D{
		{Key: "lockedAt", Value: job.Date(stamp)},
		{Key: "lastModifiedBy", Value: textOrNull(lease.Holder)},
		{Key: "lastRunAt", Value: job.Date(lease.StartedAt)},
	}))
	if err != nil {
		unanswered(stamp, lease)
		return false, fmt.Errorf("take back the lease of %s: %w", lease.Job.ID.Hex(), err)
	}
	if result.MatchedCount == 0 {
		return false, nil
	}
	hold(lease, stamp)
	return true, nil
}

// CancelRequested implements queue.Consumer.
func (s *Store) CancelRequested(ctx context.Context, leases []*queue.Lease) ([]*queue.Lease, error) {
	if len(leases) == 0 {
		return nil, nil
	}
	cursor, err := s.jobs.Find(ctx, bson.D{among(jobIDs(leases)), {Key: "cancelledAt", Value: anyDate}},
		options.Find().SetProjection(bson.D{{Key: "_id", Value: 1}}))
	if err != nil {
		return nil, fmt.Errorf("look for cancel requests: %w", err)
	}
	defer func() { _ = cursor.Close(ctx) }()
	asked := map[bson.ObjectID]bool{}
	for cursor.Next(ctx) {
		if id, ok := cursor.Current.Lookup("_id").ObjectIDOK(); ok {
			asked[id] = true
		}
	}
	var cancelled []*queue.Lease
	for _, lease := range leases {
		if asked[lease.Job.ID] {
			cancelled = append(cancelled, lease)
		}
	}
	return cancelled, wrap(cursor.Err(), "look for cancel requests")
}
