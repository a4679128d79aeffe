package steps_test

import (
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/etrainer/backend/migrations/internal/migrate"
	"github.com/etrainer/backend/migrations/internal/steps"
	"github.com/etrainer/backend/pkg/catalog"
	"github.com/etrainer/backend/pkg/mongodb"
	"github.com/etrainer/backend/pkg/mongodb/mongotest"
	"github.com/etrainer/backend/pkg/queue"
	"github.com/etrainer/backend/pkg/queue/mongoqueue"
	"github.com/etrainer/backend/pkg/schedule"
	"github.com/etrainer/backend/pkg/schema"
)

func TestMain(m *testing.M) { mongotest.Main(m) }

// now is a Monday, 02:30 UTC: 09:30 in Viet Nam.
var now = time.Date(2024, 1, 15, 2, 30, 0, 0, time.UTC)

const zone = "Asia/Ho_Chi_Minh"

func hcm() *time.Location {
	z, err := time.LoadLocation(zone)
	if err != nil {
		panic(err)
	}
	return z
}

func runner(db *mongo.Database) *migrate.Runner {
	return migrate.New(
		migrate.Target{DB: db, Jobs: schema.Jobs, Zone: hcm(), NodeZone: time.UTC, Now: func() time.Time { return now }},
		steps.All(schema.Jobs, catalog.ETrainer(zone).Recurring()), migrate.Options{Holder: "test"})
}

// store inserts documents that are written as Node's drivers wrote them.
func store(t *testing.T, db *mongo.Database, documents ...string) {
	t.Helper()
	for _, text := range documents {
		var d bson.D
		if err := bson.UnmarshalExtJSON([]byte(text), false, &d); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		if _, err := db.Collection(schema.Jobs).InsertOne(t.Context(), d); err != nil {
			t.Fatal(err)
		}
	}
}

func all(t *testing.T, db *mongo.Database, filter bson.D) []bson.M {
	t.Helper()
	cursor, err := db.Collection(schema.Jobs).Find(t.Context(), filter, options.Find().SetSort(bson.D{{Key: "_id", Value: 1}}))
	if err != nil {
		t.Fatal(err)
	}
	var found []bson.M
	if err := cursor.All(t.Context(), &found); err != nil {
		t.Fatal(err)
	}
	return found
}

func up(t *testing.T, db *mongo.Database) {
	t.Helper()
	if _, err := runner(db).Up(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
}

// The weekly report as Agenda 5 stored it, twice, by two processes that
// started at once; the second one ran. The rest is of 4, 5, 6 and Agendash.
var nodeDocuments = []string{
	`{"_id":{"$oid":"000000000000000000000001"},"name":"generate weekly reports","type":"single","data":{},"priority":0,"shouldSaveResult":false,"repeatInterval":"0 8 * * 1","repeatTimezone":null,"startDate":null,"endDate":null,"skipDays":null,"lastModifiedBy":null,"nextRunAt":{"$date":"2024-01-08T08:00:00Z"}}`,
	`{"_id":{"$oid":"000000000000000000000002"},"name":"generate weekly reports","type":"single","data":{},"priority":0,"shouldSaveResult":false,"repeatInterval":"0 8 * * 1","repeatTimezone":null,"startDate":null,"endDate":null,"skipDays":null,"lastModifiedBy":null,"nextRunAt":{"$date":"2024-01-15T08:00:00Z"},"lockedAt":null,"lastRunAt":{"$date":"2024-01-08T08:00:01Z"},"lastFinishedAt":{"$date":"2024-01-08T08:00:02Z"}}`,
	`{"_id":{"$oid":"000000000000000000000003"},"name":"send mail","type":"normal","data":{"to":"a"},"priority":10,"nextRunAt":{"$date":"2024-02-01T00:00:00Z"},"lastModifiedBy":null}`,
	`{"_id":{"$oid":"000000000000000000000004"},"name":"send mail","type":"once","data":null,"priority":0,"startDate":1704067200000,"skipDays":"2 days","nextRunAt":null,"lastRunAt":{"$date":"2024-01-01T00:00:00Z"},"lastFinishedAt":{"$date":"2024-01-01T00:00:01Z"}}`,
	`{"_id":{"$oid":"000000000000000000000005"},"name":"of another service","type":"single","priority":0,"repeatInterval":60000,"repeatTimezone":null,"nextRunAt":{"$date":"2024-01-15T02:31:00Z"},"skipDays":[0,6],"state":"completed"}`,
	`{"_id":{"$oid":"000000000000000000000006"},"name":"text for a date","type":"normal","nextRunAt":"tomorrow"}`,
	`{"_id":{"$oid":"000000000000000000000007"},"type":"normal"}`,
}

// TestANodeCollectionIsTakenOver: the tick of Monday 08:00, which Node would
// have run at 15:00 in Viet Nam, is overdue by our clock and runs once.
func TestANodeCollectionIsTakenOver(t *testing.T) {
	t.Parallel()
	db := mongotest.Database(t)
	store(t, db, nodeDocuments...)
	others := bson.D{{Key: "_id", Value: bson.D{{Key: "$gte", Value: oid(t, 3)}}}}
	before := all(t, db, others)
	up(t, db)

	weekly := all(t, db, bson.D{{Key: "name", Value: "generate weekly reports"}})
	if len(weekly) != 1 || weekly[0]["_id"] != oid(t, 2) || weekly[0]["repeatTimezone"] != zone {
		t.Fatalf("the weekly report is %v, want the one document that ran last, in %s", weekly, zone)
	}
	tick := time.Date(2024, 1, 15, 8, 0, 0, 0, hcm())
	if got := weekly[0]["nextRunAt"].(bson.DateTime).Time(); !got.Equal(tick) {
		t.Errorf("the next run is %s, want Monday 08:00 by our clock, %s", got, tick)
	}
	if weekly[0]["lastFinishedAt"] == nil {
		t.Error("the history is lost")
	}
	if after := all(t, db, others); !equal(t, before, after) {
		t.Errorf("other documents were changed:\n%v\n%v", before, after)
	}

	// What the worker's scheduler does at its start, and then the worker.
	queues := mongoqueue.New(db, mongoqueue.Options{Now: func() time.Time { return now }, Zone: hcm()})
	armed := arm(t, queues)
	if armed["generate weekly reports"] == queue.ArmedMoved || armed["generate weekly reports"] == queue.ArmedCreated {
		t.Errorf("arming made or moved the weekly report: %v", armed)
	}
	lease := func() int {
		t.Helper()
		batch, err := queues.Lease(t.Context(), queue.LeaseRequest{Holder: "w", Total: 10, Names: map[string]queue.NameRequest{"generate weekly reports": {Free: 10}}})
		if err != nil {
			t.Fatal(err)
		}
		for _, l := range batch.Leases {
			if !l.Tick.Equal(tick) {
				t.Errorf("tick %s was run, want %s", l.Tick, tick)
			}
		}
		return len(batch.Leases)
	}
	if first, second := lease(), lease(); first != 1 || second != 0 {
		t.Errorf("the due tick ran %d and then %d times, want once", first, second)
	}
	next := all(t, db, bson.D{{Key: "name", Value: "generate weekly reports"}})[0]["nextRunAt"].(bson.DateTime).Time()
	if !next.Equal(tick.AddDate(0, 0, 7)) {
		t.Errorf("after it comes %s, want a week later", next)
	}
	if n, err := runner(db).Up(t.Context(), 0); n != 0 || err != nil {
		t.Errorf("a second up applied %d steps (%v)", n, err)
	}
}

func arm(t *testing.T, queues *mongoqueue.Store) map[string]queue.Armed {
	t.Helper()
	armed := map[string]queue.Armed{}
	settings, err := queues.Settings(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range catalog.ETrainer(zone).Recurring() {
		repeat, err := d.Schedule(settings[d.Name].Schedule, now)
		if err != nil {
			t.Fatal(err)
		}
		how, err := queues.Arm(t.Context(), queue.Recurring{Name: d.Name, Repeat: repeat})
		if err != nil {
			t.Fatal(err)
		}
		armed[d.Name] = how
	}
	return armed
}

// TestAScheduleOfTheirOwnIsKept: an operator of Node ran the report on
// Tuesdays at ten, and it stays so when the worker arms.
func TestAScheduleOfTheirOwnIsKept(t *testing.T) {
	t.Parallel()
	db := mongotest.Database(t)
	store(t, db, strings.NewReplacer("0 8 * * 1", "0 10 * * 2", "2024-01-15T08:00:00Z", "2024-01-16T10:00:00Z").Replace(nodeDocuments[1]))
	up(t, db)
	queues := mongoqueue.New(db, mongoqueue.Options{Now: func() time.Time { return now }, Zone: hcm()})
	settings, err := queues.Settings(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	kept := settings["generate weekly reports"].Schedule
	if kept == nil || kept.Interval != "0 10 * * 2" {
		t.Fatalf("the schedule that is set is %+v, want Node's", kept)
	}
	armed, err := queues.Arm(t.Context(), queue.Recurring{
		Name: "generate weekly reports", Repeat: schedule.Spec{Interval: kept.Interval, Timezone: zone},
	})
	if err != nil || armed == queue.ArmedMoved || armed == queue.ArmedCreated {
		t.Errorf("arming it gives %q (%v)", armed, err)
	}
	next := all(t, db, bson.D{})[0]["nextRunAt"].(bson.DateTime).Time()
	if want := time.Date(2024, 1, 16, 10, 0, 0, 0, hcm()); !next.Equal(want) {
		t.Errorf("the next run is %s, want %s", next, want)
	}
	if _, err := runner(db).Down(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	if settings, err := queues.Settings(t.Context()); err != nil || settings["generate weekly reports"].Schedule != nil {
		t.Errorf("after the way back the schedule is still set: %+v (%v)", settings, err)
	}
}

// TestThePlanSaysItAndChangesNothing reads the sentences as an operator does.
func TestThePlanSaysItAndChangesNothing(t *testing.T) {
	t.Parallel()
	db := mongotest.Database(t)
	store(t, db, nodeDocuments...)
	plan, err := runner(db).Plan(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	words := strings.Join(migrate.Words(plan), "\n")
	for _, want := range []string{
		`merge 2 documents of "generate weekly reports" into 000000000000000000000002, which ran last; the next run is at 2024-01-15T08:00:00Z, the earliest that none has run`,
		"moves to 2024-01-15T01:00:00Z, which is due at once",
		"1 one-off jobs that are planned are kept",
		"1 recurring jobs of other names are kept",
		"1 documents have no name",
		"1 documents have a nextRunAt that is no date",
		"skipDays as text of Agenda 4 and 5",
	} {
		if !strings.Contains(words, want) {
			t.Errorf("the plan does not say %q:\n%s", want, words)
		}
	}
	if n := len(all(t, db, bson.D{})); n != len(nodeDocuments) {
		t.Errorf("%d documents after the plan, want %d", n, len(nodeDocuments))
	}
	if state, err := mongodb.SchemaState(t.Context(), db); err != nil || state.Version != 0 {
		t.Errorf("the plan set the version to %d (%v)", state.Version, err)
	}
}

// TestTheWayBackToNode: what Node's Agenda finds is what it had, but for the
// duplicate.
func TestTheWayBackToNode(t *testing.T) {
	t.Parallel()
	db := mongotest.Database(t)
	store(t, db, nodeDocuments...)
	up(t, db)
	if _, err := runner(db).Down(t.Context(), 0); !errors.Is(err, migrate.ErrRefused) {
		t.Errorf("down to 0 gives %v, want a refusal", err)
	}
	if n, err := runner(db).Down(t.Context(), 1); n != 5 || err != nil {
		t.Fatalf("%d steps undone (%v), want 5", n, err)
	}
	weekly := all(t, db, bson.D{{Key: "name", Value: "generate weekly reports"}})
	if len(weekly) != 1 || weekly[0]["repeatTimezone"] != nil {
		t.Fatalf("Node finds %v, want one document without a time zone", weekly)
	}
	if got, want := weekly[0]["nextRunAt"].(bson.DateTime).Time(), time.Date(2024, 1, 15, 8, 0, 0, 0, time.UTC); !got.Equal(want) {
		t.Errorf("Node's next run is %s, want %s", got, want)
	}
	merged, err := db.Collection("schema_archive").CountDocuments(t.Context(), bson.D{{Key: "document._id", Value: oid(t, 1)}})
	if err != nil || merged != 1 {
		t.Errorf("%d merged documents are kept (%v), want 1", merged, err)
	}
	up(t, db)
}

// TestARunningNodeProcessIsNotDisturbed: its document is not touched.
func TestARunningNodeProcessIsNotDisturbed(t *testing.T) {
	t.Parallel()
	db := mongotest.Database(t)
	running := strings.Replace(nodeDocuments[1], `"lockedAt":null`, `"lockedAt":{"$date":"2024-01-15T02:29:00Z"}`, 1)
	store(t, db, nodeDocuments[0], running)
	before := all(t, db, bson.D{})
	if _, err := runner(db).Up(t.Context(), 0); err == nil || !strings.Contains(err.Error(), "stop the Node processes") {
		t.Fatalf("the error is %v, want to be asked to stop Node", err)
	}
	if after := all(t, db, bson.D{}); !equal(t, before, after) {
		t.Errorf("it was touched:\n%v\n%v", before, after)
	}
}

func TestIndexes(t *testing.T) {
	t.Parallel()
	db := mongotest.Database(t)
	create := func(collection string, keys bson.D, o *options.IndexOptionsBuilder) {
		t.Helper()
		if _, err := db.Collection(collection).Indexes().CreateOne(t.Context(), mongo.IndexModel{Keys: keys, Options: o}); err != nil {
			t.Fatal(err)
		}
	}
	create(schema.UserJourneys, bson.D{{Key: "user", Value: 1}}, options.Index().SetUnique(true))
	create(schema.Users, bson.D{{Key: "lastActive", Value: -1}}, options.Index())
	for i, phone := range []any{"0901", "0901", nil} { // Node's registration looks, and then inserts
		if _, err := db.Collection(schema.Users).InsertOne(t.Context(), bson.D{{Key: "email", Value: i}, {Key: "phone", Value: phone}}); err != nil {
			t.Fatal(err)
		}
	}
	up(t, db)
	journeys, err := mongodb.ListIndexes(t.Context(), db.Collection(schema.UserJourneys))
	if err != nil || len(journeys) != 1 || journeys[0].Unique {
		t.Errorf("the journeys have %+v (%v), want {user: 1} and not unique", journeys, err)
	}
	users, err := mongodb.ListIndexes(t.Context(), db.Collection(schema.Users))
	if err != nil || !slices.ContainsFunc(users, func(i mongodb.StoredIndex) bool { return i.Name == "lastActive_-1" }) ||
		!slices.ContainsFunc(users, func(i mongodb.StoredIndex) bool { return i.Name == "email_1" && i.Unique }) ||
		!slices.ContainsFunc(users, func(i mongodb.StoredIndex) bool { return i.Name == "phone_1" && !i.Unique }) {
		t.Errorf("the users have %+v (%v), want ours and the useless one, which nobody asked to drop", users, err)
	}
	stored, err := mongodb.ListIndexes(t.Context(), db.Collection(schema.Jobs))
	if err != nil || len(stored) != 1 || stored[0].Name != schema.AgendaIndex {
		t.Errorf("this engine has no partial indexes, and the jobs have %+v (%v)", stored, err)
	}
}

func oid(t *testing.T, n byte) bson.ObjectID {
	t.Helper()
	return bson.ObjectID{11: n}
}

func equal(t *testing.T, a, b []bson.M) bool {
	t.Helper()
	return reflect.DeepEqual(a, b)
}
