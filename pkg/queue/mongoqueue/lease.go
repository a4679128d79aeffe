package mongoqueue

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/etrainer/backend/pkg/job"
	"github.com/etrainer/backend/pkg/queue"
)

// Lease implements queue.Consumer: find, claim, read back.
func (s *Store) Lease(ctx context.Context, request queue.LeaseRequest) (queue.Batch, error) {
	search := newSearch(request, s.Now())
	if len(search.names) == 0 || request.Total <= 0 {
		return queue.Batch{}, nil
	}
	found, err := s.find(ctx, search)
	if err != nil {
		return queue.Batch{}, fmt.Errorf("find due jobs: %w", err)
	}
	batch := queue.Batch{NextDue: found.nextDue, More: found.more}
	if len(found.candidates) == 0 {
		return batch, nil
	}
	slots, err := s.takeSlots(ctx, request, found.candidates)
	if err != nil {
		return queue.Batch{}, err
	}
	wanted := slots.limit(found.candidates)
	if len(wanted) == 0 {
		return batch, nil // every place of these names is taken
	}
	leases, err := s.claim(ctx, search, wanted)
	if err != nil {
		return queue.Batch{}, fmt.Errorf("claim %d jobs: %w", len(wanted), err)
	}
	if len(leases) < len(wanted) {
		batch.More = true // another worker was faster
	}
	slots.assign(leases)
	if err := s.freeSlots(ctx, slots.unused()); err != nil {
		s.options.Log.WarnContext(ctx, "unused slots not freed", slog.Any("error", err))
	}
	batch.Leases, err = s.start(ctx, search, leases)
	return batch, err
}

// search is one LeaseRequest, resolved against the clock.
type search struct {
	request queue.LeaseRequest
	now     time.Time
	names   []string // those with free places
}

func newSearch(request queue.LeaseRequest, now time.Time) search {
	s := search{request: request, now: now}
	for name, want := range request.Names {
		if want.Free > 0 {
			s.names = append(s.names, name)
		}
	}
	return s
}

func (s search) lifetime(name string) time.Duration {
	if lifetime := s.request.Names[name].Lifetime; lifetime > 0 {
		return lifetime
	}
	return queue.DefaultLockLifetime
}

// lockCondition is Agenda's condition for taking a job, in the half that this
// search is about. until is how far nextRunAt may reach.
func (s search) lockCondition(until time.Time) bson.D {
	if !s.request.Expired {
		return bson.D{
			{Key: "name", Value: in(s.names)},
			unlocked,
			{Key: "nextRunAt", Value: upTo(until)},
			enabled,
		}
	}
	byLifetime := map[time.Duration][]string{}
	for _, name := range s.names {
		byLifetime[s.lifetime(name)] = append(byLifetime[s.lifetime(name)], name)
	}
	var branches []bson.D
	for lifetime, names := range byLifetime {
		branches = append(branches, bson.D{
			{Key: "name", Value: in(names)}, {Key: "lockedAt", Value: upTo(s.now.Add(-lifetime))}, enabled,
		})
	}
	if len(branches) == 1 {
		return branches[0]
	}
	return bson.D{{Key: "$or", Value: branches}}
}

// candidate is a due job as the search saw it: enough to claim it, and what
// the claim will overwrite.
type candidate struct {
	document *job.Document
}

type findings struct {
	candidates []candidate
	nextDue    time.Time
	more       bool
}

var candidateFields = bson.D{
	{Key: "name", Value: 1},
	{Key: "nextRunAt", Value: 1},
	{Key: "lockedAt", Value: 1},
	{Key: "lastRunAt", Value: 1},
	{Key: "lastFinishedAt", Value: 1},
	{Key: "failedAt", Value: 1},
	{Key: "failCount", Value: 1},
	{Key: "repeatInterval", Value: 1},
	{Key: "repeatAt", Value: 1},
}

// find reads what is due in the order of Agenda: by time, then by priority.
// It looks a little into the future as well, and so learns when to look again.
func (s *Store) find(ctx context.Context, search search) (findings, error) {
	limit := search.request.Total + 1
	cursor, err := s.jobs.Find(ctx, search.lockCondition(search.now.Add(search.request.Horizon)),
		inOneAnswer(limit).SetSort(keys("nextRunAt", 1, "priority", -1)).SetProjection(candidateFields))
	if err != nil {
		return findings{}, err
	}
	documents, err := documentsOf(ctx, cursor)
	if err != nil {
		return findings{}, err
	}
	var found findings
	taken := map[string]int{}
	for _, document := range documents {
		switch {
		case !search.request.Expired && document.NextRunAt.After(search.now):
			found.nextDue = document.NextRunAt
			return found, nil
		case len(found.candidates) == search.request.Total || taken[document.Name] == search.request.Names[document.Name].Free:
			found.more = true
		default:
			taken[document.Name]++
			found.candidates = append(found.candidates, candidate{document: document})
		}
	}
	return found, nil
}

// claim sets our stamp on the candidates that are still free, all in one
// update command. For one-off jobs the claim is also the start record;
// recurring ones get theirs with their next tick, in start.
func (s *Store) claim(ctx context.Context, search search, candidates []candidate) ([]*queue.Lease, error) {
	stamp := s.stamp()
	holder := bson.D{{Key: "lockedAt", Value: job.Date(stamp)}, {Key: "lastModifiedBy", Value: textOrNull(search.request.Holder)}}
	var once, recurring []bson.ObjectID
	for _, c := range candidates {
		if c.document.Recurring() {
			recurring = append(recurring, c.document.ID)
		} else {
			once = append(once, c.document.ID)
		}
	}
	var models []mongo.WriteModel
	if len(once) > 0 {
		started := append(bson.D{{Key: "lastRunAt", Value: job.Date(stamp)}, {Key: "nextRunAt", Value: nil}}, holder...)
		models = append(models, claimModel(search, once, started, bson.E{Key: "repeatInterval", Value: nil}, bson.E{Key: "repeatAt", Value: nil}))
	}
	if len(recurring) > 0 {
		models = append(models, claimModel(search, recurring, holder))
	}
	result, err := s.jobs.BulkWrite(ctx, models, options.BulkWrite().SetOrdered(false))
	if err != nil || result.MatchedCount == 0 {
		return nil, err
	}
	return s.readBack(ctx, search, candidates, stamp)
}

func claimModel(search search, ids []bson.ObjectID, fields bson.D, still ...bson.E) mongo.WriteModel {
	filter := append(search.lockCondition(search.now), still...)
	return mongo.NewUpdateManyModel().SetFilter(append(filter, among(ids))).SetUpdate(set(fields))
}

// readBack fetches what carries our stamp. The documents are read after the
// claim, so that a payload which changed a moment before it is not lost.
func (s *Store) readBack(ctx context.Context, search search, candidates []candidate, stamp time.Time) ([]*queue.Lease, error) {
	ids := make([]bson.ObjectID, len(candidates))
	for i, c := range candidates {
		ids[i] = c.document.ID
	}
	cursor, err := s.jobs.Find(ctx, bson.D{
		{Key: "lockedAt", Value: job.Date(stamp)},
		{Key: "lastModifiedBy", Value: textOrNull(search.request.Holder)},
		among(ids),
	}, inOneAnswer(len(ids)))
	if err != nil {
		return nil, err
	}
	documents, err := documentsOf(ctx, cursor)
	if err != nil {
		return nil, err
	}
	claimed := make(map[bson.ObjectID]*job.Document, len(documents))
	for _, document := range documents {
		claimed[document.ID] = document
	}
	leases := make([]*queue.Lease, 0, len(documents))
	for _, c := range candidates { // keep the order of the search
		if document := claimed[c.document.ID]; document != nil {
			leases = append(leases, newLease(document, c.document, stamp, search.request.Holder))
		}
	}
	return leases, nil
}

// newLease describes a first attempt; resume corrects it for a later one.
func newLease(document, before *job.Document, stamp time.Time, holder string) *queue.Lease {
	lease := &queue.Lease{
		Job: document, Tick: before.NextRunAt, Attempt: 1,
		StartedAt: stamp, Stamp: stamp, Holder: holder,
		RunID: runID(document.ID, stamp, holder), Previous: before.LastRunAt,
	}
	if lease.Tick.IsZero() || before.Recurring() && before.Interrupted() && before.NextRunAt.After(stamp) {
		lease.Tick = before.LastRunAt // an expired lease: the run that it broke off is the one to repeat
	}
	if lease.Tick.IsZero() {
		lease.Tick = stamp
	}
	if before.State(stamp) == job.Failed {
		lease.Failures = before.FailCount
	}
	return lease
}
