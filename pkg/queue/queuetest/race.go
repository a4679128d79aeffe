package queuetest

import (
	"fmt"
	"sync"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/etrainer/backend/pkg/job"
	"github.com/etrainer/backend/pkg/queue"
)

var raceTests = map[string]func(*testing.T, *suite){
	"eight workers never lease one job twice": func(t *testing.T, s *suite) {
		const jobs, workers = 400, 8
		requests := make([]queue.Request, jobs)
		for i := range requests {
			requests[i] = queue.Request{Name: "a"}
		}
		s.enqueue(requests...)
		var mu sync.Mutex
		taken := map[bson.ObjectID]string{}
		var wait sync.WaitGroup
		for w := range workers {
			wait.Go(func() {
				holder := fmt.Sprintf("worker@%d", w)
				for {
					batch, err := s.Store.Lease(s.ctx(), want(holder, 30, "a"))
					if err != nil {
						t.Errorf("Lease: %v", err)
						return
					}
					if len(batch.Leases) == 0 && !batch.More {
						return
					}
					endings := make([]queue.Ending, len(batch.Leases))
					mu.Lock()
					for i, lease := range batch.Leases {
						if other, twice := taken[lease.Job.ID]; twice {
							t.Errorf("job %s leased by %s and %s", lease.Job.ID, other, holder)
						}
						taken[lease.Job.ID] = holder
						endings[i] = queue.Ending{Lease: lease, Outcome: job.Succeeded}
					}
					mu.Unlock()
					results, err := s.Store.Record(s.ctx(), endings)
					if err != nil {
						t.Errorf("Record: %v", err)
						return
					}
					for _, result := range results {
						if result != nil {
							t.Errorf("Record: %v", result)
						}
					}
				}
			})
		}
		wait.Wait()
		if len(taken) != jobs {
			t.Errorf("%d jobs ran, want %d", len(taken), jobs)
		}
	},
}
