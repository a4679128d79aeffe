package mongoqueue_test

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/etrainer/backend/pkg/mongodb/mongotest"
	"github.com/etrainer/backend/pkg/queue/mongoqueue"
	"github.com/etrainer/backend/pkg/queue/queuetest"
)

// nodeJob is a finished job as Agenda saves it, with fields changed.
func nodeJob(id string, at time.Time, changes ...bson.E) bson.M {
	doc := bson.M{
		"_id": id, "name": "mail", "data": bson.M{}, "type": "normal", "priority": 0, "nextRunAt": nil,
		"lastModifiedBy": nil, "lockedAt": nil, "lastRunAt": at.Add(-time.Second), "lastFinishedAt": at,
	}
	for _, change := range changes {
		doc[change.Key] = change.Value
	}
	return doc
}

// Only one-off jobs that ended well, or were cancelled, and long ago, go.
func TestPurgeFinished(t *testing.T) {
	t.Parallel()
	db := mongotest.Database(t)
	limit := queuetest.Start
	old, young := limit.Add(-time.Hour), limit.Add(time.Hour)
	with := func(key string, value any) bson.E { return bson.E{Key: key, Value: value} }
	jobs := []any{
		nodeJob("gone: completed", old),
		nodeJob("gone: failed, then completed", old, with("failedAt", old.Add(-time.Minute)), with("failCount", 1)),
		nodeJob("gone: cancelled in a run", old, with("cancelledAt", old)),
		nodeJob("gone: cancelled before", old, with("cancelledAt", old), with("lastRunAt", nil), with("lastFinishedAt", nil)),
		nodeJob("gone: cancelled, then its worker died", old, with("cancelledAt", old), with("lastRunAt", old.Add(-time.Second)), with("lastFinishedAt", nil)),
		nodeJob("gone: the same after an earlier run", old, with("cancelledAt", old), with("lastRunAt", old.Add(-time.Second)), with("lastFinishedAt", old.Add(-time.Minute))),
		nodeJob("young", young),
		nodeJob("young: cancelled after its run", old, with("cancelledAt", young)),
		nodeJob("ran on after a cancel", old.Add(-time.Hour), with("cancelledAt", old.Add(-time.Minute)), with("lastRunAt", old)),
		nodeJob("young: cancelled", old, with("cancelledAt", young), with("lastRunAt", nil), with("lastFinishedAt", nil)),
		nodeJob("exactly at the limit", limit),
		nodeJob("dead", old, with("failedAt", old)),
		nodeJob("held", old, with("lockedAt", old)),
		nodeJob("planned", old, with("nextRunAt", young)),
		nodeJob("repeats", old, with("repeatInterval", "1 day")),
		nodeJob("repeats at", old, with("repeatAt", "3:00pm")),
		nodeJob("single", old, with("type", "single")),
		nodeJob("never ended", old, with("lastRunAt", young)),
		nodeJob("foreign date", old, with("lastFinishedAt", "2020-01-01")),
		nodeJob("foreign failure", old, with("failedAt", "yesterday")),
		nodeJob("never ran", old, with("lastRunAt", nil), with("lastFinishedAt", nil)),
	}
	var want []string
	for _, j := range jobs[6:] {
		want = append(want, j.(bson.M)["_id"].(string))
	}
	for range 1001 { // more than two batches
		j := nodeJob("", old)
		j["_id"] = bson.NewObjectID()
		jobs = append(jobs, j)
	}
	if _, err := db.Collection("agendaJobs").InsertMany(t.Context(), jobs); err != nil {
		t.Fatal(err)
	}
	store := mongoqueue.New(db, mongoqueue.Options{})
	if n, err := store.PurgeFinished(t.Context(), limit); n != 1007 || err != nil {
		t.Errorf("removed %d, %v; want 1007", n, err)
	}
	cursor, err := db.Collection("agendaJobs").Find(t.Context(), bson.D{})
	if err != nil {
		t.Fatal(err)
	}
	var left []struct {
		ID string `bson:"_id"`
	}
	if err := cursor.All(t.Context(), &left); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, j := range left {
		got = append(got, j.ID)
	}
	slices.Sort(want)
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("left (-want +got):\n%s", diff)
	}
}

// A job that somebody touches between the look and the removal stays.
func TestPurgeFinishedLosesToARetry(t *testing.T) {
	t.Parallel()
	collection := mongotest.Database(t).Collection("agendaJobs")
	old := queuetest.Start.Add(-time.Hour)
	for what, change := range map[string]bson.D{
		"retried": {{Key: "nextRunAt", Value: queuetest.Start}},
		"leased":  {{Key: "lockedAt", Value: queuetest.Start}},
		"failed":  {{Key: "failedAt", Value: old}},
		"ran":     {{Key: "lastRunAt", Value: old.Add(time.Second)}},
		"re-run":  {{Key: "lastFinishedAt", Value: old.Add(time.Second)}},
	} {
		if _, err := collection.InsertOne(t.Context(), nodeJob(what, old)); err != nil {
			t.Fatal(err)
		}
		id := bson.D{{Key: "_id", Value: what}}
		found, err := collection.FindOne(t.Context(), id).Raw()
		if err != nil {
			t.Fatal(err)
		}
		filter, ok := mongoqueue.StillFinished(found, queuetest.Start)
		if n, err := collection.CountDocuments(t.Context(), filter); !ok || n != 1 || err != nil {
			t.Fatalf("%s: before the change %v, %d, %v", what, ok, n, err)
		}
		if _, err := collection.UpdateOne(t.Context(), id, bson.D{{Key: "$set", Value: change}}); err != nil {
			t.Fatal(err)
		}
		if n, err := collection.CountDocuments(t.Context(), filter); n != 0 || err != nil {
			t.Errorf("%s: matches %d, %v", what, n, err)
		}
	}
}
