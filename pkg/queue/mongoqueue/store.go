package mongoqueue

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/mongo/writeconcern"

	"github.com/etrainer/backend/pkg/job"
	"github.com/etrainer/backend/pkg/queue"
)

// The collections. The first is Agenda's and can have another name.
const (
	DefaultCollection  = "agendaJobs"
	RunsCollection     = "agendaRuns"
	SettingsCollection = "agendaSettings"
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
}

// Store implements queue.Store. It is safe for concurrent use.
type Store struct {
	jobs, runs, settings *mongo.Collection
	options              Options
	counts               countsCache

	mu        sync.Mutex
	lastStamp time.Time
}

var _ queue.Store = (*Store)(nil)

// New returns a Store on a database. Writes are acknowledged by a majority
// and journaled, whatever the database's default.
func New(db *mongo.Database, o Options) *Store {
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
	return &Store{
		jobs:     db.Collection(o.Collection, durable),
		runs:     db.Collection(RunsCollection, durable),
		settings: db.Collection(SettingsCollection, durable),
		options:  o,
	}
}

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

// Prepare creates the indexes. Agenda's own is created exactly as Agenda
// does, since another key under its name would stop a Node process at start.
// An engine that has no partial or TTL indexes is served without those: the
// deterministic ids of recurring jobs keep them single, and PurgeRuns removes
// old runs.
func (s *Store) Prepare(ctx context.Context) error {
	agenda := mongo.IndexModel{
		Keys:    keys("name", 1, "nextRunAt", 1, "priority", -1, "lockedAt", 1, "disabled", 1),
		Options: options.Index().SetName("findAndLockNextJobIndex"),
	}
	if _, err := s.jobs.Indexes().CreateOne(ctx, agenda); err != nil {
		return fmt.Errorf("create the index of %s: %w", s.jobs.Name(), err)
	}
	runs := []mongo.IndexModel{
		{Keys: keys("jobId", 1, "tick", 1, "attempt", 1), Options: options.Index().SetName("oneRunPerAttempt").SetUnique(true)},
		{Keys: keys("jobId", 1, "startedAt", -1), Options: options.Index().SetName("runsOfJob")},
		{Keys: keys("worker", 1, "outcome", 1), Options: options.Index().SetName("runsOfWorker")},
	}
	for _, index := range runs { // one by one: FerretDB 1.24 breaks the connection when several exist already
		if _, err := s.runs.Indexes().CreateOne(ctx, index); err != nil {
			return fmt.Errorf("create the indexes of %s: %w", s.runs.Name(), err)
		}
	}
	return s.prepareOptional(ctx)
}

// prepareOptional creates the indexes that not every engine can have. The
// partial ones hold only the few documents that are locked, failed or
// recurring, so they cost the common write nothing.
func (s *Store) prepareOptional(ctx context.Context) error {
	isDate := bson.D{{Key: "$type", Value: "date"}}
	partial := func(name string, key bson.D, filter bson.D) mongo.IndexModel {
		return mongo.IndexModel{Keys: key, Options: options.Index().SetName(name).SetPartialFilterExpression(filter)}
	}
	single := partial("oneSinglePerName", keys("name", 1, "type", 1), bson.D{{Key: "type", Value: "single"}})
	single.Options.SetUnique(true)
	optional := []struct {
		collection *mongo.Collection
		index      mongo.IndexModel
	}{
		{s.jobs, single},
		{s.jobs, partial("leased", keys("lockedAt", 1), bson.D{{Key: "lockedAt", Value: isDate}})},
		{s.jobs, partial("planned", keys("nextRunAt", 1), bson.D{{Key: "nextRunAt", Value: isDate}})},
		{s.jobs, partial("failed", keys("failedAt", 1), bson.D{{Key: "failedAt", Value: isDate}})},
		{s.jobs, partial("recurring", keys("repeatInterval", 1), bson.D{{Key: "repeatInterval", Value: bson.D{{Key: "$gt", Value: ""}}}})},
		{s.runs, mongo.IndexModel{Keys: keys("expiresAt", 1), Options: options.Index().SetName("retention").SetExpireAfterSeconds(0)}},
	}
	refusals := 0
	var last error
	for _, o := range optional {
		_, err := o.collection.Indexes().CreateOne(ctx, o.index)
		var refused mongo.ServerError
		if errors.As(err, &refused) && !mongo.IsNetworkError(err) {
			refusals, last = refusals+1, err
			continue
		}
		if err != nil {
			return fmt.Errorf("create an index of %s: %w", o.collection.Name(), err)
		}
	}
	if refusals > 0 {
		s.options.Log.InfoContext(ctx, "the engine refused optional indexes; the queue does without",
			slog.Int("count", refusals), slog.String("last_refusal", last.Error()))
	}
	return nil
}

// documentsOf reads a cursor to its end. Cursor.All would do the same with a
// buffer of four kilobytes for each document.
func documentsOf(ctx context.Context, cursor *mongo.Cursor) ([]*job.Document, error) {
	defer func() { _ = cursor.Close(ctx) }()
	var documents []*job.Document
	for cursor.Next(ctx) {
		document := &job.Document{}
		if err := document.UnmarshalBSON(cursor.Current); err != nil {
			return nil, err
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

// anyDate matches every stored date: comparisons match within one BSON type,
// so null, absent and text are out.
var anyDate = bson.D{{Key: "$gt", Value: bson.DateTime(-1 << 62)}}

func upTo(t time.Time) bson.D { return bson.D{{Key: "$lte", Value: bson.NewDateTimeFromTime(t)}} }

func after(t time.Time) bson.D { return bson.D{{Key: "$gt", Value: bson.NewDateTimeFromTime(t)}} }

// enabled is Agenda's condition on disabled: null, absent and false pass.
var enabled = bson.E{Key: "disabled", Value: bson.D{{Key: "$ne", Value: true}}}

// unlocked is Agenda's condition on lockedAt: null and absent pass.
var unlocked = bson.E{Key: "lockedAt", Value: nil}
