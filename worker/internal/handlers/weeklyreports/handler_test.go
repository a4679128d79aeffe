package weeklyreports_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/etrainer/backend/pkg/job"
	"github.com/etrainer/backend/pkg/mongodb/mongotest"
	"github.com/etrainer/backend/pkg/runner"
	"github.com/etrainer/backend/pkg/schema"
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

func (f fixture) finished(collection string, user, at any, more ...bson.E) {
	f.Helper()
	f.insert(collection, append(bson.D{{Key: "user", Value: user}, {Key: "endTime", Value: at}}, more...))
}

// answered is how many questions were answered, and how many right.
func answered(questions, correct any) []bson.E {
	return []bson.E{{Key: "totalQuestions", Value: questions}, {Key: "correctAnswers", Value: correct}}
}

func practised(lessonType, questions, correct any) []bson.E {
	return append(answered(questions, correct), bson.E{Key: "lessonType", Value: lessonType})
}

func (f fixture) run(payload any, in *time.Location) job.Run {
	f.Helper()
	handler := weeklyreports.New(weeklyreportsmongo.New(f.db), in, func() time.Time { return now })
	return handlertest.Run(f.T, f.db, handler, payload, monday)
}

func (f fixture) stored() []bson.M {
	f.Helper()
	cursor, err := f.db.Collection(schema.WeeklyReports).Find(f.Context(), bson.D{})
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
	f.finished("examhistories", an, from, answered(40, 30)...)
	f.finished("examhistories", an, to.Add(-time.Millisecond), answered(int64(5), 0.0)...)
	f.finished("examhistories", chi, to, answered(10, 10)...)
	f.finished("practicehistories", an, from.Add(time.Hour), practised("SHORT_TALK", 3, 2)...)
	f.finished("practicehistories", an, from.Add(time.Hour), practised("SHORT_TALK", 0, 0)...)
	f.finished("practicehistories", binh, from.Add(48*time.Hour), practised("IMAGE_DESCRIPTION", 10.0, 10.0)...)
	f.finished("practicehistories", chi, from.Add(-time.Millisecond), practised("SHORT_TALK", 10, 10)...)

	got := handlertest.Result[weeklyreports.Report](t, f.run(nil, zone))
	want := weeklyreports.Report{
		Week: "2025-08-04", NewUsers: 2, ExamsCompleted: 2, PracticeCompleted: 3, ActiveUsers: 2,
		ExamAccuracy: new(66.67), PracticeAccuracy: new(92.31),
		LessonTypes: []weeklyreports.LessonType{
			{Type: "IMAGE_DESCRIPTION", Practices: 1, Questions: 10, CorrectAnswers: 10, Accuracy: new(100.0)},
			{Type: "SHORT_TALK", Practices: 2, Questions: 3, CorrectAnswers: 2, Accuracy: new(66.67)},
		},
		From: from.UTC(), To: to.UTC(), Timezone: "ICT", GeneratedAt: now.UTC(),
		Skipped: map[string]int64{"users: createdAt is not a date": 2},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("report (-want +got):\n%s", diff)
	}
	reports := f.stored()
	if len(reports) != 1 || reports[0]["_id"] != "2025-08-04" || reports[0]["activeUsers"] != int64(2) || reports[0]["practiceAccuracy"] != 92.31 {
		t.Errorf("stored: %v", reports)
	}
}

// A row that cannot be read stops nothing: what is left of it counts, and the
// report tells how many there were and why.
func TestRowsOfForeignTypes(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	an, at := bson.NewObjectID(), from.Add(time.Hour)
	f.finished("practicehistories", an, at, practised("SHORT_TALK", 4, 1)...)
	for name, row := range map[string][]bson.E{
		"null":        practised("SHORT_TALK", nil, nil),
		"text":        practised("SHORT_TALK", "ten", "all"),
		"negative":    practised("SHORT_TALK", -1, -2),
		"more right":  practised("SHORT_TALK", 1, 2),
		"a half":      practised("SHORT_TALK", 2, 0.5),
		"beyond all":  practised("SHORT_TALK", int64(1)<<60, 0),
		"no fields":   nil,
		"no type":     practised(nil, 10, 10),
		"number type": practised(7, 10, 10),
		"own type":    practised("MY_OWN", 10, 10),
	} {
		f.finished("practicehistories", an, at, append(row, bson.E{Key: "row", Value: name})...)
	}
	for _, nobody := range []any{nil, "an", 7} {
		f.finished("examhistories", nobody, at, answered(1, 1)...)
	}
	for _, never := range []any{nil, "2025-08-05", int64(1754300000000)} {
		f.finished("practicehistories", an, never, practised("SHORT_TALK", 1, 1)...)
	}
	got := handlertest.Result[weeklyreports.Report](t, f.run(nil, zone))
	if got.PracticeCompleted != 11 || got.ExamsCompleted != 3 || got.ActiveUsers != 1 {
		t.Errorf("%d practices, %d exams, %d active users; want 11, 3 and 1", got.PracticeCompleted, got.ExamsCompleted, got.ActiveUsers)
	}
	if diff := cmp.Diff([]weeklyreports.LessonType{{Type: "SHORT_TALK", Practices: 7, Questions: 4, CorrectAnswers: 1, Accuracy: new(25.0)}}, got.LessonTypes); diff != "" {
		t.Errorf("lesson types (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[string]int64{
		"practice not counted for the accuracy: totalQuestions and correctAnswers cannot be right": 7,
		"practice not counted for a lesson type: lessonType is none":                               4,
		"exam not counted as anybody's activity: user is not an id":                                3,
		"practicehistories: endTime is not a date":                                                 3,
	}, got.Skipped); diff != "" {
		t.Errorf("skipped (-want +got):\n%s", diff)
	}
}

// An old week is reported with the exams that were archived since; one that is
// just being moved counts once.
func TestArchivedExamsCountOnce(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	moving := bson.NewObjectID()
	for _, collection := range []string{"examhistories", "examhistories_archive"} {
		f.finished(collection, bson.NewObjectID(), from, answered(10, 5)...)
		f.finished(collection, bson.NewObjectID(), from, append(answered(10, 5), bson.E{Key: "_id", Value: moving})...)
	}
	got := handlertest.Result[weeklyreports.Report](t, f.run(nil, zone))
	if got.ExamsCompleted != 3 || got.ExamAccuracy == nil || *got.ExamAccuracy != 50 {
		t.Errorf("%d exams, want 3: %+v", got.ExamsCompleted, got)
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

// cancelledBetweenPages is cancelled behind its first page of practices.
type cancelledBetweenPages struct {
	weeklyreports.Store
	cancel func(context.Context)
	pages  int
}

func (c *cancelledBetweenPages) Practices(ctx context.Context, week weeklyreports.Week, each func(weeklyreports.Result), page func() error) error {
	return c.Store.Practices(ctx, week, each, func() error {
		if c.pages++; c.pages == 1 {
			c.cancel(ctx)
		}
		return page()
	})
}

// A cancelled run stops behind its page and stores nothing; the next one
// stores the whole report.
func TestACancelInTheMiddle(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	practices := make([]bson.D, 2100) // two pages
	for i := range practices {
		practices[i] = append(bson.D{{Key: "user", Value: bson.NewObjectID()}, {Key: "endTime", Value: from}}, practised("SHORT_TALK", 1, 1)...)
	}
	if _, err := f.db.Collection("practicehistories").InsertMany(t.Context(), practices); err != nil {
		t.Fatal(err)
	}
	store := &cancelledBetweenPages{Store: weeklyreportsmongo.New(f.db)}
	cancelled := handlertest.RunCancelled(t, f.db, func(cancel func(context.Context)) runner.Handler {
		store.cancel = cancel
		return weeklyreports.New(store, zone, func() time.Time { return now })
	}, nil, monday)
	if cancelled.Outcome != job.Cancelled || store.pages != 1 || len(f.stored()) != 0 {
		t.Errorf("it ended as %s behind page %d: %s; stored: %v", cancelled.Outcome, store.pages, cancelled.Error, f.stored())
	}
	if got := handlertest.Result[weeklyreports.Report](t, f.run(nil, zone)); got.PracticeCompleted != 2100 || got.ActiveUsers != 2100 || len(f.stored()) != 1 {
		t.Errorf("the second run: %+v", got)
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
