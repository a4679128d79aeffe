package promises

import (
	"errors"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/etrainer/backend/pkg/job"
	"github.com/etrainer/backend/pkg/queue"
	"github.com/etrainer/backend/pkg/queue/mongoqueue"
)

// A recurring tick is created at most once, with five schedulers and five
// workers in five processes. All schedulers begin at the same moment, and find
// no job; it is deleted under them a few times, and they begin again.
func TestATickIsCreatedAtMostOnce(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	schedulers := s.spawnAll("scheduler", 5)
	const rounds, enough = 4, 3
	for range rounds {
		before := s.ticks()
		for _, each := range schedulers {
			each.order()
		}
		s.eventually("some ticks have passed", func() bool { return s.ticks() >= before+enough })
		page, err := s.store.List(t.Context(), queue.Filter{Names: []string{tick.Name}})
		if err != nil || len(page.Jobs) != 1 {
			t.Fatalf("%d jobs named %s (%v), want 1", len(page.Jobs), tick.Name, err)
		}
		s.eventually("the job is deleted", func() bool {
			err := s.store.Delete(t.Context(), page.Jobs[0].ID)
			if err != nil && !errors.Is(err, queue.ErrConflict) { // it is running
				t.Fatal(err)
			}
			return err == nil
		})
	}
	for _, each := range schedulers {
		each.stop() // what they have to record is recorded
	}
	s.checkTicks()
}

// ticks is how many runs have been recorded.
func (s *stage) ticks() int64 {
	s.t.Helper()
	return s.count(mongoqueue.RunsCollection, bson.D{{Key: "outcome", Value: job.Succeeded}})
}

// checkTicks checks that each tick ran once, and began once.
func (s *stage) checkTicks() {
	s.t.Helper()
	ran, starts := map[time.Time]int{}, map[time.Time]int{}
	for _, runs := range s.runs() {
		for _, run := range runs {
			if run.Outcome != job.Succeeded {
				s.t.Errorf("run %+v, want a success", run)
			}
			ran[run.Tick]++
		}
	}
	for tick, n := range ran {
		if n != 1 || tick.Nanosecond() != 0 {
			s.t.Errorf("tick %s ran %d times, want once, on the second", tick, n)
		}
	}
	for _, effects := range s.effects() {
		for _, e := range effects {
			if e.Phase == started {
				starts[e.Tick]++
			}
		}
	}
	for tick, n := range starts {
		if n != 1 {
			s.t.Errorf("the handler was called %d times for tick %s, want once", n, tick)
		}
	}
}
