package queuetest

import (
	"sync"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/etrainer/backend/pkg/job"
	"github.com/etrainer/backend/pkg/queue"
)

var raceTests = map[string]func(*testing.T, *suite){
	"two processes that lease and record all the time never have one job twice": func(t *testing.T, s *suite) {
		const jobs, loops = 400, 4
		requests := make([]queue.Request, jobs)
		for i := range requests {
			requests[i] = queue.Request{Name: "a"}
		}
		s.enqueue(requests...)
		r := &race{suite: s, taken: map[bson.ObjectID]string{}}
		var wait sync.WaitGroup
		for range loops {
			wait.Go(func() { r.work(s.Store, "worker@w1") })
			wait.Go(func() { r.work(s.Peer, "worker@w2") })
		}
		wait.Wait()
		if len(r.taken) != jobs {
			t.Errorf("%d jobs ran, want %d", len(r.taken), jobs)
		}
	},
}

// race notes who had which job.
type race struct {
	*suite
	mu    sync.Mutex
	taken map[bson.ObjectID]string
}

// work leases and records until nothing is left.
func (r *race) work(store queue.Store, holder string) {
	for {
		batch, err := store.Lease(r.ctx(), want(holder, 30, "a"))
		if err != nil {
			r.t.Errorf("Lease: %v", err)
			return
		}
		if len(batch.Leases) == 0 && !batch.More {
			return
		}
		results, err := store.Record(r.ctx(), r.take(holder, batch.Leases))
		if err != nil {
			r.t.Errorf("Record: %v", err)
			return
		}
		for _, result := range results {
			if result != nil {
				r.t.Errorf("Record: %v", result)
			}
		}
	}
}

// take notes leases, and returns the ends of their runs.
func (r *race) take(holder string, leases []*queue.Lease) []queue.Ending {
	r.mu.Lock()
	defer r.mu.Unlock()
	endings := make([]queue.Ending, len(leases))
	for i, lease := range leases {
		if other, twice := r.taken[lease.Job.ID]; twice {
			r.t.Errorf("job %s leased by %s and %s", lease.Job.ID, other, holder)
		}
		r.taken[lease.Job.ID] = holder
		endings[i] = queue.Ending{Lease: lease, Outcome: job.Succeeded}
	}
	return endings
}
