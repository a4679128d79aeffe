package runner_test

import (
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/etrainer/backend/pkg/runner"
)

// trial is one thing that happens to the workers of a harbour.
type trial struct {
	kind   string
	whom   int
	lasts  time.Duration
	delay  time.Duration
	behind []time.Duration // how much longer each line takes to recover, at most as long again
}

func (f trial) String() string {
	return fmt.Sprintf("%s (worker %d, %s, delay %s, behind %v)", f.kind, f.whom, f.lasts, f.delay, f.behind)
}

// trials draws what happens, one thing after the other.
func trials(workers int) *rapid.Generator[[]trial] {
	seconds := func(least, most int) *rapid.Generator[time.Duration] {
		return rapid.Map(rapid.IntRange(least*10, most*10), func(n int) time.Duration { return time.Duration(n) * 100 * time.Millisecond })
	}
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) trial {
		return trial{
			kind:   rapid.SampledFrom([]string{"calm", "outage", "stall", "slow", "cut", "slow line", "kill"}).Draw(t, "kind"),
			whom:   rapid.IntRange(0, workers-1).Draw(t, "whom"),
			lasts:  seconds(0, 40).Draw(t, "lasts"),
			delay:  seconds(0, 3).Draw(t, "delay"),
			behind: rapid.SliceOfN(seconds(0, 10), workers, workers).Draw(t, "behind"),
		}
	}), 1, 6)
}

// meet lets it happen, and waits until it is over.
func (h *harbour) meet(f trial) {
	h.do(func() { h.say("--- %s", f) })
	end := time.Now().Add(f.lasts)
	victim := h.workers[f.whom]
	switch f.kind {
	case "outage": // for all; lines come back one after the other
		for i, s := range h.workers {
			h.do(func() { s.mute = end.Add(min(f.behind[i], f.lasts)) })
		}
	case "stall":
		h.do(func() { h.stalled = end })
	case "slow":
		for _, s := range h.workers {
			h.do(func() { s.delay = f.delay })
		}
	case "cut":
		h.do(func() { victim.mute, victim.alone = end, end.Add(f.behind[0]) })
	case "slow line":
		h.do(func() { victim.delay, victim.alone = f.delay, end })
	case "kill":
		if victim.killed.IsZero() && h.alive() > 1 {
			victim.kill()
		}
	}
	time.Sleep(f.lasts)
	h.do(func() {
		for _, s := range h.workers {
			s.delay = time.Millisecond
		}
	})
}

func (h *harbour) alive() (n int) {
	for _, s := range h.workers {
		if s.killed.IsZero() {
			n++
		}
	}
	return n
}

// Whatever the database, the network and the processes do: no two workers run a
// job at once; nobody is taken for dead who lives, unless it was cut off alone
// for as long as it had declared; and in the end every job runs.
func TestNoFaultMakesTheLivingDead(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(draw *rapid.T) {
		plan := trials(3).Draw(draw, "trials")
		h := newHarbour(rapid.Uint64().Draw(draw, "seed"), 4)
		simulate(t, h, func(t *testing.T) {
			for _, name := range []string{"first", "second", "third"} {
				h.launch(t, name, runner.Beats{})
				time.Sleep(time.Duration(h.random.Int64N(int64(3 * time.Second))))
			}
			h.within(t, 30*time.Second, "the jobs run", func() bool { return h.idle() == 0 })
			for _, f := range plan {
				h.meet(f)
			}
			h.within(t, 2*time.Minute, "the jobs run in the end", func() bool { return h.idle() == 0 })
		})
		if len(h.faults) > 0 {
			draw.Fatalf("broken: %v", h.faults)
		}
	})
}
