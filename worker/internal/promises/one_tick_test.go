package promises

import (
	"testing"
	"time"

	"github.com/etrainer/backend/pkg/job"
	"github.com/etrainer/backend/pkg/queue"
)

// A recurring tick is created at most once, with five schedulers and five
// workers in five processes.
func TestATickIsCreatedAtMostOnce(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	for range 5 {
		s.spawn("scheduler")
	}
	const enough = 6
	s.eventually("some ticks have passed", func() bool {
		for _, runs := range s.runs() {
			if len(runs) >= enough {
				return true
			}
		}
		return false
	})
	page, err := s.store.List(t.Context(), queue.Filter{Names: []string{tick.Name}})
	if err != nil || len(page.Jobs) != 1 {
		t.Fatalf("%d jobs named %s (%v), want 1", len(page.Jobs), tick.Name, err)
	}
	ran := map[time.Time]int{}
	for _, run := range s.runs()[page.Jobs[0].ID] {
		if run.Outcome != job.Succeeded {
			t.Errorf("run %+v, want a success", run)
		}
		ran[run.Tick]++
	}
	for tick, n := range ran {
		if n != 1 || tick.Nanosecond() != 0 {
			t.Errorf("tick %s ran %d times, want once, on the second", tick, n)
		}
	}
	starts := map[time.Time]int{}
	for _, e := range s.effects()[page.Jobs[0].ID] {
		if e.Phase == started {
			starts[e.Tick]++
		}
	}
	for tick, n := range starts {
		if n != 1 {
			t.Errorf("the handler was called %d times for tick %s, want once", n, tick)
		}
	}
}
