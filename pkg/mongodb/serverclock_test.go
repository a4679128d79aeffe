package mongodb_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/jonboulle/clockwork"

	"github.com/etrainer/backend/pkg/lifecycle"
	"github.com/etrainer/backend/pkg/lifecycle/lifecycletest"
	"github.com/etrainer/backend/pkg/mongodb"
	"github.com/etrainer/backend/pkg/mongodb/wiretest"
)

// lines counts the lines of a log that have a text.
func lines(j *journal, text string) int { return strings.Count(j.String(), text) }

const (
	doubtLine = "the server's time is in doubt"
	overLine  = "the server's time is known again"
)

// Start asks five times; the quickest answer is the most precise one.
func TestServerClockStarts(t *testing.T) {
	t.Parallel()
	for _, ahead := range []time.Duration{0, 3 * time.Minute, -25 * time.Second} {
		t.Run(ahead.String(), func(t *testing.T) {
			t.Parallel()
			w := newWorld()
			w.server, w.there, w.back = ahead, 4*time.Millisecond, 6*time.Millisecond
			clock, _, journal := w.started(t)
			w.right(t, clock, "after the start", time.Millisecond) // half of 10 ms is 5 ms, and the way there took 4 ms
			if n := w.questions(); n != 5 {
				t.Errorf("the server was asked %d times, want 5", n)
			}
			want := 0
			if ahead != 0 {
				want = 1
			}
			if n := lines(journal, "this machine's clock differs from the database server's"); n != want {
				t.Errorf("%d lines tell of the difference, want %d", n, want)
			}
		})
	}
}

// However far somebody sets this machine's time of day, the server's time goes
// on; it is measured anew, and until then nothing is leased.
func TestTheTimeOfDayIsSet(t *testing.T) {
	t.Parallel()
	for _, step := range []time.Duration{11 * time.Minute, -11 * time.Minute, 5 * time.Hour, -5 * time.Hour} {
		t.Run(step.String(), func(t *testing.T) {
			t.Parallel()
			w := newWorld()
			w.server = time.Minute
			clock, _, journal := w.started(t)
			w.do(func() { w.wall += step; w.true = w.true.Add(2 * time.Second) })
			w.right(t, clock, "before anything is measured", 10*time.Millisecond)
			if clock.Agrees() {
				t.Error("the clocks of the machine went apart, and nobody doubts")
			}
			settled(t, clock)
			w.right(t, clock, "after the doubt", 10*time.Millisecond)
			if lines(journal, doubtLine) != 1 || lines(journal, overLine) != 1 {
				t.Errorf("the log does not tell of it once, and once that it is over:\n%s", journal)
			}
		})
	}
}

// A machine that slept has a monotonic clock that is behind.
func TestTheMachineSleeps(t *testing.T) {
	t.Parallel()
	w := newWorld()
	clock, _, _ := w.started(t)
	w.do(func() { w.true, w.slept = w.true.Add(11*time.Minute), w.slept+11*time.Minute })
	if clock.Agrees() {
		t.Error("the machine slept, and nobody doubts")
	}
	settled(t, clock)
	w.right(t, clock, "after the doubt", 10*time.Millisecond)
}

// A virtual machine that was halted does not notice: only the server can tell.
func TestTheMachineIsHalted(t *testing.T) {
	t.Parallel()
	w := newWorld()
	clock, _, _ := w.started(t)
	w.do(func() {
		w.true, w.slept, w.wall = w.true.Add(11*time.Minute), w.slept+11*time.Minute, w.wall-11*time.Minute
	})
	if !clock.Agrees() {
		t.Error("in doubt, and nothing can be known")
	}
	if err := clock.Measure(t.Context()); err != nil {
		t.Fatal(err)
	}
	settled(t, clock)
	w.right(t, clock, "after the doubt", 10*time.Millisecond)
}

// One measure that contradicts the others is doubted, and changes nothing; the
// second makes it true.
func TestTheServersClockIsSet(t *testing.T) {
	t.Parallel()
	for _, step := range []time.Duration{11 * time.Minute, -11 * time.Minute, 2 * time.Second} {
		t.Run(step.String(), func(t *testing.T) {
			t.Parallel()
			w := newWorld()
			clock, _, journal := w.started(t)
			w.do(func() { w.server += step })
			if err := clock.Measure(t.Context()); err != nil {
				t.Fatal(err)
			}
			settled(t, clock)
			w.right(t, clock, "after the doubt", 10*time.Millisecond)
			if lines(journal, doubtLine) != 1 || lines(journal, overLine) != 1 {
				t.Errorf("the log does not tell of it once, and once that it is over:\n%s", journal)
			}
		})
	}
}

// pauses waits until a clock in doubt waits for its next question.
func pauses(t *testing.T, clock *mongodb.ServerClock, timers *clockwork.FakeClock) {
	t.Helper()
	eventually(t, "the clock pauses", func() bool {
		if clock.Agrees() {
			t.Fatal("no two measures agree, and the clock is relied on")
		}
		within, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		defer cancel()
		return timers.BlockUntilContext(within, 2) == nil // the ticker, and the pause
	})
}

// While no two answers agree, the last time that was sure goes on, and the server
// is asked no more than once a second.
func TestTheServersClockWanders(t *testing.T) {
	t.Parallel()
	w := newWorld()
	clock, timers, _ := w.started(t)
	sure := w.serverTime()
	w.do(func() { w.wanders = time.Hour })
	if err := clock.Measure(t.Context()); err != nil {
		t.Fatal(err)
	}
	for range 5 {
		pauses(t, clock, timers)
		if off := clock.Now().Sub(sure).Abs(); off > 10*time.Millisecond {
			t.Errorf("the clock moved by %v without knowing better", off)
		}
		asked := w.questions()
		timers.Advance(time.Second - time.Millisecond)
		if again := w.questions(); again != asked {
			t.Errorf("the server was asked %d more times within a second", again-asked)
		}
		timers.Advance(time.Millisecond)
	}
	pauses(t, clock, timers)
	w.do(func() { w.wanders = 0 })
	timers.Advance(time.Second)
	if err := timers.BlockUntilContext(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	timers.Advance(time.Second)
	settled(t, clock)
	w.right(t, clock, "after the doubt", 10*time.Millisecond)
}

// A slow answer is imprecise: it raises no doubt, and spoils nothing.
func TestSlowAnswersRaiseNoDoubt(t *testing.T) {
	t.Parallel()
	w := newWorld()
	clock, _, _ := w.started(t)
	w.do(func() { w.there = 5 * time.Second })
	if err := clock.Measure(t.Context()); err != nil {
		t.Fatal(err)
	}
	if !clock.Agrees() {
		t.Error("a slow answer raised a doubt")
	}
	w.right(t, clock, "after a slow answer", 20*time.Millisecond)
}

// Quartz drifts: a precise measure that is old gives way to a fresh one.
func TestAnOldMeasureGivesWay(t *testing.T) {
	t.Parallel()
	w := newWorld()
	clock, _, _ := w.started(t)
	w.do(func() {
		w.true, w.server = w.true.Add(time.Hour), w.server+300*time.Millisecond
		w.there, w.back = 10*time.Millisecond, 10*time.Millisecond
	})
	if err := clock.Measure(t.Context()); err != nil {
		t.Fatal(err)
	}
	if !clock.Agrees() {
		t.Error("a drift raised a doubt")
	}
	w.right(t, clock, "after an hour", 10*time.Millisecond)
}

// Where nobody measures the clock does, each minute.
func TestTheClockMeasuresWhereNobodyDoes(t *testing.T) {
	t.Parallel()
	w := newWorld()
	_, timers, _ := w.started(t)
	for range 2 {
		asked := w.questions()
		eventually(t, "the clock measures", func() bool {
			w.do(func() { w.true = w.true.Add(time.Minute) })
			timers.Advance(time.Minute)
			return w.questions() > asked
		})
	}
}

// Who keeps a heartbeat measures with it, and the clock asks nothing more.
func TestTheClockMeasuresNotBesideOthers(t *testing.T) {
	t.Parallel()
	w := newWorld()
	clock, timers, _ := w.started(t)
	asked := w.questions()
	for range 10 {
		w.do(func() { w.true = w.true.Add(20 * time.Second) })
		if err := clock.Measure(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := timers.BlockUntilContext(t.Context(), 1); err != nil {
			t.Fatal(err)
		}
		timers.Advance(20 * time.Second)
	}
	if n := w.questions() - asked; n != 10 {
		t.Errorf("the server was asked %d times, want 10", n)
	}
}

// Before the start it tells the machine's time, and says that it is a guess.
func TestServerClockBeforeTheStart(t *testing.T) {
	t.Parallel()
	w := newWorld()
	_, log := newJournal()
	clock, _ := w.clock(t, log)
	w.right(t, clock, "before the start", 0)
	if clock.Agrees() {
		t.Error("it claims to know the server's time")
	}
}

func TestServerClockKeepsTheContract(t *testing.T) {
	t.Parallel()
	client := connect(t, mongodb.Options{URI: "mongodb://" + wiretest.New(t, newWorld().answer).Host()})
	_, log := newJournal()
	lifecycletest.Stress(t, func() lifecycle.Service {
		return mongodb.NewServerClock(client, log, mongodb.WithReadings(newWorld().readings))
	})
}

func TestServerClockNeedsTheServerToStart(t *testing.T) {
	t.Parallel()
	client := connect(t, mongodb.Options{URI: "mongodb://" + wiretest.New(t, plain).Host()})
	if err := client.Close(t.Context()); err != nil {
		t.Fatalf("Close: %v", err)
	}
	_, log := newJournal()
	clock := mongodb.NewServerClock(client, log)
	if err := clock.Start(t.Context()); err == nil {
		t.Error("Start without a server succeeds")
	}
	if err := clock.Stop(context.WithoutCancel(t.Context())); err != nil {
		t.Errorf("Stop: %v", err)
	}
}
