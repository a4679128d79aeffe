package steps_test

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/etrainer/backend/migrations/internal/migrate"
	"github.com/etrainer/backend/pkg/mongodb/mongotest"
	"github.com/etrainer/backend/pkg/queue/mongoqueue"
	"github.com/etrainer/backend/pkg/schema"
)

func plan(t *testing.T, db *mongo.Database) string {
	t.Helper()
	planned, err := runner(db).Plan(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(migrate.Words(planned), "\n")
}

func down(t *testing.T, db *mongo.Database) {
	t.Helper()
	if _, err := runner(db).Down(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
}

// TestMergingTakesTheEarliestSensibleTick: none that has been run, none that is
// put off beyond the schedule, and of the others the first.
func TestMergingTakesTheEarliestSensibleTick(t *testing.T) {
	t.Parallel()
	const document = `{"name":"update user streaks","type":"single","repeatInterval":"0 0 * * *","nextRunAt":NEXT,"lastRunAt":RAN}`
	date := func(text string) string {
		if text == "" {
			return "null"
		}
		return `{"$date":"` + text + `"}`
	}
	for name, c := range map[string]struct {
		documents [][2]string // nextRunAt, lastRunAt
		want      string      // the next run, on Node's clock
	}{
		"a tick that another has run":        {[][2]string{{"2024-01-14T00:00:00Z", ""}, {"2024-01-16T00:00:00Z", "2024-01-15T00:00:00.1Z"}}, "2024-01-16T00:00:00Z"},
		"a tick that is due, and nobody ran": {[][2]string{{"2024-01-15T00:00:00Z", "2024-01-14T00:00:00.1Z"}, {"2024-01-16T00:00:00Z", ""}}, "2024-01-15T00:00:00Z"},
		"one in the year 9999":               {[][2]string{{"9999-12-31T23:59:59Z", "2024-01-15T00:00:00.1Z"}, {"2024-01-16T00:00:00Z", ""}}, "2024-01-16T00:00:00Z"},
		"all in the year 9999":               {[][2]string{{"9999-12-31T23:59:59Z", "2024-01-15T00:00:00.1Z"}, {"9999-12-31T23:59:59Z", ""}}, "2024-01-16T00:00:00Z"},
		"all have been run":                  {[][2]string{{"2024-01-13T00:00:00Z", ""}, {"2024-01-14T00:00:00Z", "2024-01-15T00:00:00.1Z"}}, "2024-01-16T00:00:00Z"},
		"none has one":                       {[][2]string{{"", ""}, {"", "2024-01-15T00:00:00.1Z"}}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db := mongotest.Database(t)
			for _, d := range c.documents {
				store(t, db, strings.NewReplacer("NEXT", date(d[0]), "RAN", date(d[1])).Replace(document))
			}
			if c.want != "" && !strings.Contains(plan(t, db), "the next run is at "+c.want) {
				t.Errorf("the plan says:\n%s", plan(t, db))
			}
			up(t, db)
			merged := all(t, db, bson.D{{Key: "name", Value: "update user streaks"}})
			if len(merged) != 1 {
				t.Fatalf("%d documents are left", len(merged))
			}
			next, planned := merged[0]["nextRunAt"].(bson.DateTime)
			if c.want == "" {
				if planned {
					t.Errorf("the next run is %s, want none", next.Time())
				}
				return
			}
			// Step 4 moves the tick to the same clock here, seven hours earlier.
			want, err := time.Parse(time.RFC3339, c.want)
			if err != nil || !planned || !next.Time().Equal(want.Add(-7*time.Hour)) {
				t.Errorf("the next run is %s, want %s by the clock here", next.Time(), want)
			}
		})
	}
}

// node is the job of a Node process with all that a definition may replace.
const node = `{"_id":{"$oid":"000000000000000000000009"},"name":"update user streaks","type":"normal","data":{"dryRun":true},"priority":10,
	"repeatInterval":"INTERVAL","startDate":{"$date":"2024-01-01T00:00:00Z"},"endDate":1735689600000,"skipDays":"2 days",
	"nextRunAt":{"$date":"2024-01-16T00:00:00Z"},"lastRunAt":{"$date":"2024-01-15T00:00:00Z"},"lastFinishedAt":{"$date":"2024-01-15T00:00:01Z"}}`

// TestWhatIsReplacedIsSaidAndGivenBack: by the step itself, or by the worker that
// arms afterwards. The payload and the priority are never touched.
func TestWhatIsReplacedIsSaidAndGivenBack(t *testing.T) {
	t.Parallel()
	for interval, says := range map[string]string{
		"0 0 * * *":            `hand "update user streaks" over: 0 0 * * *`,
		"0 10 * * 2":           "it becomes the schedule that an operator set",
		"two and a half hours": `has the schedule "two and a half hours", which is not read; the worker sets its own at its start`,
	} {
		t.Run(interval, func(t *testing.T) {
			t.Parallel()
			db := mongotest.Database(t)
			store(t, db, strings.Replace(node, "INTERVAL", interval, 1))
			before := all(t, db, bson.D{})[0]
			words := plan(t, db)
			for _, want := range []string{
				says, `startDate 2024-01-01T00:00:00Z`, `endDate 1735689600000`, `skipDays "2 days"`, "kept in schema_archive, and given back by down",
			} {
				if !strings.Contains(strings.NewReplacer(`{"$numberDouble":"1735689600000.0"}`, "1735689600000", `{"$numberLong":"1735689600000"}`, "1735689600000").Replace(words), want) {
					t.Errorf("the plan does not say %q:\n%s", want, words)
				}
			}
			up(t, db)
			queues := mongoqueue.New(db, mongoqueue.Options{Now: func() time.Time { return now }, Zone: hcm()})
			arm(t, queues)
			after := all(t, db, bson.D{{Key: "name", Value: "update user streaks"}})
			if len(after) != 1 || after[0]["endDate"] != nil || after[0]["startDate"] != nil || after[0]["skipDays"] != nil || after[0]["type"] != "single" {
				t.Fatalf("armed, the job is %v", after)
			}
			if !reflect.DeepEqual(before["data"], after[0]["data"]) || after[0]["priority"] != before["priority"] {
				t.Errorf("the payload or the priority changed: %v", after[0])
			}
			down(t, db)
			back := all(t, db, bson.D{{Key: "name", Value: "update user streaks"}})[0]
			if !reflect.DeepEqual(before, back) {
				t.Errorf("Node gets back %v\nand had stored %v", back, before)
			}
			if n, err := db.Collection("schema_archive").CountDocuments(t.Context(), bson.D{{Key: "step", Value: "node-schedules"}}); err != nil || n != 0 {
				t.Errorf("%d schedules are still archived, %v", n, err)
			}
		})
	}
}

// TestATickThatIsDueIsGivenBackAsDue, also where Node's schedule is another.
func TestATickThatIsDueIsGivenBackAsDue(t *testing.T) {
	t.Parallel()
	db := mongotest.Database(t)
	store(t, db, strings.Replace(node, "INTERVAL", "two and a half hours", 1))
	up(t, db)
	arm(t, mongoqueue.New(db, mongoqueue.Options{Now: func() time.Time { return now }, Zone: hcm()}))
	due := bson.NewDateTimeFromTime(now.Add(-time.Minute))
	if _, err := db.Collection(schema.Jobs).UpdateOne(t.Context(), bson.D{{Key: "name", Value: "update user streaks"}}, bson.D{{Key: "$set", Value: bson.D{{Key: "nextRunAt", Value: due}}}}); err != nil {
		t.Fatal(err)
	}
	down(t, db)
	if back := all(t, db, bson.D{{Key: "name", Value: "update user streaks"}})[0]; back["nextRunAt"] != due || back["repeatInterval"] != "two and a half hours" {
		t.Errorf("Node gets %v, want the tick that is due", back)
	}
}

// TestThePlanTellsOfEverySchedule that has a problem, of whichever name.
func TestThePlanTellsOfEverySchedule(t *testing.T) {
	t.Parallel()
	db := mongotest.Database(t)
	store(t, db,
		`{"_id":{"$oid":"000000000000000000000001"},"name":"of another service","type":"normal","repeatInterval":"two and a half hours"}`,
		`{"_id":"text","name":"by hand","type":"normal","repeatInterval":["5 minutes"]}`,
		`{"_id":{"$oid":"000000000000000000000002"},"name":"phrase","type":"normal","repeatAt":"mon at 9am"}`,
		`{"_id":{"$oid":"000000000000000000000003"},"name":"good","type":"normal","repeatInterval":"5 minutes"}`,
	)
	for range 60 {
		store(t, db, `{"name":"many","type":"normal","repeatInterval":"foo"}`)
	}
	words := plan(t, db)
	for _, want := range []string{
		`"of another service" (000000000000000000000001): repeatInterval "two and a half hours"`, "the job goes on as Agenda reads it, every 2 hours",
		`"by hand" ("text"): repeatInterval is a value of the type array`, `"phrase" (000000000000000000000002): repeatAt "mon at 9am"`,
		"13 more documents have a schedule with a problem",
	} {
		if !strings.Contains(words, want) {
			t.Errorf("the plan does not say %q:\n%s", want, words)
		}
	}
	if strings.Contains(words, `"good"`) {
		t.Errorf("the plan tells of a good one:\n%s", words)
	}
}
