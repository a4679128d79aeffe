package worker

import (
	"context"
	"strings"
	"testing"

	"go.mongodb.org/mongo-driver/v2/event"
)

// A trap springs once, at its step alone. Here it stops nobody: the step is
// seen by the line that is written before.
func TestSteps(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		trap string
		want Step
	}{
		{`{"at":"lease","command":2}`, Step{At: "lease", Command: 2}},
		{`{"at":"lease","command":2,"after":true}`, Step{At: "lease", Command: 2, After: true}},
		{`{"at":"record","after":true}`, Step{At: "record", After: true}},
		{`{"at":"effect"}`, Step{At: "effect"}},
	} {
		var sprung []Step
		traps := &traps{spring: func(trap *Trap) { sprung = append(sprung, trap.Step) }}
		if err := traps.obey(strings.NewReader(test.trap + "\n")); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			work(t, traps)
		}
		if len(sprung) != 1 || sprung[0] != test.want {
			t.Errorf("%s: sprung at %v, want %s once", test.trap, sprung, test.want)
		}
	}
}

// work is a lease with three commands, a handler, and a record with one.
func work(t *testing.T, traps *traps) {
	t.Helper()
	monitor := traps.monitor()
	commands := func(n int64) func(context.Context) {
		return func(ctx context.Context) {
			for id := range n {
				monitor.Started(ctx, &event.CommandStartedEvent{RequestID: 100 + id})
				monitor.Succeeded(ctx, &event.CommandSucceededEvent{CommandFinishedEvent: event.CommandFinishedEvent{RequestID: 100 + id}})
			}
		}
	}
	traps.call(t.Context(), "lease", commands(3))
	monitor.Started(t.Context(), &event.CommandStartedEvent{RequestID: 7}) // of no call
	traps.reach(Step{At: "effect"})
	traps.call(t.Context(), "record", commands(1))
}

func TestTrapsOverwriteEachOther(t *testing.T) {
	t.Parallel()
	traps := &traps{spring: func(trap *Trap) { t.Errorf("sprung at %s", trap.Step) }}
	if err := traps.obey(strings.NewReader(`{"at":"effect"}` + "\n{}\n")); err != nil {
		t.Fatal(err)
	}
	traps.reach(Step{At: "effect"})
	if err := traps.obey(strings.NewReader("not a trap\n")); err == nil {
		t.Error("text that is no trap was obeyed")
	}
	if got, want := (Step{At: "lease", Command: 2, After: true}).String(), "after command 2 of lease"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
