package runner_test

import (
	"slices"
	"testing"
	"time"

	"github.com/etrainer/backend/pkg/runner"
)

// A job of a worker that was killed runs again within fifteen seconds, whenever
// it was killed.
func TestTheKilledAreRescuedInTime(t *testing.T) {
	t.Parallel()
	var times []time.Duration
	for round := range 60 {
		h := newHarbour(uint64(round), 3)
		simulate(t, h, func(t *testing.T) {
			first := h.launch(t, "first", runner.Beats{})
			h.within(t, 10*time.Second, "the jobs run", func() bool { return h.idle() == 0 })
			h.launch(t, "second", runner.Beats{})
			h.launch(t, "third", runner.Beats{})
			time.Sleep(time.Duration(h.random.Int64N(int64(30 * time.Second))))
			first.kill()
			took := h.within(t, time.Minute, "the jobs run again", func() bool { return h.idle() == 0 })
			if took > 15*time.Second {
				h.do(func() { h.broken("round %d: rescued after %s", round, took) })
			}
			times = append(times, took)
		})
	}
	slices.Sort(times)
	t.Logf("rescued after %s to %s, median %s", times[0], times[len(times)-1], times[len(times)/2])
	if worst := times[len(times)-1]; worst > 15*time.Second {
		t.Errorf("rescued after %s", worst)
	}
}
