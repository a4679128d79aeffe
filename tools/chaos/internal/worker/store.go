package worker

import (
	"context"
	"sync"

	"github.com/etrainer/backend/pkg/queue"
	"github.com/etrainer/backend/pkg/queue/mongoqueue"
	"github.com/etrainer/backend/tools/chaos/internal/history"
)

// store is the product's store. Its calls are steps, and what they answer is
// written down.
type store struct {
	*mongoqueue.Store
	log   *history.Log
	traps *traps

	mu    sync.Mutex
	first map[*queue.Lease]int64 // when the first try to record a lease's outcome began
}

func newStore(product *mongoqueue.Store, log *history.Log, traps *traps) *store {
	return &store{Store: product, log: log, traps: traps, first: map[*queue.Lease]int64{}}
}

// Lease implements queue.Consumer.
func (s *store) Lease(ctx context.Context, request queue.LeaseRequest) (batch queue.Batch, err error) {
	s.traps.call(ctx, "lease", func(ctx context.Context) {
		began := history.Now()
		batch, err = s.Store.Lease(ctx, request)
		for _, lease := range batch.Leases {
			line := lineOf(history.Claim, lease)
			line.Began = began
			s.log.Write(line)
		}
	})
	return batch, err
}

// Open implements queue.Consumer.
func (s *store) Open(ctx context.Context, leases []*queue.Lease) (err error) {
	s.traps.call(ctx, "open", func(ctx context.Context) { err = s.Store.Open(ctx, leases) })
	return err
}

// Renew implements queue.Consumer.
func (s *store) Renew(ctx context.Context, leases []*queue.Lease) (lost []*queue.Lease, err error) {
	s.traps.call(ctx, "renew", func(ctx context.Context) { lost, err = s.Store.Renew(ctx, leases) })
	return lost, err
}

// Record implements queue.Consumer.
func (s *store) Record(ctx context.Context, endings []queue.Ending) (results []error, err error) {
	s.traps.call(ctx, "record", func(ctx context.Context) {
		began := s.began(endings)
		results, err = s.Store.Record(ctx, endings)
		if err != nil {
			return // tried again
		}
		for i, ending := range endings {
			line := lineOf(history.Record, ending.Lease)
			line.Began, line.Outcome = began[i], string(ending.Outcome)
			if results[i] != nil {
				line.Note = results[i].Error()
			}
			s.log.Write(line)
		}
		s.forget(endings)
	})
	return results, err
}

// began remembers when the first try to record each outcome began: a try that
// seemed to fail may have done it.
func (s *store) began(endings []queue.Ending) []int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	now, began := history.Now(), make([]int64, len(endings))
	for i, ending := range endings {
		if s.first[ending.Lease] == 0 {
			s.first[ending.Lease] = now
		}
		began[i] = s.first[ending.Lease]
	}
	return began
}

func (s *store) forget(endings []queue.Ending) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, ending := range endings {
		delete(s.first, ending.Lease)
	}
}

// RecordRuns implements queue.Consumer.
func (s *store) RecordRuns(ctx context.Context, endings []queue.Ending) (dropped int, err error) {
	s.traps.call(ctx, "runs", func(ctx context.Context) { dropped, err = s.Store.RecordRuns(ctx, endings) })
	return dropped, err
}

// Rescue implements queue.Consumer.
func (s *store) Rescue(ctx context.Context, request queue.RescueRequest) (rescued queue.Rescued, err error) {
	s.traps.call(ctx, "rescue", func(ctx context.Context) {
		began := history.Now()
		if rescued, err = s.Store.Rescue(ctx, request); err == nil {
			s.log.Write(history.Line{Event: history.Rescue, Began: began, Holder: request.Instance, Count: rescued.Due})
		}
	})
	return rescued, err
}

// Arm implements queue.Producer.
func (s *store) Arm(ctx context.Context, recurring queue.Recurring) (armed queue.Armed, err error) {
	s.traps.call(ctx, "arm", func(ctx context.Context) {
		if armed, err = s.Store.Arm(ctx, recurring); err == nil {
			s.log.Write(history.Line{Event: history.Arm, Name: recurring.Name, Note: string(armed)})
		}
	})
	return armed, err
}

func lineOf(event history.Event, lease *queue.Lease) history.Line {
	return history.Line{
		Event: event, Job: lease.Job.ID.Hex(), Name: lease.Job.Name, Tick: lease.Tick.UnixMilli(),
		Attempt: lease.Attempt, Holder: lease.Holder,
	}
}
