package retention_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/etrainer/backend/pkg/catalog"
	"github.com/etrainer/backend/pkg/job"
	"github.com/etrainer/backend/pkg/mongodb/mongotest"
	"github.com/etrainer/backend/pkg/queue/mongoqueue"
	"github.com/etrainer/backend/worker/internal/handlers/handlertest"
	"github.com/etrainer/backend/worker/internal/handlers/retention"
)

func TestMain(m *testing.M) { mongotest.Main(m) }

// What is old goes, what is young stays, and the result tells how much.
func TestRun(t *testing.T) {
	t.Parallel()
	db := mongotest.Database(t)
	store := mongoqueue.New(db, mongoqueue.Options{})
	for id, ended := range map[string]time.Time{"old": time.Now().Add(-48 * time.Hour), "young": time.Now().Add(-time.Hour)} {
		if _, err := db.Collection(mongoqueue.DefaultCollection).InsertOne(t.Context(), bson.M{
			"_id": id, "name": "mail", "type": "normal", "nextRunAt": nil, "lockedAt": nil, "lastRunAt": ended, "lastFinishedAt": ended,
		}); err != nil {
			t.Fatal(err)
		}
	}
	for id, expires := range map[int]time.Time{1: time.Now().Add(-time.Minute), 2: time.Now().Add(time.Hour)} {
		if _, err := db.Collection(mongoqueue.RunsCollection).InsertOne(t.Context(), bson.M{"_id": id, "jobId": id, "expiresAt": expires}); err != nil {
			t.Fatal(err)
		}
	}
	run := handlertest.Run(t, db, retention.New(
		retention.Kind{Name: "run records", Purge: func(ctx context.Context) (int64, error) { return store.PurgeRuns(ctx, store.Now()) }},
		retention.Kind{Name: "finished jobs", Purge: func(ctx context.Context) (int64, error) {
			return store.PurgeFinished(ctx, store.Now().Add(-24*time.Hour))
		}},
	), nil, time.Time{})
	want := map[string]int64{"run records": 1, "finished jobs": 1}
	if diff := cmp.Diff(want, handlertest.Result[retention.Result](t, run).Removed); diff != "" {
		t.Errorf("removed (-want +got):\n%s", diff)
	}
	for _, left := range []struct {
		collection string
		id         any
	}{{mongoqueue.DefaultCollection, "young"}, {mongoqueue.RunsCollection, 2}} {
		if n, err := db.Collection(left.collection).CountDocuments(t.Context(), bson.D{{Key: "_id", Value: left.id}}); n != 1 || err != nil {
			t.Errorf("%v of %s: %d, %v", left.id, left.collection, n, err)
		}
	}
}

// A kind that cannot be removed keeps nobody else from being removed, and the
// run fails, so that it is made again.
func TestAKindFails(t *testing.T) {
	t.Parallel()
	reached := false
	run := handlertest.Run(t, mongotest.Database(t), retention.New(
		retention.Kind{Name: "tickets", Purge: func(context.Context) (int64, error) { return 3, errors.New("the collection is away") }},
		retention.Kind{Name: "entries", Purge: func(context.Context) (int64, error) { reached = true; return 0, nil }},
	), nil, time.Time{})
	if run.Outcome != job.Retrying || !strings.Contains(run.Error, "remove tickets: the collection is away") || !reached {
		t.Errorf("it ended as %s: %s; the second kind was reached: %v", run.Outcome, run.Error, reached)
	}
}

// One worker does it, however many there are: a tick is one job.
func TestItIsARecurringJob(t *testing.T) {
	t.Parallel()
	d, known := catalog.ETrainer("").Lookup(catalog.Retention.Name)
	if !known || d.Repeat.Interval == "" || d.Concurrency != 1 {
		t.Errorf("the definition is %+v", d)
	}
}
