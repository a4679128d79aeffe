package mongoqueue_test

import (
	"log/slog"
	"strings"
	"testing"
	"time"
	_ "time/tzdata" // the same zones on every machine

	"github.com/jonboulle/clockwork"
	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/etrainer/backend/pkg/job"
	"github.com/etrainer/backend/pkg/mongodb/mongotest"
	"github.com/etrainer/backend/pkg/queue"
	"github.com/etrainer/backend/pkg/queue/mongoqueue"
	"github.com/etrainer/backend/pkg/queue/queuetest"
)

// TestStoredSchedulesGoOn: documents as Node stores them, or as hands left them.
// Each runs once; the next run is that of Agenda; and what is wrong is reported.
func TestStoredSchedulesGoOn(t *testing.T) {
	t.Parallel()
	now := queuetest.Start
	cases := []struct {
		fields bson.D
		next   time.Time // zero: none
		says   string    // of the problem; "" = there is none
	}{
		{bson.D{{Key: "repeatInterval", Value: "5 minutes"}}, now.Add(5 * time.Minute), ""},
		{bson.D{{Key: "repeatInterval", Value: int32(60000)}}, now.Add(time.Minute), ""},
		{bson.D{{Key: "repeatInterval", Value: "two and a half hours"}}, now.Add(2 * time.Hour), "goes on as Agenda reads it, every 2 hours"},
		{bson.D{{Key: "repeatInterval", Value: "100 milliseconds"}}, now.Add(100 * time.Second), "goes on"},
		{bson.D{{Key: "repeatInterval", Value: "@weekdays"}}, now.Add(8 * 24 * time.Hour), "goes on"},
		{bson.D{{Key: "repeatInterval", Value: "5_minutes"}}, now.Add(5 * time.Minute), "goes on"},
		{bson.D{{Key: "repeatInterval", Value: "5 minutes"}, {Key: "repeatTimezone", Value: "Mars/Base"}}, now.Add(5 * time.Minute), `"Mars/Base"`},
		{bson.D{{Key: "repeatInterval", Value: "0 9 * * *"}, {Key: "repeatTimezone", Value: "UTC+3"}}, time.Date(2024, 1, 18, 6, 0, 0, 0, time.UTC), ""},
		{bson.D{{Key: "repeatAt", Value: "9am"}, {Key: "repeatTimezone", Value: "UTC+3"}}, time.Date(2024, 1, 18, 6, 0, 0, 456e6, time.UTC), ""},
		{bson.D{{Key: "repeatAt", Value: "9am"}, {Key: "repeatTimezone", Value: "Mars/Base"}}, time.Date(2024, 1, 18, 9, 0, 0, 456e6, time.UTC), `"Mars/Base"`},
		{bson.D{{Key: "repeatAt", Value: "9am"}, {Key: "endDate", Value: now}}, time.Time{}, ""},
		{bson.D{{Key: "repeatInterval", Value: "an hour"}}, time.Time{}, "no next run"},
		{bson.D{{Key: "repeatInterval", Value: "foo"}}, time.Time{}, "no next run"},
		{bson.D{{Key: "repeatInterval", Value: bson.A{"5 minutes"}}}, time.Time{}, "a value of the type array"},
		{bson.D{{Key: "repeatInterval", Value: "0 9 * * *"}, {Key: "repeatTimezone", Value: "Mars/Base"}}, time.Time{}, "no next run"},
		{bson.D{{Key: "repeatAt", Value: "mon at 9am"}}, time.Time{}, "no next run"},
		{bson.D{{Key: "repeatInterval", Value: "5 minutes"}, {Key: "skipDays", Value: "2 days"}}, now.Add(5 * time.Minute), "skipDays"},
	}
	db := mongotest.Database(t)
	clock := clockwork.NewFakeClockAt(now)
	problems := queue.NewProblems(clock.Now, slog.New(slog.DiscardHandler))
	store := mongoqueue.New(db, mongoqueue.Options{Now: clock.Now, Problems: problems})
	ids := map[bson.ObjectID]int{}
	for i, c := range cases {
		id := bson.NewObjectID()
		ids[id] = i
		document := append(bson.D{{Key: "_id", Value: id}, {Key: "name", Value: "foreign"}, {Key: "type", Value: "normal"}, {Key: "nextRunAt", Value: now}}, c.fields...)
		if _, err := db.Collection(mongoqueue.DefaultCollection).InsertOne(t.Context(), document); err != nil {
			t.Fatal(err)
		}
	}
	batch, err := store.Lease(t.Context(), queue.LeaseRequest{
		Holder: "worker@a", Total: len(cases), Names: map[string]queue.NameRequest{"foreign": {Free: len(cases)}},
	})
	if err != nil || len(batch.Leases) != len(cases) {
		t.Fatalf("%d of %d leased: %v", len(batch.Leases), len(cases), err)
	}
	endings := make([]queue.Ending, len(batch.Leases))
	for i, lease := range batch.Leases {
		endings[i] = queue.Ending{Lease: lease, Outcome: job.Succeeded}
	}
	if _, err := store.Record(t.Context(), endings); err != nil {
		t.Fatal(err)
	}
	if _, err := store.RecordRuns(t.Context(), endings); err != nil {
		t.Fatal(err)
	}
	what := map[string]string{}
	for _, problem := range problems.List() {
		what[problem.ID] = problem.What
		if problem.Collection != mongoqueue.DefaultCollection || problem.Name != "foreign" || problem.Fix == "" {
			t.Errorf("the problem is %+v", problem)
		}
	}
	for id, i := range ids {
		c := cases[i]
		document, err := store.Get(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		if !document.NextRunAt.Equal(c.next) {
			t.Errorf("%v: the next run is %s, want %s", c.fields, document.NextRunAt, c.next)
		}
		if ends := c.next.IsZero() && c.says != ""; document.Dead() != ends || ends && (!strings.Contains(document.FailReason, c.says) || document.FailCount != 1) {
			t.Errorf("%v: dead is %t, for the reason %q", c.fields, document.Dead(), document.FailReason)
		}
		if runs, err := store.Runs(t.Context(), id, 10); err != nil || len(runs) != 1 || runs[0].Outcome != job.Succeeded {
			t.Errorf("%v: the run itself did not succeed: %+v, %v", c.fields, runs, err)
		}
		if said := what[id.Hex()]; (said == "") != (c.says == "") || !strings.Contains(said, c.says) {
			t.Errorf("%v: the problem is %q, want one that says %q", c.fields, said, c.says)
		}
	}
}

// TestBadSchedules lists them for all names, those of the type single whatever
// the type of the interval, and nothing else.
func TestBadSchedules(t *testing.T) {
	t.Parallel()
	db := mongotest.Database(t)
	store := mongoqueue.New(db, mongoqueue.Options{})
	for i, d := range []bson.D{
		{{Key: "name", Value: "z"}, {Key: "repeatInterval", Value: "two and a half hours"}, {Key: "data", Value: "secret"}},
		{{Key: "name", Value: "a"}, {Key: "type", Value: "single"}, {Key: "repeatInterval", Value: bson.A{1}}},
		{{Key: "name", Value: "b"}, {Key: "type", Value: "single"}, {Key: "repeatAt", Value: "foo"}},
		{{Key: "name", Value: "good"}, {Key: "type", Value: "single"}, {Key: "repeatInterval", Value: "5 minutes"}},
		{{Key: "name", Value: "once"}, {Key: "type", Value: "normal"}},
		{{Key: "type", Value: "single"}, {Key: "repeatInterval", Value: "foo"}},
		{{Key: "name", Value: bson.A{"a"}}, {Key: "type", Value: "single"}, {Key: "repeatInterval", Value: "foo"}},
	} {
		if _, err := db.Collection(mongoqueue.DefaultCollection).InsertOne(t.Context(), append(bson.D{{Key: "_id", Value: bson.ObjectID{11: byte(i)}}}, d...)); err != nil {
			t.Fatal(err)
		}
	}
	bad, err := store.BadSchedules(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, b := range bad {
		got = append(got, b.Job.Name)
		report := b.Report("jobs")
		if report.ID != b.Job.ID.Hex() || report.What != b.Problem.Error() || report.Collection != "jobs" || b.Job.Data.Type != 0 {
			t.Errorf("the report is %+v of %+v", report, b.Job)
		}
	}
	if strings.Join(got, " ") != "a b z" {
		t.Errorf("bad schedules of %q", got)
	}
}
