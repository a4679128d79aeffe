package mongoqueue

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/mongo/writeconcern"

	"github.com/etrainer/backend/pkg/job"
	"github.com/etrainer/backend/pkg/mongodb"
	"github.com/etrainer/backend/pkg/queue"
	"github.com/etrainer/backend/pkg/schema"
)

// The collections. The first is Agenda's and can have another name.
const (
	DefaultCollection  = schema.Jobs
	RunsCollection     = schema.Runs
	SettingsCollection = schema.Settings
)

// DefaultRunRetention is how long the record of a run is kept.
const DefaultRunRetention = 30 * 24 * time.Hour

// Options configure a Store. The zero value is usable.
type Options struct {
	// Collection is the job collection; "" = DefaultCollection.
	Collection string
	// Name is written as lastModifiedBy by Enqueue and Arm; "" = null.
	Name string
	// Now is the time by the server's clock; nil = the local clock. Lease
	// times are compared between processes, so a skewed clock must be
	// corrected here.
	Now func() time.Time
	// Zone is where schedules without a time zone are computed; nil = UTC.
	Zone *time.Location
	// RunRetention is how long run records are kept; 0 = DefaultRunRetention.
	RunRetention time.Duration
	// Log receives what does not fail a call; nil = nothing is logged.
	Log *slog.Logger
	// Problems receives documents that cannot be used; nil = they are left
	// out without a word.
	Problems *queue.Problems
}

// Store implements queue.Store. It is safe for concurrent use.
type Store struct {
	jobs, runs, settings *mongo.Collection
	options              Options
	counts               countsCache
	together             *groupCommit
	leftOut              leftOut
	sizes                sizes
	owed                 owed

	mu        sync.Mutex
	lastStamp time.Time
}

var _ queue.Store = (*Store)(nil)

// New returns a Store on a database. Writes are acknowledged by a majority
// and journaled, whatever the database's default. It panics without a database.
func New(db *mongo.Database, o Options) *Store {
	if db == nil {
		panic("mongoqueue: New was given no database")
	}
	if o.Collection == "" {
		o.Collection = DefaultCollection
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Zone == nil {
		o.Zone = time.UTC
	}
	if o.RunRetention <= 0 {
		o.RunRetention = DefaultRunRetention
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	journal := true
	durable := options.Collection().SetWriteConcern(&writeconcern.WriteConcern{W: "majority", Journal: &journal})
	s := &Store{
		jobs:     db.Collection(o.Collection, durable),
		runs:     db.Collection(RunsCollection, durable),
		settings: db.Collection(SettingsCollection, durable),
		options:  o,
	}
	s.together = newGroupCommit(s.insertAll)
	return s
}

// Collection is the name of the job collection.
func (s *Store) Collection() string { return s.options.Collection }

// Now implements queue.Store. It is cut to the millisecond that BSON holds.
func (s *Store) Now() time.Time { return s.options.Now().UTC().Truncate(time.Millisecond) }

// stamp returns the present time as a lockedAt that this process has not used
// before, so that a read-back finds exactly the documents of one claim.
func (s *Store) stamp() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.Now()
	if !t.After(s.lastStamp) {
		t = s.lastStamp.Add(time.Millisecond)
	}
	s.lastStamp = t
	return t
}

// Prepare creates the indexes, for programs that use the queue without the
// migrations. An engine that has no partial or TTL indexes is served without
// those: the deterministic ids of recurring jobs keep them single, and
// PurgeRuns removes old runs.
func (s *Store) Prepare(ctx context.Context) error {
	refusals, err := mongodb.CreateIndexes(ctx, s.jobs.Database(), schema.Queue(s.options.Collection))
	if err != nil {
		return fmt.Errorf("prepare the queue: %w", err)
	}
	for _, refusal := range refusals {
		if !refusal.Index.Optional() {
			return fmt.Errorf("prepare the queue: create the index %s of %s: %w", refusal.Index.IndexName(), refusal.Collection, refusal.Err)
		}
		s.options.Log.InfoContext(ctx, "the server refused an index; the queue does without", slog.String("collection", refusal.Collection),
			slog.String("index", refusal.Index.IndexName()), slog.String("without", refusal.Index.Without), slog.Any("error", refusal.Err))
	}
	return nil
}

// documentsOf reads a cursor to its end, and leaves out what cannot be
// decoded. Cursor.All would take a buffer of four kilobytes for each document.
func documentsOf(ctx context.Context, cursor *mongo.Cursor) ([]*job.Document, error) {
	defer func() { _ = cursor.Close(ctx) }()
	var documents []*job.Document
	for cursor.Next(ctx) {
		document := &job.Document{}
		if document.UnmarshalBSON(cursor.Current) != nil {
			continue
		}
		documents = append(documents, document)
	}
	return documents, cursor.Err()
}

// keys builds an index key or a sort order from pairs.
func keys(pairs ...any) bson.D {
	d := make(bson.D, 0, len(pairs)/2)
	for i := 0; i+1 < len(pairs); i += 2 {
		d = append(d, bson.E{Key: pairs[i].(string), Value: pairs[i+1]})
	}
	return d
}

// The building blocks of filters and updates.

func set(fields bson.D) bson.D { return bson.D{{Key: "$set", Value: fields}} }

func in[T any](values []T) bson.D { return bson.D{{Key: "$in", Value: values}} }

func notIn[T any](values []T) bson.D { return bson.D{{Key: "$nin", Value: values}} }

// among is the condition on the ids of a batch. It comes last in a filter: an
// engine that looks at every document goes through the whole list for each
// one that the other conditions let pass. MongoDB uses its index on _id.
func among(ids []bson.ObjectID) bson.E { return bson.E{Key: "_id", Value: in(ids)} }

// inOneAnswer asks for at most n documents without a second command: a batch
// of just n would leave the cursor open.
func inOneAnswer(n int) *options.FindOptionsBuilder {
	return options.Find().SetLimit(int64(n)).SetBatchSize(int32(n) + 1)
}

// The conditions on dates. Comparisons match within one BSON type, so null,
// absent and text are out. Each repeats the condition of the partial indexes
// (schema.IsDate), without which no query can use them.

// anyDate matches every stored date.
var anyDate = bson.D{{Key: "$gte", Value: schema.FirstDate}}

func upTo(t time.Time) bson.D { return within("$lte", bson.NewDateTimeFromTime(t)) }

func after(t time.Time) bson.D { return within("$gt", bson.NewDateTimeFromTime(t)) }

func within(operator string, date bson.DateTime) bson.D {
	return bson.D{{Key: "$gte", Value: schema.FirstDate}, {Key: operator, Value: date}}
}

// enabled is Agenda's condition on disabled: null, absent and false pass.
var enabled = bson.E{Key: "disabled", Value: bson.D{{Key: "$ne", Value: true}}}

// unlocked is Agenda's condition on lockedAt: null and absent pass.
var unlocked = bson.E{Key: "lockedAt", Value: nil}
