package mongoqueue_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/jonboulle/clockwork"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/etrainer/backend/pkg/job"
	"github.com/etrainer/backend/pkg/mongodb/mongotest"
	"github.com/etrainer/backend/pkg/queue"
	"github.com/etrainer/backend/pkg/queue/mongoqueue"
)

// hostileValues are values of every BSON type that an engine stores.
func hostileValues() []any {
	start := time.Date(2024, 1, 17, 10, 0, 0, 0, time.UTC)
	return []any{
		nil, "", "a", "b", "text", "$x", "5 minutes", "* * * * *", "now and then", "\u0000", strings.Repeat("x", 5000),
		true, false, int32(0), int32(-1), int32(7), int64(math.MaxInt64), 0.5, -1e300, math.MaxFloat64,
		bson.DateTime(0), bson.DateTime(-62135596800000), bson.DateTime(253402300799999), bson.DateTime(math.MaxInt64 / 2),
		start.Add(-time.Hour), start.Add(1000 * time.Hour),
		bson.A{},
		bson.A{"a"},
		bson.A{"a", "b"},
		bson.A{nil},
		bson.A{start.Add(-time.Hour)},
		bson.A{bson.A{1}},
		bson.A{true},
		bson.D{},
		bson.D{{Key: "a", Value: 1}},
		bson.D{{Key: "at", Value: "x"}, {Key: "tick", Value: 1}},
		bson.ObjectID{1},
		bson.Binary{Data: []byte{1, 2}},
		bson.Regex{Pattern: "a"},
		bson.Timestamp{T: 1},
	}
}

// hostileFields are the fields of a job that anything may be written into.
var hostileFields = []string{
	"_id", "name", "type", "data", "priority", "nextRunAt", "lockedAt", "lastRunAt", "lastFinishedAt", "failedAt", "failReason", "failCount",
	"repeatInterval", "repeatTimezone", "repeatAt", "startDate", "endDate", "skipDays", "disabled", "lastModifiedBy", "progress", "fork",
	"debounceStartedAt", "shouldSaveResult", "result", "cancelledAt", "leaseHolder", "leaseDue", "resume",
}

// hostileJob is a job of name a that is due, with one to three fields of any
// type.
func hostileJob(random *rand.Rand, due time.Time) bson.D {
	values := hostileValues()
	fields := map[string]any{"_id": bson.NewObjectID(), "name": "a", "type": "normal", "nextRunAt": due, "priority": 0}
	for range 1 + random.IntN(3) {
		value := values[random.IntN(len(values))]
		field := hostileFields[random.IntN(len(hostileFields))]
		if field == "_id" { // unique, and of a type that an _id may have
			value = []any{fmt.Sprint("text ", random.Int64()), random.Int64(), bson.D{{Key: "x", Value: random.Int64()}}}[random.IntN(3)]
		}
		fields[field] = value
	}
	document := bson.D{{Key: "_id", Value: fields["_id"]}}
	delete(fields, "_id")
	for _, key := range hostileFields {
		if value, ok := fields[key]; ok {
			document = append(document, bson.E{Key: key, Value: value})
		}
	}
	return document
}

// hostileQueue is a queue with documents of any kind between good ones.
type hostileQueue struct {
	t        *testing.T
	db       *mongo.Database
	store    *mongoqueue.Store
	clock    *clockwork.FakeClock
	problems *queue.Problems
	good     map[bson.ObjectID]bool // not run yet
}

func newHostileQueue(t *testing.T) *hostileQueue {
	t.Helper()
	clock := clockwork.NewFakeClockAt(time.Date(2024, 1, 17, 10, 20, 30, 0, time.UTC))
	q := &hostileQueue{t: t, db: mongotest.Database(t), clock: clock, good: map[bson.ObjectID]bool{}}
	q.problems = queue.NewProblems(clock.Now, slog.New(slog.DiscardHandler))
	q.store = mongoqueue.New(q.db, mongoqueue.Options{Now: clock.Now, Problems: q.problems})
	if err := q.store.Prepare(t.Context()); err != nil {
		t.Fatal(err)
	}
	return q
}

func (q *hostileQueue) insert(collection string, documents ...any) int {
	q.t.Helper()
	stored := 0
	for _, document := range documents {
		if _, err := q.db.Collection(collection).InsertOne(q.t.Context(), document); err == nil {
			stored++
		} else if mongo.IsNetworkError(err) {
			q.t.Fatal(err)
		}
	}
	return stored
}

func (q *hostileQueue) enqueue(names ...string) {
	q.t.Helper()
	for _, name := range names {
		receipts, err := q.store.Enqueue(q.t.Context(), queue.Request{Name: name})
		if err != nil {
			q.t.Fatal(err)
		}
		q.good[receipts[0].Job.ID] = true
	}
}

// runAll leases and records as a worker does, on both halves of the lock
// condition, until the good jobs have run. Every call must work.
func (q *hostileQueue) runAll() {
	q.t.Helper()
	ctx := q.t.Context()
	for round := 0; len(q.good) > 0; round++ {
		if round == 60 {
			q.t.Fatalf("%d good jobs have not run", len(q.good))
		}
		for _, expired := range []bool{false, true} {
			batch, err := q.store.Lease(ctx, queue.LeaseRequest{
				Holder: "worker@w1", Total: 4, Horizon: time.Minute, Expired: expired,
				Names: map[string]queue.NameRequest{"a": {Free: 2}, "b": {Free: 2}, "c": {Free: 2, Limit: 2}},
			})
			if err != nil {
				q.t.Fatalf("Lease: %v", err)
			}
			q.finish(ctx, batch.Leases)
		}
		q.clock.Advance(time.Second)
	}
}

func (q *hostileQueue) finish(ctx context.Context, leases []*queue.Lease) {
	q.t.Helper()
	if len(leases) == 0 {
		return
	}
	if err := q.store.Open(ctx, leases); err != nil {
		q.t.Fatalf("Open: %v", err)
	}
	lost, err := q.store.Renew(ctx, leases)
	if err != nil || len(lost) > 0 {
		q.t.Fatalf("Renew: %d lost, %v", len(lost), err)
	}
	if _, err := q.store.CancelRequested(ctx, leases); err != nil {
		q.t.Fatalf("CancelRequested: %v", err)
	}
	endings := make([]queue.Ending, len(leases))
	for i, lease := range leases {
		endings[i] = queue.Ending{Lease: lease, Outcome: job.Succeeded, Progress: &job.Progress{Percent: 50}}
	}
	results, err := q.store.Record(ctx, endings)
	if err != nil {
		q.t.Fatalf("Record: %v", err)
	}
	for i, result := range results {
		if q.good[leases[i].Job.ID] && result != nil {
			q.t.Errorf("a good job was not recorded: %v", result)
		}
		delete(q.good, leases[i].Job.ID)
	}
	if _, err := q.store.RecordRuns(ctx, endings); err != nil {
		q.t.Fatalf("RecordRuns: %v", err)
	}
}

// look calls everything that reads.
func (q *hostileQueue) look() {
	q.t.Helper()
	ctx := q.t.Context()
	_, countsErr := q.store.Counts(ctx)
	_, dueErr := q.store.Due(ctx, []string{"a", "b"})
	_, settingsErr := q.store.Settings(ctx)
	_, recurringErr := q.store.BadSchedules(ctx)
	_, rescueErr := q.store.Rescue(ctx, queue.RescueRequest{Instance: "worker@w9"})
	_, purgeErr := q.store.PurgeFinished(ctx, q.clock.Now().Add(-1000*time.Hour))
	if err := errors.Join(countsErr, dueErr, settingsErr, recurringErr, rescueErr, purgeErr, q.store.Reconcile(ctx, "c")); err != nil {
		q.t.Fatal(err)
	}
	for _, filter := range []queue.Filter{
		{},
		{Dead: true},
		{Names: []string{"a"}},
		{States: []job.State{job.Running}},
		{States: []job.State{job.Failed}},
		{States: []job.State{job.Repeating}},
		{States: []job.State{job.Queued}},
		{States: []job.State{job.Scheduled}},
		{States: []job.State{job.Completed}},
	} {
		page, err := q.store.List(ctx, filter)
		if err != nil {
			q.t.Fatalf("List %+v: %v", filter, err)
		}
		for _, document := range page.Jobs {
			if _, err := q.store.Runs(ctx, document.ID, 10); err != nil {
				q.t.Fatalf("Runs: %v", err)
			}
		}
	}
}

// Whatever lies in the collections, all good jobs run, and everything that
// reads goes on.
func TestHostileDocumentsCostOnlyThemselves(t *testing.T) {
	t.Parallel()
	for seed := range uint64(6) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel()
			random := rand.New(rand.NewPCG(seed, 0))
			q := newHostileQueue(t)
			stored := 0
			for range 80 {
				stored += q.insert("agendaJobs", hostileJob(random, q.clock.Now().Add(-time.Hour)))
			}
			if stored < 40 {
				t.Fatalf("the engine stored %d hostile documents, too few to tell", stored)
			}
			values := hostileValues()
			for range 20 {
				value := values[random.IntN(len(values))]
				q.insert("agendaRuns", bson.D{{Key: "jobId", Value: value}, {Key: "tick", Value: value}, {Key: "attempt", Value: value}, {Key: "worker", Value: "worker@w9"}, {Key: "outcome", Value: "running"}, {Key: "startedAt", Value: value}})
				q.insert("agendaSettings", bson.D{{Key: "_id", Value: fmt.Sprint("name ", random.Int64())}, {Key: "paused", Value: value}, {Key: "slots", Value: value}, {Key: "retry", Value: value}})
			}
			q.insert("agendaSettings", bson.D{{Key: "_id", Value: "c"}, {Key: "slots", Value: "text"}}, bson.D{{Key: "_id", Value: 7}, {Key: "slots", Value: bson.A{"x"}}})
			q.enqueue("a", "b", "a", "b", "b", "a")
			q.runAll()
			q.look()
		})
	}
}

// A name whose places cannot be used gets none, and costs the others nothing.
func TestPlacesThatCannotBeUsedCostTheirNameAlone(t *testing.T) {
	t.Parallel()
	q := newHostileQueue(t)
	q.insert("agendaSettings", bson.D{{Key: "_id", Value: "a"}, {Key: "slots", Value: "text"}})
	q.enqueue("a", "b")
	batch, err := q.store.Lease(t.Context(), queue.LeaseRequest{
		Holder: "worker@w1", Total: 5, Names: map[string]queue.NameRequest{"a": {Free: 1, Limit: 1}, "b": {Free: 1}},
	})
	if err != nil || len(batch.Leases) != 1 || batch.Leases[0].Job.Name != "b" {
		t.Errorf("leased %d, %v; want the job of b", len(batch.Leases), err)
	}
}

// A document that can never be leased is reported by its id, once, and with
// what to do; and the claim matches whatever the search decides.
func TestDocumentsThatCannotRunAreReported(t *testing.T) {
	t.Parallel()
	q := newHostileQueue(t)
	due := q.clock.Now().Add(-time.Hour)
	for i := range 30 { // more than any page of a search
		q.insert("agendaJobs",
			bson.D{{Key: "_id", Value: fmt.Sprint("text ", i)}, {Key: "name", Value: "a"}, {Key: "nextRunAt", Value: due}},
			bson.D{{Key: "_id", Value: int32(i)}, {Key: "name", Value: "a"}, {Key: "nextRunAt", Value: due}},
			bson.D{{Key: "_id", Value: bson.NewObjectID()}, {Key: "name", Value: bson.A{"a"}}, {Key: "nextRunAt", Value: due}})
	}
	q.enqueue("a", "b")
	q.runAll()
	problems := q.problems.List()
	ids := map[string]bool{}
	for _, problem := range problems {
		if ids[problem.ID] || problem.What == "" || problem.Fix == "" || problem.Collection != "agendaJobs" {
			t.Errorf("reported %+v", problem)
		}
		ids[problem.ID] = true
	}
	if len(ids) != 90 || !ids["text 3"] {
		t.Errorf("%d documents are reported, want 90", len(ids))
	}
}

// What JavaScript takes for false in repeatInterval and repeatAt, such as empty
// text, means to Agenda that the job does not repeat: it runs once, and can be
// cancelled.
func TestEmptyRepetitionIsNone(t *testing.T) {
	t.Parallel()
	for _, value := range []any{"", false, int32(0), nil} {
		for _, field := range []string{"repeatInterval", "repeatAt"} {
			q := newHostileQueue(t)
			run, cancelled := bson.NewObjectID(), bson.NewObjectID()
			q.insert("agendaJobs",
				bson.D{{Key: "_id", Value: run}, {Key: "name", Value: "a"}, {Key: "type", Value: "normal"}, {Key: "nextRunAt", Value: q.clock.Now()}, {Key: field, Value: value}},
				bson.D{{Key: "_id", Value: cancelled}, {Key: "name", Value: "n"}, {Key: "type", Value: "normal"}, {Key: "nextRunAt", Value: q.clock.Now()}, {Key: field, Value: value}})
			q.good[run] = true
			q.runAll()
			document, err := q.store.Get(t.Context(), run)
			if err != nil || !document.NextRunAt.IsZero() || document.LastFinishedAt.IsZero() {
				t.Errorf("%s %v: after its run the job is %+v, %v", field, value, document, err)
			}
			if _, err := q.store.Cancel(t.Context(), cancelled, "ann"); err != nil {
				t.Errorf("%s %v: not cancelled: %v", field, value, err)
			}
		}
	}
}
