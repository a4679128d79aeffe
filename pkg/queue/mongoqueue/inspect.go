package mongoqueue

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/etrainer/backend/pkg/job"
	"github.com/etrainer/backend/pkg/queue"
)

const (
	defaultPage = 50
	maxPage     = 200
	// maxLooked bounds how many documents one page may look at. A page that
	// found less by then still has a cursor to go on from.
	maxLooked = 10_000
)

// ErrCursor is returned by List for a cursor that no page has given out.
var ErrCursor = errors.New("cursor is not one that a page returned")

// Get implements queue.Inspector.
func (s *Store) Get(ctx context.Context, id bson.ObjectID) (*job.Document, error) {
	document := &job.Document{}
	err := s.jobs.FindOne(ctx, bson.D{{Key: "_id", Value: id}}).Decode(document)
	if errors.Is(err, mongo.ErrNoDocuments) {
		return nil, queue.ErrNotFound
	}
	return document, wrap(err, "get job")
}

// List implements queue.Inspector. States are computed, so the query narrows
// down to what can have the state, and the rule itself is applied here.
func (s *Store) List(ctx context.Context, filter queue.Filter) (queue.Page, error) {
	limit := filter.Limit
	if limit <= 0 {
		limit = defaultPage
	}
	limit = min(limit, maxPage)
	now := s.Now()
	query, err := listQuery(filter, now)
	if err != nil {
		return queue.Page{}, err
	}
	cursor, err := s.jobs.Find(ctx, query, options.Find().SetSort(keys("_id", -1)).SetBatchSize(int32(limit+1)).SetLimit(maxLooked))
	if err != nil {
		return queue.Page{}, fmt.Errorf("list jobs: %w", err)
	}
	defer func() { _ = cursor.Close(ctx) }()
	page, looked := queue.Page{Jobs: []*job.Document{}}, 0
	for cursor.Next(ctx) {
		looked++
		document := &job.Document{}
		if err := cursor.Decode(document); err != nil {
			continue // a document without a name is nobody's job
		}
		if !selects(filter, document, now) {
			if looked == maxLooked {
				page.Next = document.ID.Hex()
			}
			continue
		}
		if len(page.Jobs) == limit {
			page.Next = page.Jobs[limit-1].ID.Hex()
			break
		}
		page.Jobs = append(page.Jobs, document)
	}
	return page, wrap(cursor.Err(), "list jobs")
}

func listQuery(filter queue.Filter, now time.Time) (bson.D, error) {
	query := bson.D{}
	if len(filter.Names) > 0 {
		query = append(query, bson.E{Key: "name", Value: in(filter.Names)})
	}
	if filter.Cursor != "" {
		id, err := bson.ObjectIDFromHex(filter.Cursor)
		if err != nil {
			return nil, ErrCursor
		}
		query = append(query, bson.E{Key: "_id", Value: bson.D{{Key: "$lt", Value: id}}})
	}
	states := filter.States
	if filter.Dead {
		states = []job.State{job.Failed}
	}
	if len(states) == 1 {
		query = append(query, narrow(states[0], now)...)
	}
	return query, nil
}

// narrow is a condition that every job in a state meets.
func narrow(state job.State, now time.Time) bson.D {
	switch state {
	case job.Running:
		return bson.D{{Key: "lockedAt", Value: anyDate}}
	case job.Failed:
		return bson.D{{Key: "failedAt", Value: anyDate}, unlocked}
	case job.Repeating:
		return bson.D{{Key: "repeatInterval", Value: bson.D{{Key: "$ne", Value: nil}}}, unlocked}
	case job.Scheduled:
		return bson.D{{Key: "nextRunAt", Value: after(now)}, unlocked}
	case job.Queued:
		return bson.D{{Key: "nextRunAt", Value: upTo(now)}, unlocked}
	default:
		return bson.D{unlocked}
	}
}

func selects(filter queue.Filter, document *job.Document, now time.Time) bool {
	if filter.Dead && !document.Dead() {
		return false
	}
	return len(filter.States) == 0 || slices.Contains(filter.States, document.State(now))
}
