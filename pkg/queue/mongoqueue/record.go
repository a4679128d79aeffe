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

// Record implements queue.Consumer. All endings go to the server in one
// update command, grouped so that runs which end alike share one statement;
// the fence is part of each. The history follows in a second command, for
// those whose outcome was accepted.
func (s *Store) Record(ctx context.Context, endings []queue.Ending) ([]error, error) {
	results := make([]error, len(endings))
	if len(endings) == 0 {
		return results, nil
	}
	now := s.stamp()
	for i, ending := range endings {
		if ending.Outcome == job.Lost { // nothing that the run did is recorded
			endings[i] = queue.Ending{Lease: ending.Lease, Outcome: job.Lost, FinishedAt: ending.FinishedAt}
		}
		if endings[i].FinishedAt.IsZero() {
			endings[i].FinishedAt = now
		}
	}
	lost, err := s.recordJobs(ctx, endings)
	if err != nil {
		return nil, err
	}
	leases := make([]*queue.Lease, len(endings))
	for i := range endings {
		leases[i] = endings[i].Lease
		if lost[endings[i].Lease] {
			results[i] = queue.ErrLeaseLost
			endings[i] = queue.Ending{Lease: endings[i].Lease, Outcome: job.Lost, FinishedAt: endings[i].FinishedAt}
		}
	}
	if err := s.freeSlots(ctx, slotsOf(leases)); err != nil {
		return results, fmt.Errorf("free places: %w", err)
	}
	return results, nil
}

// RecordRuns implements queue.Consumer.
func (s *Store) RecordRuns(ctx context.Context, endings []queue.Ending) (int, error) {
	return 0, s.recordRuns(ctx, endings)
}

// recordJobs writes the outcomes and returns the leases that were lost.
func (s *Store) recordJobs(ctx context.Context, endings []queue.Ending) (map[*queue.Lease]bool, error) {
	pending := make([]queue.Ending, 0, len(endings))
	for _, ending := range endings {
		if ending.Outcome != job.Lost {
			pending = append(pending, ending)
		}
	}
	lost := map[*queue.Lease]bool{}
	matched, err := s.writeOutcomes(ctx, pending)
	if err != nil {
		return nil, fmt.Errorf("record %d outcomes: %w", len(pending), err)
	}
	if matched == len(pending) {
		return lost, nil
	}
	missing, err := s.notRecorded(ctx, pending)
	if err != nil {
		return nil, fmt.Errorf("look for outcomes that were not recorded: %w", err)
	}
	for _, ending := range missing {
		back, err := s.takeBack(ctx, ending.Lease)
		if err != nil {
			return nil, err
		}
		if !back {
			lost[ending.Lease] = true
			continue
		}
		if matched, err = s.writeOutcomes(ctx, []queue.Ending{ending}); err != nil {
			return nil, fmt.Errorf("record an outcome: %w", err)
		}
		lost[ending.Lease] = matched == 0
	}
	return lost, nil
}

// writeOutcomes returns how many jobs matched their fence.
func (s *Store) writeOutcomes(ctx context.Context, endings []queue.Ending) (int, error) {
	if len(endings) == 0 {
		return 0, nil
	}
	var models []mongo.WriteModel
	moved := 0
	for _, ending := range endings {
		if next, ok := s.overlapped(ending); ok {
			// Drop the ticks that passed during the run, unless somebody
			// planned the job anew meanwhile.
			still := append(fence(ending.Lease), bson.E{Key: "nextRunAt", Value: job.Date(ending.Lease.NextRunAt)})
			models = append(models, mongo.NewUpdateOneModel().SetFilter(still).SetUpdate(set(bson.D{{Key: "nextRunAt", Value: job.Date(next)}})))
			moved++
		}
	}
	models = append(models, groups(endings)...)
	result, err := s.jobs.BulkWrite(ctx, models, options.BulkWrite().SetOrdered(moved > 0))
	if err != nil {
		return 0, err
	}
	if moved > 0 {
		// The statements that moved a tick count as matches too; the sum
		// says nothing, so look.
		missing, err := s.notRecorded(ctx, endings)
		return len(endings) - len(missing), err
	}
	return int(result.MatchedCount), nil
}

// overlapped returns the tick after a run that lasted longer than its
// interval, when the ticks in between are to be dropped.
func (s *Store) overlapped(ending queue.Ending) (time.Time, bool) {
	lease := ending.Lease
	if !lease.SkipOverlap || lease.NextRunAt.IsZero() || lease.NextRunAt.After(ending.FinishedAt) || !ending.RunAgainAt.IsZero() {
		return time.Time{}, false
	}
	next := s.nextTick(lease.Job, ending.FinishedAt, ending.FinishedAt)
	return next, next.After(lease.NextRunAt)
}

// groups turns endings into one statement for each different update.
func groups(endings []queue.Ending) []mongo.WriteModel {
	type group struct {
		update bson.D
		leases []*queue.Lease
	}
	byUpdate := map[string]*group{}
	var order []*group
	for _, ending := range endings {
		update := outcomeUpdate(ending)
		key, err := bson.Marshal(update)
		if err != nil { // cannot happen: the values are text, numbers and dates
			key = []byte(ending.Lease.Job.ID.Hex())
		}
		g := byUpdate[string(key)]
		if g == nil {
			g = &group{update: update}
			byUpdate[string(key)] = g
			order = append(order, g)
		}
		g.leases = append(g.leases, ending.Lease)
	}
	models := make([]mongo.WriteModel, len(order))
	for i, g := range order {
		if len(g.leases) == 1 {
			models[i] = fenced(g.leases[0], g.update)
		} else {
			models[i] = mongo.NewUpdateManyModel().SetFilter(held(g.leases)).SetUpdate(g.update)
		}
	}
	return models
}

// notRecorded returns the endings that are not on their job: neither written
// by this call nor by an earlier one that seemed to fail.
func (s *Store) notRecorded(ctx context.Context, endings []queue.Ending) ([]queue.Ending, error) {
	ids := make([]bson.ObjectID, len(endings))
	for i, ending := range endings {
		ids[i] = ending.Lease.Job.ID
	}
	cursor, err := s.jobs.Find(ctx, bson.D{among(ids)}, inOneAnswer(len(ids)).SetProjection(candidateFields))
	if err != nil {
		return nil, err
	}
	documents, err := documentsOf(ctx, cursor)
	if err != nil {
		return nil, err
	}
	byID := make(map[bson.ObjectID]*job.Document, len(documents))
	for _, document := range documents {
		byID[document.ID] = document
	}
	var missing []queue.Ending
	for _, ending := range endings {
		if d := byID[ending.Lease.Job.ID]; d == nil || !recorded(d, ending) {
			missing = append(missing, ending)
		}
	}
	return missing, nil
}

// recorded tells from a document whether an ending was written to it. Times
// of one process are unique to the millisecond, so two of them are proof.
func recorded(d *job.Document, ending queue.Ending) bool {
	if ending.Outcome == job.Released {
		return !d.LockedAt.Equal(ending.Lease.Stamp) && d.NextRunAt.Equal(ending.Lease.Tick)
	}
	return d.LastRunAt.Equal(ending.Lease.StartedAt) && d.LastFinishedAt.Equal(ending.FinishedAt)
}
