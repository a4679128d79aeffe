package mongodb_test

import (
	"context"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/jonboulle/clockwork"
	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/etrainer/backend/pkg/mongodb"
	"github.com/etrainer/backend/pkg/mongodb/wiretest"
)

// world is a machine and a server in one flow of time. The clocks of either can
// be set, and the machine can sleep.
type world struct {
	mu      sync.Mutex
	true    time.Time
	wall    time.Duration // how far the machine's time of day is ahead
	slept   time.Duration // what its monotonic clock missed
	server  time.Duration // how far the server's clock is ahead
	there   time.Duration // how long a question travels, and its answer
	back    time.Duration
	asked   int
	wanders time.Duration // what the server's clock jumps by with each answer
}

var newYear = time.Date(2025, 1, 1, 9, 0, 0, 0, time.UTC)

func newWorld() *world { return &world{true: newYear} }

func (w *world) do(change func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	change()
}

// readings are the clocks of the machine.
func (w *world) readings() mongodb.Reading {
	w.mu.Lock()
	defer w.mu.Unlock()
	return mongodb.Reading{Wall: w.true.Add(w.wall), Elapsed: w.true.Sub(newYear) - w.slept}
}

// serverTime is what the server's clock shows.
func (w *world) serverTime() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.true.Add(w.server)
}

func (w *world) questions() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.asked
}

// answer is the server: it lets the time of the way there and back pass.
func (w *world) answer(command bson.Raw) bson.D {
	// The driver's own questions go to the database admin.
	if wiretest.Name(command) != "hello" || wiretest.Database(command) == "admin" {
		return plain(command)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.asked++
	w.server += w.wanders
	w.true = w.true.Add(w.there)
	now := w.true.Add(w.server)
	w.true = w.true.Add(w.back)
	return bson.D{{Key: "localTime", Value: now}}
}

// clock returns a clock of the machine that is not started. Timers of it are
// those of the fake clock.
func (w *world) clock(t *testing.T, log *slog.Logger) (*mongodb.ServerClock, *clockwork.FakeClock) {
	t.Helper()
	timers := clockwork.NewFakeClock()
	client := connect(t, mongodb.Options{URI: "mongodb://" + wiretest.New(t, w.answer).Host(), Clock: timers})
	return mongodb.NewServerClock(client, log, mongodb.WithReadings(w.readings)), timers
}

// started returns one that is.
func (w *world) started(t *testing.T) (*mongodb.ServerClock, *clockwork.FakeClock, *journal) {
	t.Helper()
	journal, log := newJournal()
	clock, timers := w.clock(t, log)
	if err := clock.Start(t.Context()); err != nil {
		t.Fatalf("Start: %v", err)
	}
	t.Cleanup(func() {
		if err := clock.Stop(context.WithoutCancel(t.Context())); err != nil {
			t.Errorf("Stop: %v", err)
		}
	})
	if !clock.Agrees() {
		t.Fatal("in doubt after the start")
	}
	return clock, timers, journal
}

// right fails the test when the clock is off by more than a bound.
func (w *world) right(t *testing.T, clock *mongodb.ServerClock, when string, bound time.Duration) {
	t.Helper()
	if off := clock.Now().Sub(w.serverTime()); off.Abs() > bound {
		t.Errorf("%s the clock is off by %v, want at most %v", when, off, bound)
	}
}

// settled waits until the clock is relied on again.
func settled(t *testing.T, clock *mongodb.ServerClock) {
	t.Helper()
	eventually(t, "the doubt is settled", clock.Agrees)
}
