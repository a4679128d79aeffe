package runner_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/etrainer/backend/pkg/job"
	"github.com/etrainer/backend/pkg/queue"
	"github.com/etrainer/backend/pkg/wake"
)

// locked is a controller whose settings cannot be read for a while.
type lockedSettings struct {
	queue.Controller
	locked atomic.Bool
	reads  atomic.Int64
}

func (s *lockedSettings) Settings(ctx context.Context) (map[string]job.Settings, error) {
	s.reads.Add(1)
	if s.locked.Load() {
		return nil, errors.New("not authorized on agendaSettings")
	}
	return s.Controller.Settings(ctx)
}

// Nothing runs before the settings were read: a name may be paused.
func TestNothingRunsBeforeTheSettingsAreRead(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	if err := b.store.Pause(t.Context(), "a", "ann"); err != nil {
		t.Fatal(err)
	}
	settings, log := &lockedSettings{Controller: b.store}, &lockedBuffer{}
	settings.locked.Store(true)
	var calls atomic.Int64
	o := b.options(handler("a", counted(&calls)), handler("b", counted(&calls)))
	o.Settings, o.Log = settings, slog.New(slog.NewTextHandler(log, nil))
	o.Problems = queue.NewProblems(time.Now, slog.New(slog.DiscardHandler))
	paused, other := b.enqueueMany("a", 1)[0], b.enqueueMany("b", 1)[0]
	b.start(o)
	eventually(t, "it tries again and again", func() bool { return settings.reads.Load() >= 4 })
	if calls.Load() != 0 {
		t.Error("a job ran although nobody knew the settings")
	}
	if n := bytes.Count([]byte(log.String()), []byte("settings not read")); n != 1 || strings.Contains(log.String(), "leasing failed") {
		t.Errorf("it was told %d times: %s", n, log)
	}
	if list := o.Problems.List(); len(list) != 1 || list[0].Collection != "agendaSettings" {
		t.Errorf("the problems are %+v", list)
	}
	settings.locked.Store(false)
	b.ended(other)
	b.state(paused, job.Queued)
}

// Once they were read, the last known ones stand.
func TestSettingsThatCannotBeReadLeaveTheLastOnes(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	if err := b.store.Pause(t.Context(), "a", "ann"); err != nil {
		t.Fatal(err)
	}
	settings := &lockedSettings{Controller: b.store}
	o := b.options(noop("a"), noop("b"))
	o.Settings = settings
	b.start(o)
	paused := b.enqueue("a", nil)
	b.ended(b.enqueue("b", nil))
	settings.locked.Store(true)
	before := settings.reads.Load()
	if err := b.hub.Publish(t.Context(), wake.Signal{Kind: wake.Settings, Name: "a"}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it tries to read them", func() bool { return settings.reads.Load() > before })
	b.ended(b.enqueue("b", nil))
	b.state(paused, job.Queued)
}

// What is stored and cannot be read is a problem with the name of its document.
func TestSettingsThatMeanNothingAreProblems(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	_, err := b.db.Collection("agendaSettings").InsertOne(t.Context(), bson.M{"_id": "a", "concurrency": "many", "schedule": 7})
	if err != nil {
		t.Fatal(err)
	}
	o := b.options(noop("a"), noop("b"))
	o.Problems = queue.NewProblems(time.Now, slog.New(slog.DiscardHandler))
	b.start(o)
	b.ended(b.enqueue("b", nil))
	list := o.Problems.List()
	if len(list) != 2 {
		t.Fatalf("the problems are %+v, want two", list)
	}
	for _, problem := range list {
		if problem.Collection != "agendaSettings" || problem.ID != "a" || problem.Name != "a" || problem.Fix == "" {
			t.Errorf("a problem is %+v", problem)
		}
	}
}

// A limit that is set while jobs run counts those jobs.
func TestLimitCountsWhatRunsAlready(t *testing.T) {
	t.Parallel()
	b, g := newBench(t, nil), newGate()
	var reconciled atomic.Int64
	o := b.options(handler("a", g.run), noop("b"))
	o.Store = &faulty{Consumer: b.store, reconcile: func(string) { reconciled.Add(1) }}
	b.start(o)
	b.enqueueMany("a", 3)
	for range 3 {
		receive(t, "a start", g.started)
	}
	if err := b.client.ChangeSettings(t.Context(), job.Settings{Name: "a", Concurrency: 3}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the running jobs are counted", func() bool { return reconciled.Load() > 0 })
	b.enqueueMany("a", 2)
	for range 5 { // the worker looks, and finds other work
		b.ended(b.enqueue("b", nil))
	}
	if n := len(g.started); n > 0 {
		t.Errorf("%d more run beside three, and the limit is three", n)
	}
	g.letGo <- struct{}{}
	receive(t, "the next start", g.started)
	close(g.letGo)
}

// A place that leaked comes free while the name waits for one.
func TestLeakedPlaceComesFree(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	gone := bson.M{"token": bson.NewObjectIDFromTimestamp(time.Now().Add(-time.Hour)), "holder": queue.HolderPrefix + "gone"}
	_, err := b.db.Collection("agendaSettings").InsertOne(t.Context(), bson.M{"_id": "a", "concurrency": 1, "slots": bson.A{gone}})
	if err != nil {
		t.Fatal(err)
	}
	b.start(b.options(noop("a")))
	b.ended(b.enqueue("a", nil))
	// One that leaks later is found as well.
	_, err = b.db.Collection("agendaSettings").UpdateByID(t.Context(), "a", bson.M{"$set": bson.M{"slots": bson.A{gone}}})
	if err != nil {
		t.Fatal(err)
	}
	b.ended(b.enqueue("a", nil))
}
