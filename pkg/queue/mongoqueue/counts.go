package mongoqueue

import (
	"context"
	"fmt"
	"sync"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/etrainer/backend/pkg/job"
	"github.com/etrainer/backend/pkg/queue"
)

// Counting costs time on a large collection, so a count is shared: it is made
// at most once in countsPause, and so seldom that it takes a twentieth of the
// time at the most. Concurrent callers wait for one count.
const (
	countsPause = time.Second
	countsShare = 20
)

// A count ends at countsLimit jobs of a state, and where more than countsRead are
// locked, failed or recurring: Counts.AtLeast says so.
const (
	countsLimit = 100_000
	countsRead  = 10_000
)

type countsCache struct {
	mu     sync.Mutex
	counts queue.Counts
	next   time.Time
}

// Counts implements queue.Inspector.
func (s *Store) Counts(ctx context.Context) (queue.Counts, error) {
	s.counts.mu.Lock()
	defer s.counts.mu.Unlock()
	began := s.Now()
	if began.Before(s.counts.next) {
		return s.counts.counts, nil
	}
	counts, err := s.count(ctx, began)
	if err != nil {
		return queue.Counts{}, err
	}
	took := s.Now().Sub(began)
	s.counts.counts, s.counts.next = counts, began.Add(max(countsPause, countsShare*took))
	return counts, nil
}

var stateFields = bson.D{
	{Key: "name", Value: 1},
	{Key: "nextRunAt", Value: 1},
	{Key: "lockedAt", Value: 1},
	{Key: "lastFinishedAt", Value: 1},
	{Key: "failedAt", Value: 1},
	{Key: "repeatInterval", Value: 1},
}

// count reads only the documents that are locked, failed or recurring, which are
// few; their states are computed. The many others are told apart by nextRunAt
// alone: the index counts those without reading them, and the rest are completed.
// A document that is no job counts as one of these.
func (s *Store) count(ctx context.Context, now time.Time) (queue.Counts, error) {
	total, err := s.jobs.EstimatedDocumentCount(ctx)
	if err != nil {
		return queue.Counts{}, fmt.Errorf("count jobs: %w", err)
	}
	counts := queue.Counts{Total: total, ByState: map[job.State]int64{}, AsOf: now}
	for state, planned := range map[job.State]bson.D{job.Scheduled: after(now), job.Queued: upTo(now)} {
		n, err := s.jobs.CountDocuments(ctx, bson.D{{Key: "nextRunAt", Value: planned}}, options.Count().SetLimit(countsLimit))
		if err != nil {
			return queue.Counts{}, fmt.Errorf("count %s jobs: %w", state, err)
		}
		counts.ByState[state] = n
		counts.AtLeast = counts.AtLeast || n == countsLimit
	}
	for _, state := range []job.State{job.Running, job.Failed, job.Repeating} {
		if err := s.countFew(ctx, state, &counts); err != nil {
			return queue.Counts{}, fmt.Errorf("count %s jobs: %w", state, err)
		}
	}
	rest := total
	for _, n := range counts.ByState {
		rest -= n
	}
	counts.ByState[job.Completed] = max(rest, 0)
	return counts, nil
}

// countFew counts the jobs of a state whose documents are read, each of which may
// have been counted as scheduled or queued: it is no more. Each state is read by
// itself, so that many of one hide none of another.
func (s *Store) countFew(ctx context.Context, state job.State, counts *queue.Counts) error {
	o := options.Find().SetLimit(countsRead).SetProjection(stateFields)
	condition, ok := few[state]
	if !ok { // by the index that lists them
		order := byDate[state]
		condition = bson.D{{Key: order.field, Value: anyDate}}
		o.SetSort(keys(order.field, order.direction))
	}
	cursor, err := s.jobs.Find(ctx, condition, o)
	if err != nil {
		return err
	}
	defer func() { _ = cursor.Close(ctx) }()
	read := 0
	for ; cursor.Next(ctx); read++ {
		document := &job.Document{}
		if document.UnmarshalBSON(cursor.Current) != nil || document.ID.IsZero() || document.State(counts.AsOf) != state {
			continue // as in a list
		}
		switch {
		case document.NextRunAt.After(counts.AsOf):
			counts.ByState[job.Scheduled]--
		case !document.NextRunAt.IsZero():
			counts.ByState[job.Queued]--
		}
		counts.ByState[state]++
		if document.Dead() {
			counts.Dead++
		}
	}
	counts.AtLeast = counts.AtLeast || read == countsRead
	return cursor.Err()
}
