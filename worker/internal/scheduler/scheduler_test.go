package scheduler_test

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jonboulle/clockwork"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/etrainer/backend/pkg/catalog"
	"github.com/etrainer/backend/pkg/job"
	"github.com/etrainer/backend/pkg/mongodb"
	"github.com/etrainer/backend/pkg/mongodb/mongotest"
	"github.com/etrainer/backend/pkg/queue/mongoqueue"
	"github.com/etrainer/backend/pkg/wake"
	"github.com/etrainer/backend/worker/internal/scheduler"
)

func TestMain(m *testing.M) { mongotest.Main(m) }

const name = "update user streaks"

// ear is a Subscriber that the test speaks to.
type ear chan wake.Signal

func (e ear) Signals() <-chan wake.Signal { return e }
func (e ear) Connected() bool             { return true }

// lines is a log that a test reads while it is written.
type lines struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *lines) has(text string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Contains(l.text.String(), text)
}

type fixture struct {
	*testing.T
	db    *mongo.Database
	store *mongoqueue.Store
	ears  []ear
	log   *lines
}

// start runs two schedulers, as two workers do.
func start(t *testing.T) fixture {
	db := mongotest.Database(t)
	f := fixture{T: t, db: db, store: mongoqueue.New(db, mongoqueue.Options{}), log: &lines{}}
	for range 2 {
		e := make(ear, 8)
		f.ears = append(f.ears, e)
		service := scheduler.New(scheduler.Options{
			Store: f.store, Jobs: catalog.ETrainer(""), Subscriber: e, Log: slog.New(slog.NewTextHandler(f.log, nil)),
		})
		if err := service.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := service.Stop(context.WithoutCancel(t.Context())); err != nil {
				t.Error(err)
			}
		})
	}
	f.await("armed", func(d *job.Document) bool { return d != nil })
	return f
}

func (f fixture) tell() {
	for _, e := range f.ears {
		e <- wake.Signal{Kind: wake.Settings, Name: name}
	}
}

// job is the recurring job as it stands; nil = none.
func (f fixture) job() *job.Document {
	f.Helper()
	documents, err := f.store.Recurring(f.Context())
	if err != nil {
		f.Fatal(err)
	}
	for _, d := range documents {
		if d.Name == name {
			return d
		}
	}
	return nil
}

func (f fixture) await(what string, good func(*job.Document) bool) {
	f.Helper()
	f.until(what, func() bool { return good(f.job()) })
}

func (f fixture) until(what string, good func() bool) {
	f.Helper()
	deadline := time.Now().Add(time.Minute)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !good() {
		if time.Now().After(deadline) {
			f.Fatalf("not %s: %+v", what, f.job())
		}
		<-tick.C
	}
}

func (f fixture) set(o *job.ScheduleOverride) {
	f.Helper()
	if err := f.store.ChangeSchedule(f.Context(), name, o); err != nil {
		f.Fatal(err)
	}
	f.tell()
}

// TestOverrides: what an operator sets is applied by the signal, and goes again.
func TestOverrides(t *testing.T) {
	t.Parallel()
	f := start(t)
	f.set(&job.ScheduleOverride{Interval: "30 9 * * *", Timezone: "Europe/Berlin"})
	f.await("moved", func(d *job.Document) bool {
		return d.RepeatInterval == "30 9 * * *" && d.RepeatTimezone == "Europe/Berlin" && d.NextRunAt.After(time.Now())
	})
	f.set(&job.ScheduleOverride{Enabled: new(false)})
	f.await("disabled, by the default schedule", func(d *job.Document) bool { return d.Disabled && d.RepeatInterval == "0 0 * * *" })
	f.set(&job.ScheduleOverride{Enabled: new(true)})
	f.await("enabled", func(d *job.Document) bool { return !d.Disabled && d.NextRunAt.After(time.Now()) })
	f.set(nil)
	f.await("the default", func(d *job.Document) bool {
		return d.RepeatInterval == "0 0 * * *" && d.RepeatTimezone == "Asia/Ho_Chi_Minh"
	})
}

// TestNonsenseSetByHand is reported, and the last good schedule stands; the
// settings of other names go on.
func TestNonsenseSetByHand(t *testing.T) {
	t.Parallel()
	f := start(t)
	f.set(&job.ScheduleOverride{Interval: "30 9 * * *"})
	f.await("moved", func(d *job.Document) bool { return d.RepeatInterval == "30 9 * * *" })
	for i, nonsense := range []any{"tomorrow", bson.M{"interval": 5}, bson.M{"interval": "61 * * * *"}, bson.M{"interval": "0 0 30 2 *"}, bson.M{"interval": "1 second"}, bson.M{"timezone": "Mars"}} {
		other := "other" + string(rune('a'+i))
		if _, err := f.db.Collection("agendaSettings").UpdateByID(t.Context(), name, bson.M{"$set": bson.M{"schedule": nonsense, "concurrency": "many"}}); err != nil {
			t.Fatal(err)
		}
		if err := f.store.Pause(t.Context(), other, "an"); err != nil {
			t.Fatal(err)
		}
		f.tell()
		f.until("reported", func() bool { return f.log.has("the last good one stands") })
		settings, err := f.store.Settings(t.Context())
		if err != nil || !settings[other].Paused || len(settings[name].Problems) != 1 {
			t.Errorf("%v: the settings are %+v, %v", nonsense, settings, err)
		}
		if d := f.job(); d.RepeatInterval != "30 9 * * *" || d.NextRunAt.IsZero() {
			t.Errorf("%v: the job is %+v", nonsense, d)
		}
	}
}

// What every worker that starts costs the database, where all is armed: one look
// at the settings and one at the recurring jobs, however many there are.
func TestALookIsTwoCommands(t *testing.T) {
	t.Parallel()
	var commands mongodb.CommandCounter
	db := mongotest.Database(t, options.Client().SetMonitor(commands.Monitor()))
	store := mongoqueue.New(db, mongoqueue.Options{})
	clock := clockwork.NewFakeClockAt(time.Now())
	service := scheduler.New(scheduler.Options{Store: store, Jobs: catalog.ETrainer(""), Clock: clock, Log: slog.New(slog.DiscardHandler)})
	if err := service.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := service.Stop(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	}()
	settled := func() {
		t.Helper()
		if err := clock.BlockUntilContext(t.Context(), 1); err != nil { // it waits for its next look
			t.Fatal(err)
		}
	}
	settled()
	commands.Reset()
	clock.Advance(scheduler.Every)
	settled()
	if diff := cmp.Diff(map[string]int64{"find": 2}, commands.Counts()); diff != "" {
		t.Errorf("commands of a look (-want +got):\n%s", diff)
	}
}
