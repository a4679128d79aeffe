package mongoqueue

import (
	"context"
	"errors"
	"slices"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/etrainer/backend/pkg/job"
	"github.com/etrainer/backend/pkg/queue"
)

// claimKind is how a candidate is claimed: what differs between the updates.
type claimKind struct {
	moves  bool // nextRunAt moves to leaseDue: the job has no other plan
	starts bool // the claim is the start of the run: it sets lastRunAt
}

// kindOf decides by the document that the search saw. Should it have changed
// since, start puts right what the claim did not.
func (s *search) kindOf(c candidate) claimKind {
	if c.Recurring() {
		return claimKind{}
	}
	// After a broken-off run nextRunAt, if it is there, is a plan that was made
	// during that run: leaseDue is still what the run owes.
	return claimKind{moves: !s.request.Expired || c.LeaseDue.IsZero(), starts: !c.ahead}
}

// claim sets our stamp on the candidates that are still free, all in one
// update command. For one-off jobs the claim is also the start record, unless
// they are leased ahead; recurring ones get theirs with their next tick, in
// start.
func (s *Store) claim(ctx context.Context, search *search) ([]*queue.Lease, error) {
	stamp := s.stamp()
	byKind := map[claimKind][]bson.ObjectID{}
	var kinds []claimKind
	for _, c := range search.candidates {
		kind := search.kindOf(c)
		if byKind[kind] == nil {
			kinds = append(kinds, kind)
		}
		byKind[kind] = append(byKind[kind], c.ID)
	}
	models := make([]mongo.WriteModel, len(kinds))
	for i, kind := range kinds {
		models[i] = s.claimModel(search, byKind[kind], kind, stamp)
	}
	result, err := s.jobs.BulkWrite(ctx, models, options.BulkWrite().SetOrdered(false))
	matched := 0
	if result != nil {
		matched = int(result.MatchedCount)
	}
	if refused := refusedStatements(err); len(refused) > 0 {
		// One document can stop a statement for many: claim those one by one.
		err = s.claimAlone(ctx, search, stamp)
		matched = len(search.candidates)
	}
	var claimed map[bson.ObjectID]*job.Document
	if err == nil && matched > 0 {
		claimed, err = s.readClaimed(ctx, search, stamp)
	}
	if err != nil {
		return nil, err
	}
	s.noteMisses(ctx, search, claimed)
	return s.leasesOf(ctx, search, claimed, stamp), nil
}

func (s *Store) claimModel(search *search, ids []bson.ObjectID, kind claimKind, stamp time.Time) mongo.WriteModel {
	fields := bson.D{
		{Key: "lockedAt", Value: job.Date(stamp)},
		{Key: "lastModifiedBy", Value: textOrNull(search.request.Holder)},
		{Key: "leaseHolder", Value: search.request.Holder},
	}
	if kind.starts {
		fields = append(fields, bson.E{Key: "lastRunAt", Value: job.Date(stamp)})
	}
	change := set(fields)
	if kind.moves {
		change = append(change, bson.E{Key: "$rename", Value: bson.D{{Key: "nextRunAt", Value: "leaseDue"}}})
	}
	if !search.request.Expired {
		// A job that is due has been planned after it was cancelled: the cancel
		// of an earlier planning does not count for this one.
		change = append(change, bson.E{Key: "$unset", Value: bson.D{{Key: "cancelledAt", Value: ""}}})
	}
	filter := append(search.lockCondition(namesOf(search.candidates), search.now), among(ids))
	return mongo.NewUpdateManyModel().SetFilter(filter).SetUpdate(change).SetHint(byID)
}

// byID is the hint that keeps a planner from walking through the whole
// backlog for a list of ids.
var byID = bson.D{{Key: "_id", Value: 1}}

func namesOf(candidates []candidate) []string {
	var names []string
	for _, c := range candidates {
		if !slices.Contains(names, c.Name) {
			names = append(names, c.Name)
		}
	}
	return names
}

// claimAlone claims each candidate by a statement of its own. One that the
// database refuses is left out and reported.
func (s *Store) claimAlone(ctx context.Context, search *search, stamp time.Time) error {
	models := make([]mongo.WriteModel, len(search.candidates))
	for i, c := range search.candidates {
		models[i] = s.claimModel(search, []bson.ObjectID{c.ID}, search.kindOf(c), stamp)
	}
	_, err := s.jobs.BulkWrite(ctx, models, options.BulkWrite().SetOrdered(false))
	refused := refusedStatements(err)
	if len(refused) == 0 {
		return err
	}
	for i, failure := range refused {
		c := search.candidates[i]
		s.refuseJob(ctx, c.ID, c.Name, "lease this job", failure)
	}
	return nil
}

// refusedStatements tells which statements of a bulk the server refused for
// themselves; nil = the error is of another kind, or none.
func refusedStatements(err error) map[int]mongo.BulkWriteError {
	var partial mongo.BulkWriteException
	if !errors.As(err, &partial) || partial.WriteConcernError != nil || len(partial.WriteErrors) == 0 {
		return nil
	}
	refused := map[int]mongo.BulkWriteError{}
	for _, failure := range partial.WriteErrors {
		refused[failure.Index] = failure
	}
	return refused
}

// leasesOf makes leases of the claimed documents, in the order of the search. It
// hands back those for which there was no room.
func (s *Store) leasesOf(ctx context.Context, search *search, claimed map[bson.ObjectID]*job.Document, stamp time.Time) []*queue.Lease {
	leases := make([]*queue.Lease, 0, len(claimed))
	var excess []*queue.Lease
	for _, c := range search.candidates {
		switch document, ok := claimed[c.ID]; {
		case ok && document == nil:
			excess = append(excess, s.newLease(search, c.Document, c, stamp))
		case ok:
			leases = append(leases, s.newLease(search, document, c, stamp))
		}
	}
	if len(excess) > 0 {
		s.handBack(ctx, excess)
	}
	return leases
}

// readClaimed reads the documents that carry our stamp. It reads them after the
// claim, so that a payload which changed a moment before it is not lost. Those
// beyond the bytes of the request are not kept: their entry is nil.
func (s *Store) readClaimed(ctx context.Context, search *search, stamp time.Time) (map[bson.ObjectID]*job.Document, error) {
	ids := make([]bson.ObjectID, len(search.candidates))
	for i, c := range search.candidates {
		ids[i] = c.ID
	}
	cursor, err := s.jobs.Find(ctx, bson.D{
		{Key: "lockedAt", Value: job.Date(stamp)},
		{Key: "leaseHolder", Value: search.request.Holder},
		among(ids),
	}, inOneAnswer(len(ids)).SetProjection(bson.D{{Key: "result", Value: 0}}))
	if err != nil {
		return nil, err
	}
	defer func() { _ = cursor.Close(ctx) }()
	claimed := make(map[bson.ObjectID]*job.Document, len(ids))
	total := 0
	for cursor.Next(ctx) {
		id, _ := cursor.Current.Lookup("_id").ObjectIDOK()
		total += len(cursor.Current)
		if search.request.Bytes > 0 && total > search.request.Bytes && len(claimed) > 0 {
			claimed[id] = nil
			if name, ok := cursor.Current.Lookup("name").StringValueOK(); ok {
				s.sizes.seen(name, len(cursor.Current))
			}
			continue
		}
		document := &job.Document{}
		if err := document.UnmarshalBSON(cursor.Current); err != nil {
			s.leaveOut(ctx, cursor.Current, err.Error()) // renamed since the search
			continue
		}
		s.sizes.seen(document.Name, document.Size)
		claimed[id] = document
	}
	return claimed, cursor.Err()
}

// handBack undoes the claim of jobs for which there was no room.
func (s *Store) handBack(ctx context.Context, leases []*queue.Lease) {
	endings := make([]queue.Ending, len(leases))
	for i, lease := range leases {
		endings[i] = queue.Ending{Lease: lease, Outcome: job.Released, Unstarted: true, FinishedAt: lease.Stamp}
	}
	if _, err := s.Record(ctx, endings); err != nil {
		s.warn(ctx, "jobs that are too large for this batch were not handed back; they wait for their lock to expire", err)
	}
}

// newLease describes what was claimed: the first attempt of its tick, or the
// next one of the tick that its plan continues.
func (s *Store) newLease(search *search, document *job.Document, before candidate, stamp time.Time) *queue.Lease {
	kind := search.kindOf(before)
	lease := &queue.Lease{
		Job: document, Holder: search.request.Holder, Stamp: stamp, StartedAt: stamp, Previous: before.LastRunAt,
		Ahead: before.ahead, Due: document.LeaseDue, Attempt: 1,
	}
	if !kind.moves && !search.request.Expired { // leaseDue may be left over from a crash
		lease.Due = document.NextRunAt
	}
	if lease.Due.IsZero() {
		lease.Due = before.NextRunAt
	}
	lease.Tick = lease.Due
	if r := document.Resume; r != nil && r.At.Equal(lease.Due) {
		lease.Tick, lease.Attempt, lease.Failures, lease.Lost = r.Tick, r.Attempt+1, r.Failures, r.Lost
	}
	if search.request.Expired {
		breakOff(lease, before.Document)
		search.brokeOff = append(search.brokeOff, brokenOff{lease: lease, before: before.Document})
	}
	if lease.Tick.IsZero() {
		lease.Tick = stamp
	}
	if lease.Due.IsZero() {
		lease.Due = lease.Tick
	}
	lease.RunID = runID(document.ID, lease.Tick, lease.Attempt)
	return lease
}

// breakOff accounts for the run that an expired lock was for.
func breakOff(lease *queue.Lease, before *job.Document) {
	// A claim of ours unsets the cancel of an earlier planning; Node does not.
	met := !before.CancelledAt.IsZero() && (before.LeaseHolder != "" || !before.CancelledAt.Before(before.LastRunAt))
	lease.Cancelled = met
	if !met {
		lease.Job.CancelledAt = time.Time{}
	}
	switch {
	case !before.LeaseDue.IsZero():
		lease.Attempt++
		if before.Interrupted() {
			charge(&lease.Failures, &lease.Lost, brokenRun(before).Ahead)
		}
	case before.LeaseHolder == "" && before.Interrupted() && (before.Recurring() || before.NextRunAt.IsZero()):
		// A run of Node, whose planned time nobody kept.
		lease.Tick, lease.Due = before.LastRunAt, before.LastRunAt
	}
}

// noteMisses leaves out what was found and not claimed again and again. A job
// that was claimed, and for which there was no room, is not missed.
func (s *Store) noteMisses(ctx context.Context, search *search, claimed map[bson.ObjectID]*job.Document) {
	for _, c := range search.candidates {
		if _, ok := claimed[c.ID]; ok {
			s.leftOut.forget(c.ID)
			continue
		}
		if !s.leftOut.missed(c) {
			continue
		}
		s.leftOut.forget(c.ID)
		if s.isUnchanged(ctx, c) {
			s.refuseJob(ctx, c.ID, c.Name, "lease this job", errNotClaimed)
		}
	}
}

// isUnchanged reports that a job still stands as the search found it: no other
// worker was faster, and yet no claim matched it.
func (s *Store) isUnchanged(ctx context.Context, c candidate) bool {
	var now job.Document
	err := s.jobs.FindOne(ctx, bson.D{{Key: "_id", Value: c.ID}}, options.FindOne().SetProjection(candidateFields)).Decode(&now)
	return err == nil && now.NextRunAt.Equal(c.NextRunAt) && now.LockedAt.Equal(c.LockedAt)
}

var errNotClaimed = errors.New("it was found due several times, and no claim matched it")
