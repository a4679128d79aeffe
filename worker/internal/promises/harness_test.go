package promises

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/mongo/writeconcern"

	"github.com/etrainer/backend/pkg/job"
	"github.com/etrainer/backend/pkg/mongodb/mongotest"
	"github.com/etrainer/backend/pkg/queue"
	"github.com/etrainer/backend/pkg/queue/mongoqueue"
)

// patience is how long a test waits for what must come about. A crash alone
// takes up to fourteen seconds to be noticed.
const patience = 90 * time.Second

// stage is the database of one test, and the queue in it.
type stage struct {
	t      *testing.T
	server string // address
	db     *mongo.Database
	store  *mongoqueue.Store
}

func newStage(t *testing.T) *stage { return newStageOn(t, mongotest.URI(t)) }

// newStageOn is newStage on another server. Its client asks for less than the
// queue promises, so the queue has to ask for more by itself.
func newStageOn(t *testing.T, server string) *stage {
	db := mongotest.Database(t, options.Client().ApplyURI(server).SetWriteConcern(writeconcern.W1()))
	store := mongoqueue.New(db, mongoqueue.Options{})
	if err := store.Prepare(t.Context()); err != nil {
		t.Fatal(err)
	}
	return &stage{t: t, server: server, db: db, store: store}
}

// uri is the address of the stage's database, as programs are configured with it.
func (s *stage) uri() string {
	s.t.Helper()
	base, query, _ := strings.Cut(s.server, "?")
	uri := strings.TrimSuffix(base, "/") + "/" + s.db.Name()
	if query != "" {
		uri += "?" + query
	}
	return uri
}

func (s *stage) enqueue(n int, payload stepPayload) []bson.ObjectID {
	s.t.Helper()
	data, err := job.ToData(payload)
	if err != nil {
		s.t.Fatal(err)
	}
	requests := make([]queue.Request, n)
	for i := range requests {
		requests[i] = queue.Request{Name: step.Name, Data: data}
	}
	receipts, err := s.store.Enqueue(s.t.Context(), requests...)
	if err != nil {
		s.t.Fatal(err)
	}
	ids := make([]bson.ObjectID, n)
	for i, receipt := range receipts {
		ids[i] = receipt.Job.ID
	}
	return ids
}

// eventually waits until a condition holds.
func (s *stage) eventually(what string, holds func() bool) {
	s.t.Helper()
	s.within(what, 250*time.Millisecond, holds)
}

// within is eventually, with the time between two looks.
func (s *stage) within(what string, look time.Duration, holds func() bool) {
	s.t.Helper()
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	ticker := time.NewTicker(look)
	defer ticker.Stop()
	for !holds() {
		select {
		case <-ticker.C:
		case <-deadline.C:
			s.t.Fatalf("%s: not within %s; what is there:\n%s", what, patience, s.leftovers())
		}
	}
}

// leftovers lists what is locked or planned, for a test that waits in vain.
func (s *stage) leftovers() string {
	cursor, err := s.db.Collection(mongoqueue.DefaultCollection).Find(context.Background(), bson.D{{Key: "$or", Value: bson.A{
		bson.D{{Key: "lockedAt", Value: bson.D{{Key: "$ne", Value: nil}}}},
		bson.D{{Key: "nextRunAt", Value: bson.D{{Key: "$ne", Value: nil}}}},
		bson.D{{Key: "lastFinishedAt", Value: nil}},
	}}}, options.Find().SetLimit(10))
	if err != nil {
		return err.Error()
	}
	var documents []bson.Raw
	if err := cursor.All(context.Background(), &documents); err != nil {
		return err.Error()
	}
	var lines strings.Builder
	fmt.Fprintf(&lines, "now %s\n", s.store.Now().Format(time.RFC3339Nano))
	for _, document := range documents {
		fmt.Fprintln(&lines, document)
	}
	return lines.String()
}

// unfinished counts the jobs that have no outcome yet.
func (s *stage) unfinished() int64 {
	return s.count(mongoqueue.DefaultCollection, bson.D{{Key: "name", Value: step.Name}, {Key: "$or", Value: bson.A{
		bson.D{{Key: "lockedAt", Value: bson.D{{Key: "$ne", Value: nil}}}},
		bson.D{{Key: "nextRunAt", Value: bson.D{{Key: "$ne", Value: nil}}}},
		bson.D{{Key: "lastFinishedAt", Value: nil}},
	}}})
}

// count is for waiting: reading what is counted would keep the engine from
// its work.
func (s *stage) count(collection string, filter bson.D) int64 {
	s.t.Helper()
	n, err := s.db.Collection(collection).CountDocuments(s.t.Context(), filter)
	if err != nil {
		s.t.Fatal(err)
	}
	return n
}

// clear empties collections whose documents have been checked.
func (s *stage) clear(collections ...string) {
	s.t.Helper()
	for _, name := range collections {
		if _, err := s.db.Collection(name).DeleteMany(s.t.Context(), bson.D{}); err != nil {
			s.t.Fatal(err)
		}
	}
}

func (s *stage) get(id bson.ObjectID) *job.Document {
	s.t.Helper()
	d, err := s.store.Get(s.t.Context(), id)
	if err != nil {
		s.t.Fatal(err)
	}
	return d
}

// runs reads the whole history, by job.
func (s *stage) runs() map[bson.ObjectID][]job.Run {
	s.t.Helper()
	return group(all[job.Run](s, mongoqueue.RunsCollection), func(r job.Run) bson.ObjectID { return r.JobID })
}

// effects reads what the handlers left behind, by job.
func (s *stage) effects() map[bson.ObjectID][]effect {
	s.t.Helper()
	return group(all[effect](s, "effects"), func(e effect) bson.ObjectID { return e.Job })
}

func all[T any](s *stage, collection string) []T {
	s.t.Helper()
	cursor, err := s.db.Collection(collection).Find(context.Background(), bson.D{})
	if err != nil {
		s.t.Fatal(err)
	}
	var rows []T
	if err := cursor.All(context.Background(), &rows); err != nil {
		s.t.Fatal(err)
	}
	return rows
}

func group[T any](rows []T, key func(T) bson.ObjectID) map[bson.ObjectID][]T {
	grouped := map[bson.ObjectID][]T{}
	for _, row := range rows {
		grouped[key(row)] = append(grouped[key(row)], row)
	}
	return grouped
}

// checkOnce checks that each job has exactly one recorded success, and that
// its handler really ended at least once. After a kill the record of a run may
// be missing, when the kill fell between the outcome on the job and its record
// in the history: then the job itself must say that it completed.
func (s *stage) checkOnce(ids []bson.ObjectID, killed bool) {
	s.t.Helper()
	runs, effects := s.runs(), s.effects()
	for _, id := range ids {
		succeeded := 0
		for _, run := range runs[id] {
			if run.Outcome == job.Succeeded {
				succeeded++
			}
		}
		if d := s.get(id); d.State(s.store.Now()) != job.Completed || d.FailCount != 0 {
			s.t.Errorf("job %s did not complete: %+v", id.Hex(), d)
		}
		if succeeded > 1 || succeeded == 0 && !killed {
			s.t.Errorf("job %s has %d recorded successes, want 1: %+v", id.Hex(), succeeded, runs[id])
		}
		if !slices.ContainsFunc(effects[id], func(e effect) bool { return e.Phase == ended }) {
			s.t.Errorf("job %s is recorded as done, but its handler never ended", id.Hex())
		}
	}
}
