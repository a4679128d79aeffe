package mongoqueue_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jonboulle/clockwork"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/event"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/etrainer/backend/pkg/job"
	"github.com/etrainer/backend/pkg/mongodb/mongotest"
	"github.com/etrainer/backend/pkg/queue"
	"github.com/etrainer/backend/pkg/queue/mongoqueue"
	"github.com/etrainer/backend/pkg/queue/queuetest"
	"github.com/etrainer/backend/pkg/schedule"
)

var daily = queue.Recurring{Name: "report", Repeat: schedule.Spec{Interval: "0 9 * * *"}}

// arming is a store with the clock of the conformance suite, and its jobs.
type arming struct {
	*testing.T
	store *mongoqueue.Store
	jobs  *mongo.Collection
	log   *bytes.Buffer
}

func newArming(t *testing.T, client ...*options.ClientOptions) arming {
	db, log := mongotest.Database(t, client...), &bytes.Buffer{}
	store := mongoqueue.New(db, mongoqueue.Options{
		Now: clockwork.NewFakeClockAt(queuetest.Start).Now, Log: slog.New(slog.NewTextHandler(log, nil)),
	})
	return arming{t, store, db.Collection(mongoqueue.DefaultCollection), log}
}

func (a arming) arm(want queue.Armed) {
	a.Helper()
	if armed, err := a.store.Arm(a.Context(), daily); err != nil || armed != want {
		a.Fatalf("Arm: %q, %v; want %q", armed, err, want)
	}
}

func (a arming) change(update bson.D) {
	a.Helper()
	if result, err := a.jobs.UpdateMany(a.Context(), bson.D{}, update); err != nil || result.MatchedCount == 0 {
		a.Fatalf("%v: %v", update, err)
	}
}

func (a arming) only() *job.Document {
	a.Helper()
	cursor, err := a.jobs.Find(a.Context(), bson.D{})
	if err != nil {
		a.Fatal(err)
	}
	var documents []*job.Document
	if err := cursor.All(a.Context(), &documents); err != nil || len(documents) != 1 {
		a.Fatalf("%d documents, %v", len(documents), err)
	}
	return documents[0]
}

// TestArmOverWhatHandsChanged: a job that lost its type gets it back, and one
// whose place is taken is an error each time, never "unchanged".
func TestArmOverWhatHandsChanged(t *testing.T) {
	t.Parallel()
	for _, kind := range []any{"normal", "once", nil, 5, bson.A{"single"}, bson.Regex{Pattern: "single"}} {
		a := newArming(t)
		a.arm(queue.ArmedCreated)
		a.change(bson.D{{Key: "$set", Value: bson.D{{Key: "type", Value: kind}}}})
		if unarmed, err := a.store.Unarmed(t.Context(), daily); err != nil || len(unarmed) != 1 {
			t.Errorf("type %v: Unarmed: %v, %v", kind, unarmed, err)
		}
		a.arm(queue.ArmedUnchanged)
		if got := a.only(); got.Type != job.Single || got.NextRunAt.IsZero() {
			t.Errorf("type %v: the job is %+v", kind, got)
		}
		if unarmed, err := a.store.Unarmed(t.Context(), daily); err != nil || len(unarmed) != 0 {
			t.Errorf("type %v, mended: Unarmed: %v, %v", kind, unarmed, err)
		}
	}
	for _, name := range []any{"renamed", "", 7, bson.A{"report"}} {
		a := newArming(t)
		a.arm(queue.ArmedCreated)
		a.change(bson.D{{Key: "$set", Value: bson.D{{Key: "name", Value: name}}}})
		for range 2 {
			armed, err := a.store.Arm(t.Context(), daily)
			if !errors.Is(err, queue.ErrConflict) || armed != "" || !strings.Contains(err.Error(), "give it that name back, or delete it") {
				t.Errorf("name %v: %q, %v", name, armed, err)
			}
		}
	}
}

// TestArmReplacesEverySchedule: whatever a person or a Node process stored as
// the schedule is replaced by the one that is asked for, once.
func TestArmReplacesEverySchedule(t *testing.T) {
	t.Parallel()
	for _, stored := range []bson.D{
		{{Key: "repeatInterval", Value: "5 minutes"}},
		{{Key: "repeatInterval", Value: int32(60000)}},
		{{Key: "repeatInterval", Value: bson.A{"0 9 * * *"}}},
		{{Key: "repeatInterval", Value: bson.D{{Key: "every", Value: 5}}}},
		{{Key: "repeatInterval", Value: bson.Regex{Pattern: "0 9"}}},
		{{Key: "repeatInterval", Value: nil}, {Key: "repeatAt", Value: "9am"}},
		{{Key: "repeatTimezone", Value: "Europe/Berlin"}},
		{{Key: "repeatTimezone", Value: 5.5}},
		{{Key: "startDate", Value: queuetest.Start}, {Key: "endDate", Value: float64(queuetest.Start.UnixMilli())}},
		{{Key: "endDate", Value: "soon"}},
		{{Key: "skipDays", Value: "2 days"}},
		{{Key: "skipDays", Value: bson.A{0, "x"}}},
	} {
		a := newArming(t)
		a.arm(queue.ArmedCreated)
		before := a.only()
		a.change(bson.D{{Key: "$set", Value: stored}})
		a.arm(queue.ArmedMoved)
		a.arm(queue.ArmedUnchanged)
		got := a.only()
		if _, problem := got.Schedule(nil); problem != nil || got.RepeatInterval != "0 9 * * *" || got.RepeatTimezone != "" ||
			!got.StartDate.IsZero() || !got.EndDate.IsZero() || len(got.SkipDays) > 0 || got.SkipDaysText != "" || !got.NextRunAt.Equal(before.NextRunAt) {
			t.Errorf("%v: the job is %+v (%v)", stored, got, problem)
		}
	}
}

// between calls what the test gives it when the next update is on its way, once.
type between struct{ do atomic.Pointer[func()] }

func (b *between) monitor() *event.CommandMonitor {
	return &event.CommandMonitor{Started: func(_ context.Context, started *event.CommandStartedEvent) {
		if started.CommandName != "update" {
			return
		}
		if do := b.do.Swap(nil); do != nil {
			(*do)()
		}
	}}
}

// TestArmSeesWhatItReplaces: a document that another process changed between the
// look and the update is looked at again, whatever was changed of what counts.
func TestArmSeesWhatItReplaces(t *testing.T) {
	t.Parallel()
	for _, meanwhile := range []bson.D{
		{{Key: "repeatInterval", Value: "7 minutes"}},
		{{Key: "repeatInterval", Value: "7 minutes"}, {Key: "repeatTimezone", Value: "UTC"}},
		{{Key: "repeatInterval", Value: "7 minutes"}, {Key: "lockedAt", Value: queuetest.Start}},
	} {
		var interruption between
		a := newArming(t, options.Client().SetMonitor(interruption.monitor()))
		a.arm(queue.ArmedCreated)
		a.change(bson.D{{Key: "$set", Value: bson.D{{Key: "repeatInterval", Value: "5 minutes"}}}})
		interruption.do.Store(new(func() { a.change(bson.D{{Key: "$set", Value: meanwhile}}) }))
		a.arm(queue.ArmedMoved)
		if log := a.log.String(); !strings.Contains(log, `old_schedule="7 minutes"`) || strings.Contains(log, `old_schedule="5 minutes"`) {
			t.Errorf("%v: it replaced a schedule that it had not seen: %s", meanwhile, log)
		}
		if got := a.only(); got.RepeatInterval != "0 9 * * *" {
			t.Errorf("%v: the job is %+v", meanwhile, got)
		}
	}
}

// TestArmRevivesByTheScheduleThatIsThere: a job without a next run gets that of
// its own schedule, not of one that it lost between the look and the update.
func TestArmRevivesByTheScheduleThatIsThere(t *testing.T) {
	t.Parallel()
	var interruption between
	a := newArming(t, options.Client().SetMonitor(interruption.monitor()))
	a.arm(queue.ArmedCreated)
	a.change(bson.D{{Key: "$set", Value: bson.D{{Key: "nextRunAt", Value: nil}}}})
	interruption.do.Store(new(func() { a.change(bson.D{{Key: "$set", Value: bson.D{{Key: "repeatInterval", Value: "7 minutes"}}}}) }))
	a.arm(queue.ArmedMoved)
}

// TestArmGivesUpWithAnError, when each look is overtaken.
func TestArmGivesUpWithAnError(t *testing.T) {
	t.Parallel()
	var interruption between
	a := newArming(t, options.Client().SetMonitor(interruption.monitor()))
	a.arm(queue.ArmedCreated)
	a.change(bson.D{{Key: "$set", Value: bson.D{{Key: "repeatInterval", Value: "5 minutes"}}}})
	tick := queuetest.Start
	var overtake func()
	overtake = func() {
		tick = tick.Add(time.Minute)
		a.change(bson.D{{Key: "$set", Value: bson.D{{Key: "nextRunAt", Value: tick}}}})
		interruption.do.Store(&overtake)
	}
	interruption.do.Store(&overtake)
	if armed, err := a.store.Arm(t.Context(), daily); !errors.Is(err, queue.ErrConflict) || armed != "" {
		t.Errorf("Arm: %q, %v; want a conflict", armed, err)
	}
}

// TestWhoArmsInTurnsLosesNoTick: two releases with schedules of their own, which
// look as often as they can while a tick is due.
func TestWhoArmsInTurnsLosesNoTick(t *testing.T) {
	t.Parallel()
	db := mongotest.Database(t)
	clock := clockwork.NewFakeClockAt(queuetest.Start)
	store := mongoqueue.New(db, mongoqueue.Options{Now: clock.Now})
	releases := []queue.Recurring{
		{Name: "report", Repeat: schedule.Spec{Interval: "*/5 * * * *"}},
		{Name: "report", Repeat: schedule.Spec{Interval: "0 9 * * *"}},
	}
	if _, err := store.Arm(t.Context(), releases[0]); err != nil {
		t.Fatal(err)
	}
	tick := time.Date(2024, 1, 17, 10, 25, 0, 0, time.UTC)
	clock.Advance(tick.Sub(queuetest.Start) + time.Second)
	var wait sync.WaitGroup
	for _, release := range releases {
		wait.Go(func() {
			for range 20 {
				if _, err := store.Arm(t.Context(), release); err != nil && !errors.Is(err, queue.ErrConflict) {
					t.Error(err)
				}
			}
		})
	}
	wait.Wait()
	batch, err := store.Lease(t.Context(), queue.LeaseRequest{Holder: "worker@a", Total: 1, Names: map[string]queue.NameRequest{"report": {Free: 1}}})
	if err != nil || len(batch.Leases) != 1 || !batch.Leases[0].Tick.Equal(tick) {
		t.Fatalf("the tick that was due is lost: %+v, %v", batch, err)
	}
}
