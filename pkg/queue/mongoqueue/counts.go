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

// isDate is the condition of the partial indexes; a query that does not repeat
// it cannot use them.
var isDate = bson.E{Key: "$type", Value: "date"}

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

// count reads only the documents that are locked, failed or recurring, which
// are few; their states are computed. The many others are told apart by
// nextRunAt alone: the index counts those, and the rest are completed.
func (s *Store) count(ctx context.Context, now time.Time) (queue.Counts, error) {
	total, err := s.jobs.EstimatedDocumentCount(ctx)
	if err != nil {
		return queue.Counts{}, fmt.Errorf("count jobs: %w", err)
	}
	few := options.Count().SetLimit(countsLimit)
	scheduled, err := s.jobs.CountDocuments(ctx, bson.D{{Key: "nextRunAt", Value: append(after(now), isDate)}}, few)
	if err != nil {
		return queue.Counts{}, fmt.Errorf("count scheduled jobs: %w", err)
	}
	queued, err := s.jobs.CountDocuments(ctx, bson.D{{Key: "nextRunAt", Value: append(upTo(now), isDate)}}, few)
	if err != nil {
		return queue.Counts{}, fmt.Errorf("count queued jobs: %w", err)
	}
	counts := queue.Counts{Total: total, ByState: map[job.State]int64{}, AsOf: now}
	counts.AtLeast = scheduled == countsLimit || queued == countsLimit
	cursor, err := s.jobs.Find(ctx, bson.D{{Key: "$or", Value: bson.A{
		bson.D{{Key: "lockedAt", Value: bson.D{isDate}}},
		bson.D{{Key: "failedAt", Value: bson.D{isDate}}},
		bson.D{{Key: "repeatInterval", Value: bson.D{{Key: "$gt", Value: ""}}}},
	}}}, options.Find().SetProjection(stateFields).SetLimit(countsRead))
	if err != nil {
		return queue.Counts{}, fmt.Errorf("count jobs by state: %w", err)
	}
	defer func() { _ = cursor.Close(ctx) }()
	read := 0
	for ; cursor.Next(ctx); read++ {
		document := &job.Document{}
		if cursor.Decode(document) != nil {
			continue
		}
		switch {
		case document.NextRunAt.After(now):
			scheduled--
		case !document.NextRunAt.IsZero():
			queued--
		}
		counts.ByState[document.State(now)]++
		if document.Dead() {
			counts.Dead++
		}
	}
	counts.AtLeast = counts.AtLeast || read == countsRead
	counts.ByState[job.Scheduled] += scheduled
	counts.ByState[job.Queued] += queued
	rest := total
	for state, n := range counts.ByState {
		if state != job.Completed {
			rest -= n
		}
	}
	counts.ByState[job.Completed] = max(rest, 0)
	return counts, cursor.Err()
}
