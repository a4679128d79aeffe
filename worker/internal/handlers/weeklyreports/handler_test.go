package weeklyreports_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/etrainer/backend/pkg/job"
	"github.com/etrainer/backend/pkg/mongodb/mongotest"
	"github.com/etrainer/backend/worker/internal/handlers/handlertest"
	"github.com/etrainer/backend/worker/internal/handlers/weeklyreports"
	"github.com/etrainer/backend/worker/internal/handlers/weeklyreports/weeklyreportsmongo"
)

func TestMain(m *testing.M) { mongotest.Main(m) }

var (
	zone = time.FixedZone("ICT", 7*60*60)
	// monday is when the job is planned, so that it reports the week before.
	monday = time.Date(2025, 8, 11, 8, 0, 0, 0, zone)
	from   = time.Date(2025, 8, 4, 0, 0, 0, 0, zone)
	to     = time.Date(2025, 8, 11, 0, 0, 0, 0, zone)
	now    = time.Date(2025, 8, 11, 8, 0, 1, 0, zone)
)

type fixture struct {
	*testing.T
	db *mongo.Database
}

func newFixture(t *testing.T) fixture { return fixture{t, mongotest.Database(t)} }

func (f fixture) insert(collection string, document bson.D) {
	f.Helper()
	if _, err := f.db.Collection(collection).InsertOne(f.Context(), document); err != nil {
		f.Fatal(err)
	}
}

func (f fixture) finished(collection string, user, at any) {
	f.Helper()
	f.insert(collection, bson.D{{Key: "user", Value: user}, {Key: "endTime", Value: at}})
}

func (f fixture) run(payload any, in *time.Location) job.Run {
	f.Helper()
	handler := weeklyreports.New(weeklyreportsmongo.New(f.db), in, func() time.Time { return now })
	return handlertest.Run(f.T, f.db, handler, payload, monday)
}

func (f fixture) stored() []bson.M {
	f.Helper()
	cursor, err := f.db.Collection(weeklyreportsmongo.Collection).Find(f.Context(), bson.D{})
	if err != nil {
		f.Fatal(err)
	}
	var reports []bson.M
	if err := cursor.All(f.Context(), &reports); err != nil {
		f.Fatal(err)
	}
	return reports
}

// The week is that of the calendar in the zone, half open: its first moment
// counts, and the first of the next does not.
func TestTheWeekBeforeIsCounted(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	an, binh, chi := bson.NewObjectID(), bson.NewObjectID(), bson.NewObjectID()
	for _, created := range []any{from, to.Add(-time.Millisecond), from.Add(-time.Millisecond), to, nil, "2025-08-05"} {
		f.insert("users", bson.D{{Key: "createdAt", Value: created}})
	}
	f.finished("examhistories", an, from)
	f.finished("examhistories", an, to.Add(-time.Millisecond))
	f.finished("examhistories", chi, to)
	f.finished("practicehistories", an, from.Add(time.Hour))
	f.finished("practicehistories", binh, from.Add(48*time.Hour))
	f.finished("practicehistories", chi, from.Add(-time.Millisecond))
	f.finished("practicehistories", "no id", from.Add(time.Hour)) // it counts as a practice, and as nobody
	f.finished("practicehistories", binh, int64(1754300000000))

	got := handlertest.Result[weeklyreports.Report](t, f.run(nil, zone))
	want := weeklyreports.Report{
		Week: "2025-08-04", NewUsers: 2, ExamsCompleted: 2, PracticeCompleted: 3, ActiveUsers: 2,
		From: from.UTC(), To: to.UTC(), Timezone: "ICT", GeneratedAt: now.UTC(),
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("report (-want +got):\n%s", diff)
	}
	reports := f.stored()
	if len(reports) != 1 || reports[0]["_id"] != "2025-08-04" || reports[0]["activeUsers"] != int64(2) {
		t.Errorf("stored: %v", reports)
	}
}

// A second run replaces the report of its week, and another week has its own.
func TestARepeatedRunReplacesTheReport(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.run(nil, zone)
	f.insert("users", bson.D{{Key: "createdAt", Value: from}})
	f.run(nil, zone)
	handlertest.Result[weeklyreports.Report](t, f.run(bson.M{"week": "2025-07-30"}, zone))
	byWeek := map[any]any{}
	for _, report := range f.stored() {
		byWeek[report["_id"]] = report["newUsers"]
	}
	if diff := cmp.Diff(map[any]any{"2025-08-04": int64(1), "2025-07-28": int64(0)}, byWeek); diff != "" {
		t.Errorf("new users by week (-want +got):\n%s", diff)
	}
}

// A payload that cannot be read is no reason to try again.
func TestAWeekThatIsNoDate(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	run := f.run(bson.M{"week": "last week"}, zone)
	if run.Outcome != job.Dead || !strings.Contains(run.Error, `week "last week" is not a date; write it as YYYY-MM-DD`) {
		t.Errorf("it ended as %s: %s", run.Outcome, run.Error)
	}
	if reports := f.stored(); len(reports) != 0 {
		t.Errorf("stored: %v", reports)
	}
}

func TestWeeks(t *testing.T) {
	t.Parallel()
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		at    time.Time
		zone  *time.Location
		key   string
		hours float64
	}{
		"a Monday at midnight":      {time.Date(2025, 8, 4, 0, 0, 0, 0, zone), zone, "2025-08-04", 168},
		"the moment before":         {time.Date(2025, 8, 3, 23, 59, 59, 0, zone), zone, "2025-07-28", 168},
		"Sunday is the last day":    {time.Date(2025, 8, 10, 12, 0, 0, 0, zone), zone, "2025-08-04", 168},
		"over the end of a year":    {time.Date(2026, 1, 1, 12, 0, 0, 0, zone), zone, "2025-12-29", 168},
		"in UTC it is still Sunday": {time.Date(2025, 8, 3, 18, 0, 0, 0, time.UTC), zone, "2025-08-04", 168},
		"clocks go forward":         {time.Date(2025, 3, 28, 12, 0, 0, 0, berlin), berlin, "2025-03-24", 167},
		"clocks go back":            {time.Date(2025, 10, 24, 12, 0, 0, 0, berlin), berlin, "2025-10-20", 169},
	} {
		week := weeklyreports.WeekOf(test.at, test.zone)
		if week.Key() != test.key || week.To.Sub(week.From).Hours() != test.hours {
			t.Errorf("%s: %s with %v hours, want %s with %v", name, week.Key(), week.To.Sub(week.From).Hours(), test.key, test.hours)
		}
		if before := week.Before(); !before.To.Equal(week.From) {
			t.Errorf("%s: the week before ends at %s, want %s", name, before.To, week.From)
		}
	}
}
