package indexcheck_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/etrainer/backend/pkg/job"
	"github.com/etrainer/backend/pkg/mongodb/mongotest"
	"github.com/etrainer/backend/worker/internal/handlers/handlertest"
	"github.com/etrainer/backend/worker/internal/handlers/indexcheck"
)

func TestMain(m *testing.M) { mongotest.Main(m) }

// found is a Store that found something, or could not look.
type found struct {
	report indexcheck.Report
	err    error
	asked  *time.Time
}

func (f found) Check(_ context.Context, now time.Time) (indexcheck.Report, error) {
	if f.asked != nil {
		*f.asked = now
	}
	return f.report, f.err
}

func clock(at time.Time) func() time.Time { return func() time.Time { return at } }

// The report is the run's result, and each index that needs a look has a line
// in its log, with the command that mends it.
func TestTheReportIsTheResult(t *testing.T) {
	t.Parallel()
	at, asked := time.Date(2025, 8, 3, 4, 30, 0, 0, time.UTC), time.Time{}
	want := indexcheck.Report{
		Collections: 3,
		Missing:     []indexcheck.Finding{{Collection: "users", Index: "email_1", Note: "login"}},
		Changed:     []indexcheck.Finding{{Collection: "reminders", Index: "user_1", Note: "should be {user: 1}"}},
		Impossible:  []indexcheck.Finding{},
		Unknown:     []indexcheck.Finding{{Collection: "users", Index: "lastActive_-1", Note: "not declared"}},
		Unused:      []indexcheck.Finding{{Collection: "reminders", Index: "hour_1_minute_1", Note: "not used since 2025-07-01"}},
		UsageKnown:  true,
	}
	run := handlertest.Run(t, mongotest.Database(t), indexcheck.New(found{report: want, asked: &asked}, clock(at)), nil, time.Time{})
	if diff := cmp.Diff(want, handlertest.Result[indexcheck.Report](t, run)); diff != "" {
		t.Errorf("the result (-want +got):\n%s", diff)
	}
	if !asked.Equal(at) {
		t.Errorf("the use was judged at %s, want %s", asked, at)
	}
	for _, message := range []string{"an index is missing; run: migrate up", "no query used an index"} {
		if !slices.ContainsFunc(run.Logs, func(l job.LogLine) bool { return strings.Contains(l.Message, message) }) {
			t.Errorf("no line says %q: %+v", message, run.Logs)
		}
	}
}

// A database that does not answer fails the run, which is tried again.
func TestTheDatabaseIsAway(t *testing.T) {
	t.Parallel()
	run := handlertest.Run(t, mongotest.Database(t), indexcheck.New(found{err: errors.New("the database is away")}, time.Now), nil, time.Time{})
	if run.Outcome != job.Retrying || !strings.Contains(run.Error, "the database is away") {
		t.Errorf("it ended as %s: %s", run.Outcome, run.Error)
	}
}
