package mongoqueue_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jonboulle/clockwork"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/etrainer/backend/pkg/job"
	"github.com/etrainer/backend/pkg/mongodb/mongotest"
	"github.com/etrainer/backend/pkg/queue"
	"github.com/etrainer/backend/pkg/queue/mongoqueue"
	"github.com/etrainer/backend/pkg/schedule"
)

// wireCase is one row of testdata/agenda-wire.json: documents that were
// given, what Agenda was asked to do, and what that changed.
type wireCase struct {
	ID       string            `json:"id"`
	Title    string            `json:"title"`
	Agenda   string            `json:"agenda"`
	Now      time.Time         `json:"now"`
	Given    []json.RawMessage `json:"given"`
	Expected []struct {
		ID            json.RawMessage            `json:"_id"`
		Set           map[string]json.RawMessage `json:"set"`
		RemovedFields []string                   `json:"removedFields"`
		Removed       bool                       `json:"removed"`
		Inserted      json.RawMessage            `json:"inserted"`
	} `json:"expected"`
}

// wire is the environment of one case.
type wire struct {
	t     *testing.T
	store *mongoqueue.Store
	clock *clockwork.FakeClock
	db    *mongo.Database
}

// holder is lastModifiedBy in the cases that name their instance, and none in
// the others.
var holders = map[string]string{"ag-020": "host-1", "ag-050": "w1", "ag-054": "w1"}

func (w wire) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w wire) enqueue(requests ...queue.Request) {
	w.t.Helper()
	_, err := w.store.Enqueue(w.t.Context(), requests...)
	w.must(err)
}

func (w wire) arm(repeat schedule.Spec, payload any) error {
	raw, err := job.ToData(payload)
	w.must(err)
	_, err = w.store.Arm(w.t.Context(), queue.Recurring{Name: "report", Data: raw, Repeat: repeat})
	return err
}

// lease leases what is due, or expired, as a starting Agenda does.
func (w wire) lease(holder string) []*queue.Lease {
	w.t.Helper()
	var leases []*queue.Lease
	for _, expired := range []bool{true, false} {
		batch, err := w.store.Lease(w.t.Context(), queue.LeaseRequest{
			Holder: holder, Total: 10, Expired: expired, Names: map[string]queue.NameRequest{"report": {Free: 10}},
		})
		w.must(err)
		leases = append(leases, batch.Leases...)
	}
	return leases
}

// run leases, lets the handler take a time, and records.
func (w wire) run(holder string, takes time.Duration, ending queue.Ending) {
	w.t.Helper()
	leases := w.lease(holder)
	w.clock.Advance(takes)
	endings := make([]queue.Ending, len(leases))
	for i, lease := range leases {
		endings[i] = ending
		endings[i].Lease = lease
	}
	results, err := w.store.Record(w.t.Context(), endings)
	w.must(errors.Join(append(results, err)...))
}

func raw(value any) bson.RawValue {
	v, err := job.ToData(value)
	if err != nil {
		panic(err)
	}
	return v
}

const handlerTime = 1500 * time.Millisecond

var (
	success = queue.Ending{Outcome: job.Succeeded}
	boom    = queue.Ending{Outcome: job.Dead, Error: "boom"}
)

func retryIn(w wire, d time.Duration) queue.Ending {
	return queue.Ending{Outcome: job.Retrying, Error: "boom", RunAgainAt: w.clock.Now().Add(handlerTime + d)}
}

// actions says which of our calls stands for Agenda's in each case.
var actions = map[string]func(w wire){
	"ag-001": func(w wire) { w.must(w.arm(schedule.Spec{Interval: "5 minutes"}, map[string]any{"a": 1})) },
	"ag-005": func(w wire) { w.must(w.arm(schedule.Spec{Interval: "5 minutes"}, map[string]any{"a": 1})) },
	"ag-009": func(w wire) { w.must(w.arm(schedule.Spec{Interval: "0 9 * * *"}, map[string]any{"a": 1})) },
	"ag-011": func(w wire) { w.must(w.arm(schedule.Spec{Interval: "1 hour"}, map[string]any{"a": 1})) },
	"ag-013": func(w wire) { w.must(w.arm(schedule.Spec{Interval: "5 minutes"}, nil)) },
	"ag-015": func(w wire) {
		if w.arm(schedule.Spec{Interval: "5 Minutes"}, nil) == nil {
			w.t.Error("an unreadable interval was accepted")
		}
	},
	"ag-018": func(w wire) {
		w.must(w.arm(schedule.Spec{
			Interval: "0 9 * * *", Timezone: "America/New_York", SkipDays: []time.Weekday{time.Sunday, time.Saturday},
			Start: time.Date(2024, 2, 1, 0, 0, 0, 0, time.UTC), End: time.Date(2024, 3, 1, 0, 0, 0, 0, time.UTC),
		}, map[string]any{}))
	},
	"ag-020": func(w wire) { w.enqueue(queue.Request{Name: "report", Data: raw(map[string]any{"a": 1})}) },
	"ag-026": func(w wire) {
		w.enqueue(queue.Request{Name: "report", Data: raw(map[string]any{"a": 1}), RunAt: w.clock.Now().Add(5 * time.Minute)})
	},
	"ag-028": func(w wire) {
		if at, err := schedule.ParseWhen("tomorrow at 5", w.clock.Now(), time.UTC); err == nil {
			w.t.Errorf("tomorrow at 5 is read as %s", at)
		}
	},
	"ag-030": func(w wire) {
		w.enqueue(queue.Request{Name: "report", Data: raw(map[string]any{}), Priority: job.PriorityHigh, RunAt: time.Date(2024, 2, 1, 0, 0, 0, 0, time.UTC)})
	},
	"ag-035": func(w wire) {
		w.enqueue(queue.Request{Name: "report", Data: raw(map[string]any{"userId": 7, "n": 2}), RunAt: time.Date(2024, 1, 17, 13, 0, 0, 0, time.UTC), Unique: &queue.Unique{By: map[string]any{"userId": 7}}})
	},
	"ag-038": func(w wire) {
		w.enqueue(queue.Request{Name: "report", Data: raw(map[string]any{"userId": 7, "n": 2}), Unique: &queue.Unique{By: map[string]any{"userId": 7}, InsertOnly: true}})
	},
	"ag-040": func(w wire) {
		w.enqueue(queue.Request{Name: "report", Data: raw(map[string]any{"userId": 7}), Unique: &queue.Unique{By: map[string]any{"userId": 7}}})
	},
	"ag-050": func(w wire) { w.run("w1", handlerTime, success) },
	"ag-054": func(w wire) { w.run("w1", handlerTime, boom) },
	"ag-056": func(w wire) { w.run("", handlerTime, retryIn(w, time.Minute)) },
	"ag-057": func(w wire) { w.run("", handlerTime, boom) },
	"ag-058": func(w wire) { w.run("", handlerTime, success) },
	"ag-061": func(w wire) { w.run("", handlerTime, success) },
	"ag-063": func(w wire) { w.run("", handlerTime, boom) },
	"ag-065": func(w wire) { w.run("", handlerTime, retryIn(w, 10*time.Second)) },
	"ag-066": func(w wire) { w.run("", handlerTime, success) },
	"ag-071": func(w wire) {
		w.run("", handlerTime, queue.Ending{Outcome: job.Succeeded, Progress: &job.Progress{Percent: 50}})
	},
	"ag-073": func(w wire) { w.run("", handlerTime, success) },
	"ag-075": func(w wire) { w.run("", handlerTime, success) },
	"ag-077": func(w wire) { w.run("", handlerTime, success) },
	"ag-078": func(w wire) { w.run("", handlerTime, success) },
	"ag-083": func(w wire) { // one runs on, the other had not started: it is handed back
		leases := w.lease("")
		_, err := w.store.Record(w.t.Context(), []queue.Ending{{Lease: leases[1], Outcome: job.Released, Unstarted: true}})
		w.must(err)
	},
	"ag-100": func(w wire) {
		_, err := w.store.Retry(w.t.Context(), objectID(1), "agendash")
		w.must(err)
		if got, err := w.store.Get(w.t.Context(), objectID(1)); err != nil || got.FailCount != 0 || !got.NextRunAt.Equal(w.clock.Now()) {
			w.t.Errorf("after retry: %+v, %v", got, err)
		}
	},
	"ag-105": func(w wire) { w.run("", handlerTime, success) },
	"ag-107": func(w wire) { w.run("", 100*time.Millisecond, success) },
	"ag-109": func(w wire) { w.run("", handlerTime, success) },
	"ag-115": func(w wire) { w.run("", handlerTime, success) },
}

func objectID(n int) bson.ObjectID {
	id, err := bson.ObjectIDFromHex(fmt.Sprintf("%024x", n))
	if err != nil {
		panic(err)
	}
	return id
}

// TestWire asks our calls for what Agenda 6.2.6 was asked for, and compares
// every field of every document with what Agenda left.
func TestWire(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("testdata/agenda-wire.json")
	if err != nil {
		t.Fatal(err)
	}
	var cases []wireCase
	if err := json.Unmarshal(text, &cases); err != nil {
		t.Fatal(err)
	}
	done := 0
	for _, c := range cases {
		act, ok := actions[c.ID]
		if !ok {
			continue
		}
		if c.Agenda != "6.2.6" {
			t.Errorf("%s is of Agenda %s", c.ID, c.Agenda)
		}
		done++
		t.Run(c.ID+" "+c.Title, func(t *testing.T) {
			t.Parallel()
			c.test(t, act)
		})
	}
	if done != len(actions) {
		t.Errorf("%d cases were found for %d actions", done, len(actions))
	}
}

func (c wireCase) test(t *testing.T, act func(wire)) {
	db := mongotest.Database(t)
	jobs := db.Collection(mongoqueue.DefaultCollection)
	want := map[string]bson.M{}
	for _, given := range c.Given {
		document := decodeExt(t, given)
		if _, err := jobs.InsertOne(t.Context(), document); err != nil {
			t.Fatal(err)
		}
		want[key(document)] = asMap(document)
	}
	clock := clockwork.NewFakeClockAt(c.Now)
	act(wire{t: t, db: db, clock: clock, store: mongoqueue.New(db, mongoqueue.Options{Now: clock.Now, Name: holders[c.ID]})})
	for _, e := range c.Expected {
		switch {
		case e.Inserted != nil:
			document := asMap(decodeNew(t, e.Inserted))
			delete(document, "_id")
			want["<new>"] = document
		default:
			id := key(bson.D{{Key: "_id", Value: decodeExt(t, []byte(`{"v":`+string(e.ID)+`}`))[0].Value}})
			if e.Removed {
				delete(want, id)
				continue
			}
			for field, value := range e.Set {
				want[id][field] = decodeExt(t, []byte(`{"v":`+string(value)+`}`))[0].Value
			}
			for _, field := range e.RemovedFields {
				delete(want[id], field)
			}
		}
	}
	compare(t, c.ID, want, read(t, jobs, want))
}

// read returns the documents as they are now; one that was not given is new.
func read(t *testing.T, jobs *mongo.Collection, given map[string]bson.M) map[string]bson.M {
	cursor, err := jobs.Find(context.Background(), bson.D{})
	if err != nil {
		t.Fatal(err)
	}
	var documents []bson.D
	if err := cursor.All(context.Background(), &documents); err != nil {
		t.Fatal(err)
	}
	got := map[string]bson.M{}
	for _, document := range documents {
		id, fields := key(document), asMap(document)
		if _, known := given[id]; !known {
			id = "<new>"
			delete(fields, "_id")
		}
		got[id] = fields
	}
	return got
}

func compare(t *testing.T, id string, want, got map[string]bson.M) {
	t.Helper()
	for document, fields := range want {
		names := make([]string, 0, len(fields)+len(got[document]))
		for name := range fields {
			names = append(names, name)
		}
		for name := range got[document] {
			names = append(names, name)
		}
		slices.Sort(names)
		for _, name := range slices.Compact(names) {
			wantValue, wanted := fields[name]
			gotValue, present := got[document][name]
			same := wanted == present && cmp.Equal(wantValue, gotValue)
			if !same && !mongoqueue.Differs(id, name) {
				t.Errorf("%s of %s is %v (present %t), Agenda leaves %v (present %t)", name, document, gotValue, present, wantValue, wanted)
			}
		}
	}
	if len(got) != len(want) && !mongoqueue.Differs(id, "") {
		t.Errorf("%d documents, Agenda leaves %d", len(got), len(want))
	}
}

func decodeExt(t *testing.T, text []byte) bson.D {
	t.Helper()
	var document bson.D
	if err := bson.UnmarshalExtJSON(text, false, &document); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return document
}

// decodeNew decodes a document whose id is not known.
func decodeNew(t *testing.T, text []byte) bson.D {
	t.Helper()
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(text, &fields); err != nil {
		t.Fatal(err)
	}
	delete(fields, "_id")
	rest, err := json.Marshal(fields)
	if err != nil {
		t.Fatal(err)
	}
	return decodeExt(t, rest)
}

func key(document bson.D) string {
	for _, e := range document {
		if e.Key == "_id" {
			return fmt.Sprint(e.Value)
		}
	}
	return ""
}

func asMap(document bson.D) bson.M {
	m := bson.M{}
	for _, e := range document {
		m[e.Key] = e.Value
	}
	return m
}
