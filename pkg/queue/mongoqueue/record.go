package mongoqueue

import (
	"context"
	"fmt"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/etrainer/backend/pkg/job"
	"github.com/etrainer/backend/pkg/queue"
)

// Record implements queue.Consumer. All endings go to the server in one
// update command, grouped so that runs of one claim which end alike share one
// statement; the fence is part of each.
func (s *Store) Record(ctx context.Context, endings []queue.Ending) ([]error, error) {
	results := make([]error, len(endings))
	now := s.stamp()
	var pending []*settlement
	for i := range endings {
		ending := &endings[i]
		if ending.FinishedAt.IsZero() {
			ending.FinishedAt = now
		}
		if ending.Outcome == job.Lost { // nothing that the run did is recorded
			lose(ending)
			continue
		}
		pending = append(pending, &settlement{ending: ending, result: &results[i]})
	}
	for _, distinct := range settleOncePerJob(pending) {
		if err := s.settle(ctx, distinct); err != nil {
			return results, err
		}
	}
	s.freeSlots(ctx, slotsOf(endings))
	return results, nil
}

// lose leaves of an ending only that its lease was lost.
func lose(ending *queue.Ending) {
	*ending = queue.Ending{Lease: ending.Lease, Outcome: job.Lost, FinishedAt: ending.FinishedAt}
}

// settlement is one ending on its way to its job.
type settlement struct {
	ending *queue.Ending
	result *error
	form   form
	// keepPlan leaves nextRunAt alone: somebody planned the job anew during the
	// run.
	keepPlan bool
}

// form is how much of an ending is written. The database may refuse a form;
// then the next smaller one is tried.
type form int

const (
	whole   form = iota
	reduced      // dead, with the reason, without what the run left
	bare         // the end alone: not even the reason fits
	forms
)

func settleOncePerJob(all []*settlement) [][]*settlement {
	var parts [][]*settlement
	count := make(map[bson.ObjectID]int, len(all))
	for _, each := range all {
		id := each.ending.Lease.Job.ID
		if count[id] == len(parts) {
			parts = append(parts, nil)
		}
		parts[count[id]] = append(parts[count[id]], each)
		count[id]++
	}
	return parts
}

// settle writes endings of different jobs. An error means that the database
// could not be reached.
func (s *Store) settle(ctx context.Context, all []*settlement) error {
	unmatched, err := s.write(ctx, all)
	if err != nil {
		return fmt.Errorf("record %d outcomes: %w", len(all), err)
	}
	if len(unmatched) == 0 {
		return nil
	}
	missing, err := s.notRecorded(ctx, unmatched)
	if err != nil {
		return fmt.Errorf("look for outcomes that were not recorded: %w", err)
	}
	for _, each := range missing {
		if err := s.settleAgain(ctx, each); err != nil {
			return err
		}
	}
	return nil
}

// settleAgain finds out why an ending did not match, and writes what is still
// right: the lock may have been cleared by Node, the job cancelled or planned
// anew during the run, or the lease lost.
func (s *Store) settleAgain(ctx context.Context, each *settlement) error {
	lease := each.ending.Lease
	for range 3 {
		stored, err := s.asStored(ctx, lease.Job.ID)
		if err != nil {
			return fmt.Errorf("look at the job of an outcome: %w", err)
		}
		if stored == nil {
			break // deleted
		}
		if !adopt(lease, stored) {
			back, err := s.takeBack(ctx, lease)
			if err != nil {
				return err
			}
			if !back {
				break
			}
		}
		each.adapt(stored)
		unmatched, err := s.write(ctx, []*settlement{each})
		if err != nil {
			return fmt.Errorf("record an outcome: %w", err)
		}
		if len(unmatched) == 0 {
			return nil
		}
	}
	*each.result = queue.ErrLeaseLost
	lose(each.ending)
	return nil
}

// adapt gives way to what happened to the job during the run: a cancel that
// met it ends its attempts, and a plan that somebody made stands.
func (each *settlement) adapt(stored *job.Document) {
	ending := each.ending
	if plansAgain(*ending) && !stored.CancelledAt.IsZero() {
		ending.Outcome, ending.RunAgainAt, ending.Unstarted = job.Cancelled, time.Time{}, false
	}
	if !stored.NextRunAt.Equal(ending.Lease.NextRunAt) && (ending.Outcome != job.Released || !ending.Lease.Job.Recurring()) {
		each.keepPlan, ending.RunAgainAt, ending.Unstarted = true, time.Time{}, false
		switch ending.Outcome { // this planning is over: another one is in its place
		case job.Retrying:
			ending.Outcome = job.Dead
		case job.Snoozed, job.Released:
			ending.Outcome = job.Discarded
		}
	}
}

// asStored reads what an outcome depends on; nil = the job is gone.
func (s *Store) asStored(ctx context.Context, id bson.ObjectID) (*job.Document, error) {
	cursor, err := s.jobs.Find(ctx, bson.D{{Key: "_id", Value: id}}, inOneAnswer(1).SetProjection(candidateFields))
	if err != nil {
		return nil, err
	}
	documents, err := documentsOf(ctx, cursor)
	if err != nil || len(documents) == 0 {
		return nil, err
	}
	return documents[0], nil
}

// notRecorded returns the endings that are not on their job: neither written
// by this call nor by an earlier one that seemed to fail.
func (s *Store) notRecorded(ctx context.Context, all []*settlement) ([]*settlement, error) {
	ids := make([]bson.ObjectID, len(all))
	for i, each := range all {
		ids[i] = each.ending.Lease.Job.ID
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
	var missing []*settlement
	for _, each := range all {
		if d := byID[each.ending.Lease.Job.ID]; d == nil || !recorded(d, *each.ending) {
			missing = append(missing, each)
		}
	}
	return missing, nil
}

// released tells the release of a lease from its rescue by a peer, which
// charges the run or leaves its start.
func released(d *job.Document, ending queue.Ending) bool {
	if d.LeaseHolder != "" || !d.LockedAt.IsZero() || d.NextRunAt.Before(ending.Lease.Due) {
		return false
	}
	ran := ending.Lease.StartedAt
	if ending.Unstarted {
		ran = ending.Lease.Previous
	}
	wrote := resumeOf(ending)
	return d.LastRunAt.Equal(ran) && (wrote.Attempt == 0 || d.Resume != nil && *d.Resume == wrote)
}

// recorded tells from a document whether an ending was written to it. Times
// of one process are unique to the millisecond, so two of them are proof.
func recorded(d *job.Document, ending queue.Ending) bool {
	if ending.Outcome == job.Released {
		return released(d, ending)
	}
	return d.LastRunAt.Equal(ending.Lease.StartedAt) && d.LastFinishedAt.Equal(ending.FinishedAt)
}
