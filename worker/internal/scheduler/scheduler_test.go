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
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/etrainer/backend/pkg/catalog"
	"github.com/etrainer/backend/pkg/fleet"
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

func (l *lines) count(text string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.text.String(), text)
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
	jobs, err := f.store.Singles(f.Context(), name)
	if err != nil {
		f.Fatal(err)
	}
	return jobs[name]
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

// clocked is one scheduler that the test's clock drives, on a database whose
// commands are counted.
type clocked struct {
	*testing.T
	db       *mongo.Database
	store    *mongoqueue.Store
	clock    *clockwork.FakeClock
	commands *mongodb.CommandCounter
	log      *lines
}

func startClocked(t *testing.T, o scheduler.Options) clocked {
	t.Helper()
	c := clocked{T: t, clock: clockwork.NewFakeClockAt(time.Now()), commands: &mongodb.CommandCounter{}, log: &lines{}}
	c.db = mongotest.Database(t, options.Client().SetMonitor(c.commands.Monitor()))
	c.store = mongoqueue.New(c.db, mongoqueue.Options{Now: c.clock.Now})
	o.Store, o.Clock, o.Log = c.store, c.clock, slog.New(slog.NewTextHandler(c.log, nil))
	if o.Jobs == nil {
		o.Jobs = catalog.ETrainer("")
	}
	if o.Subscriber == nil {
		o.Subscriber = make(ear)
	}
	service := scheduler.New(o)
	if err := service.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := service.Stop(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})
	c.settled()
	return c
}

// settled waits until the scheduler waits for its next look.
func (c clocked) settled() {
	c.Helper()
	if err := c.clock.BlockUntilContext(c.Context(), 1); err != nil {
		c.Fatal(err)
	}
}

// after lets a time pass, and returns what the look then cost.
func (c clocked) after(d time.Duration) map[string]int64 {
	c.Helper()
	c.commands.Reset()
	c.clock.Advance(d)
	c.settled()
	return c.commands.Counts()
}

// change is what somebody else does to the recurring job.
func (c clocked) change(set bson.M) {
	c.Helper()
	result, err := c.db.Collection(c.store.Collection()).UpdateOne(c.Context(), bson.M{"name": name, "type": "single"}, bson.M{"$set": set})
	if err != nil || result.MatchedCount != 1 {
		c.Fatal(result, err)
	}
}

func (c clocked) interval() string {
	c.Helper()
	var d job.Document
	if err := c.db.Collection(c.store.Collection()).FindOne(c.Context(), bson.M{"name": name}).Decode(&d); err != nil {
		c.Fatal(err)
	}
	return d.RepeatInterval
}

// What every worker costs the database where all is in order: one look at the
// recurring jobs, however many there are, and now and then one at the settings
// and one at all stored schedules.
func TestALookIsOneCommand(t *testing.T) {
	t.Parallel()
	c := startClocked(t, scheduler.Options{})
	whole := 0
	for range int(2 * scheduler.Every / scheduler.Beat) {
		counts := c.after(scheduler.Beat)
		switch {
		case cmp.Equal(counts, map[string]int64{"find": 3}):
			whole++
		case !cmp.Equal(counts, map[string]int64{"find": 1}):
			t.Fatalf("a look cost %v", counts)
		}
	}
	if whole != 2 {
		t.Errorf("everything was looked at %d times in ten minutes, want 2", whole)
	}
}

// TestEveryOfANodeProcess moves the job; one beat later it is back, and a tick
// that was due meanwhile is still due.
func TestEveryOfANodeProcess(t *testing.T) {
	t.Parallel()
	for busy, beat := range map[bool]time.Duration{false: scheduler.Beat, true: scheduler.BusyBeat} {
		c := startClocked(t, scheduler.Options{Busy: func() bool { return busy }})
		due := c.clock.Now().Truncate(time.Millisecond)
		c.change(bson.M{"repeatInterval": "0 0 * * *", "repeatTimezone": nil, "data": bson.M{"x": 1}, "nextRunAt": due})
		c.after(beat)
		var d job.Document
		if err := c.db.Collection(c.store.Collection()).FindOne(t.Context(), bson.M{"name": name}).Decode(&d); err != nil {
			t.Fatal(err)
		}
		if data, err := d.DataJSON(); err != nil || d.RepeatTimezone != "Asia/Ho_Chi_Minh" || !d.NextRunAt.Equal(due) || string(data) != `{"x":1}` {
			t.Errorf("busy %t: after a beat the job is %+v, with %s (%v)", busy, d, data, err)
		}
	}
}

// fleetOf is a fleet that the test makes up.
type fleetOf struct {
	mu        sync.Mutex
	instances []fleet.Instance
}

func (f *fleetOf) set(instances ...fleet.Instance) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.instances = instances
}

func (f *fleetOf) Instances(context.Context) ([]fleet.Instance, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.instances, nil
}

// TestTheNewestWorkersScheduleCounts: a worker that is not the newest leaves the
// schedule to the one that is, as long as that lives, and still makes and
// switches jobs.
func TestTheNewestWorkersScheduleCounts(t *testing.T) {
	t.Parallel()
	now := time.Now()
	at := func(id string, started, expires time.Duration) fleet.Instance {
		return fleet.Instance{ID: id, Kind: fleet.Worker, StartedAt: now.Add(started), ExpiresAt: now.Add(expires)}
	}
	ours := at("worker@b", 0, 24*time.Hour)
	others := &fleetOf{}
	others.set(ours)
	c := startClocked(t, scheduler.Options{Fleet: others, Self: func() string { return "worker@b" }})
	theirs := func() { c.change(bson.M{"repeatInterval": "0 10 * * *"}) }
	for what, instances := range map[string][]fleet.Instance{
		"a newer one":                    {ours, at("worker@c", time.Second, 24*time.Hour)},
		"one of the same age, by its id": {ours, at("worker@c", 0, 24*time.Hour)},
		"this one is not listed yet":     {at("worker@a", -time.Hour, 24*time.Hour)},
	} {
		others.set(instances...)
		theirs()
		c.after(scheduler.Beat)
		c.after(scheduler.Beat)
		if got := c.interval(); got != "0 10 * * *" {
			t.Errorf("%s: the schedule became %q", what, got)
		}
	}
	if !c.log.has("its ones count") {
		t.Error("it does not say so")
	}
	if err := c.store.ChangeSchedule(t.Context(), name, &job.ScheduleOverride{Enabled: new(false)}); err != nil {
		t.Fatal(err)
	}
	if _, err := c.db.Collection(c.store.Collection()).DeleteOne(t.Context(), bson.M{"name": "send daily notifications"}); err != nil {
		t.Fatal(err)
	}
	c.after(scheduler.Every)
	if n, err := c.db.Collection(c.store.Collection()).CountDocuments(t.Context(), bson.M{"$or": bson.A{
		bson.M{"name": name, "disabled": true}, bson.M{"name": "send daily notifications"},
	}}); err != nil || n != 2 {
		t.Errorf("it neither switches nor makes jobs: %d, %v", n, err)
	}
	gone, draining, api := at("worker@c", time.Second, -time.Second), at("worker@d", time.Second, 24*time.Hour), at("api@e", time.Second, 24*time.Hour)
	draining.Draining, api.Kind = true, fleet.API
	others.set(ours, at("worker@a", -time.Hour, 24*time.Hour), gone, draining, api)
	theirs()
	c.after(scheduler.Beat)
	if got := c.interval(); got != "0 0 * * *" {
		t.Errorf("the newest that lives does not move it: %q", got)
	}
}

// TestAChangeWithoutASignal is not undone by a scheduler that has not heard of it.
func TestAChangeWithoutASignal(t *testing.T) {
	t.Parallel()
	c := startClocked(t, scheduler.Options{})
	if err := c.store.ChangeSchedule(t.Context(), name, &job.ScheduleOverride{Interval: "30 9 * * *"}); err != nil {
		t.Fatal(err)
	}
	c.change(bson.M{"repeatInterval": "30 9 * * *"}) // by a worker that heard of it
	c.after(scheduler.Beat)
	if got := c.interval(); got != "30 9 * * *" {
		t.Errorf("it was moved back to %q", got)
	}
}

// TestProblemsAreTold, once each: of schedules of whichever process, and of
// settings.
func TestProblemsAreTold(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewPedanticRegistry()
	c := startClocked(t, scheduler.Options{Registerer: registry})
	if _, err := c.db.Collection(c.store.Collection()).InsertOne(t.Context(), bson.M{"name": "foreign", "type": "single", "repeatInterval": "two and a half hours"}); err != nil {
		t.Fatal(err)
	}
	if _, err := c.db.Collection("agendaSettings").InsertOne(t.Context(), bson.M{"_id": "other", "paused": "yes", "schedule": "soon"}); err != nil {
		t.Fatal(err)
	}
	c.after(scheduler.Every)
	c.after(scheduler.Every)
	for _, words := range []string{"goes on as Agenda reads it, every 2 hours", "is neither true nor false", "the stored schedule"} {
		if n := c.log.count(words); n != 1 {
			t.Errorf("%q is told %d times, want once", words, n)
		}
	}
	if err := testutil.GatherAndCompare(registry, strings.NewReader(`
# HELP etrainer_worker_schedule_problems Recurring jobs in the database, of whichever process, whose stored schedule has a problem; the log and the api tell which.
# TYPE etrainer_worker_schedule_problems gauge
etrainer_worker_schedule_problems 1
# HELP etrainer_worker_settings_problems Settings of job names in the database that cannot be read; the log and the api tell which.
# TYPE etrainer_worker_settings_problems gauge
etrainer_worker_settings_problems 2
`)); err != nil {
		t.Error(err)
	}
}
