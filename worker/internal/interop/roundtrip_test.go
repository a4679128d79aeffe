package interop_test

import (
	"math"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/etrainer/backend/pkg/job"
	"github.com/etrainer/backend/pkg/mongodb/mongotest"
	"github.com/etrainer/backend/pkg/queue"
	"github.com/etrainer/backend/pkg/schedule"
)

// TestNodeSavesOurDocument: a Node process loads a job that we wrote and saves
// it again, as services do to change one field. Every value keeps its type and
// its bits, and our worker still reads it.
func TestNodeSavesOurDocument(t *testing.T) {
	t.Parallel()
	eachVersion(t, func(t *testing.T, v version) {
		db := mongotest.Database(t)
		store, n := newStore(t, db), startNode(t, v, db)
		ours := map[string]string{"one-off": richJob(t, store, "one-off")}

		spec := schedule.Spec{
			Interval: "30 9 * * 1-5", Timezone: "Asia/Ho_Chi_Minh",
			Start: time.Now().Add(time.Hour), End: time.Now().AddDate(1, 0, 0), SkipDays: []time.Weekday{time.Sunday, time.Saturday},
		}
		spec.Start, spec.End = spec.Start.Truncate(time.Millisecond).UTC(), spec.End.Truncate(time.Millisecond).UTC()
		recurring := queue.Recurring{Name: "recurring", Priority: new(job.PriorityLow), Repeat: spec}
		if _, err := store.Arm(t.Context(), recurring); err != nil {
			t.Fatal(err)
		}
		ours["recurring"] = onlyJob(t, db, "recurring")

		for name, id := range ours {
			before := loadRaw(t, db, id)
			n.call("resave", id)
			after := loadRaw(t, db, id)
			t.Run(name, func(t *testing.T) { sameDocument(t, before, after) })
		}
		if armed, err := store.Arm(t.Context(), recurring); err != nil || armed != queue.ArmedUnchanged {
			t.Errorf("after Node's save Arm answers %s (%v), want %s", armed, err, queue.ArmedUnchanged)
		}

		w := startWorker(t, db, named("one-off"))
		if _, err := store.Retry(t.Context(), objectID(t, ours["one-off"]), ""); err != nil {
			t.Fatal(err)
		}
		awaitFinished(t, db, ours["one-off"])
		if got, want := w.runs.list()[0].Data, plain(load(t, db, ours["one-off"]).Data); got != want {
			t.Errorf("our worker was given %s, want %s", got, want)
		}
	})
}

// richJob makes a job with a value of each type that JavaScript can hold.
func richJob(t *testing.T, store queue.Producer, name string) string {
	t.Helper()
	data, err := job.ToData(bson.D{
		{Key: "int32", Value: int32(math.MaxInt32)},
		{Key: "double", Value: 0.1},
		{Key: "large", Value: float64(1 << 40)},
		{Key: "text", Value: "Đã đến giờ học! 📚\u0000"},
		{Key: "empty", Value: ""},
		{Key: "truth", Value: true},
		{Key: "null", Value: nil},
		{Key: "date", Value: time.UnixMilli(1_700_000_000_123)},
		{Key: "before 1970", Value: time.UnixMilli(-1)},
		{Key: "id", Value: bson.NewObjectID()},
		{Key: "bytes", Value: bson.Binary{Data: []byte{0, 1, 255}}},
		{Key: "list", Value: bson.A{int32(1), "two", bson.D{}}},
		{Key: "nested", Value: bson.D{{Key: "z", Value: int32(1)}, {Key: "a", Value: bson.A{}}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	receipts, err := store.Enqueue(t.Context(), queue.Request{
		Name: name, Data: data, Priority: -3.5, RunAt: time.Now().Add(time.Hour),
	})
	if err != nil {
		t.Fatal(err)
	}
	return receipts[0].Job.ID.Hex()
}

// sameDocument fails when a field has other bits than before, or when one
// appeared that means something.
func sameDocument(t *testing.T, before, after bson.Raw) {
	t.Helper()
	elements, err := after.Elements()
	if err != nil {
		t.Fatal(err)
	}
	for _, element := range elements {
		field, value := element.Key(), element.Value()
		switch {
		case field == "lastModifiedBy": // Node's name
		case field == "shouldSaveResult" && value.Equal(bson.RawValue{Type: bson.TypeBoolean, Value: []byte{0}}): // Agenda 5 adds its default
		case absent(before, field) && absent(after, field):
		case !before.Lookup(field).Equal(value):
			t.Errorf("%s was %s and is %s", field, before.Lookup(field), value)
		}
	}
	elements, err = before.Elements()
	if err != nil {
		t.Fatal(err)
	}
	for _, element := range elements {
		if !absent(before, element.Key()) && absent(after, element.Key()) {
			t.Errorf("%s was %s and is gone", element.Key(), element.Value())
		}
	}
}
