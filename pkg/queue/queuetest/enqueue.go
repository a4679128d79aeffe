package queuetest

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/etrainer/backend/pkg/job"
	"github.com/etrainer/backend/pkg/queue"
)

var enqueueTests = map[string]func(*testing.T, *suite){
	"enqueue for now, for later and in the past": func(t *testing.T, s *suite) {
		jobs := s.enqueue(
			queue.Request{Name: "a", Data: data(s, map[string]any{"n": 1})},
			queue.Request{Name: "a", RunAt: Start.Add(time.Hour)},
			queue.Request{Name: "a", RunAt: Start.Add(-time.Hour), Priority: 10},
		)
		s.sameTime("now", s.get(jobs[0].ID).NextRunAt, Start)
		s.state(jobs[0].ID, job.Queued)
		s.state(jobs[1].ID, job.Scheduled)
		s.state(jobs[2].ID, job.Queued)
		if p := s.get(jobs[2].ID).Priority; p != 10 {
			t.Errorf("priority is %v, want 10", p)
		}
		if text, err := s.get(jobs[0].ID).DataJSON(); err != nil || string(text) != `{"n":1}` {
			t.Errorf("data is %s (%v)", text, err)
		}
	},
	"an idempotency key makes one job": func(t *testing.T, s *suite) {
		request := queue.Request{Name: "a", Data: data(s, map[string]any{"n": 1}), IdempotencyKey: "user 1: abc"}
		first, err := s.Store.Enqueue(s.ctx(), request)
		if err != nil || !first[0].Created {
			t.Fatalf("first: %+v, %v", first, err)
		}
		s.Clock.Advance(time.Hour)
		again, err := s.Store.Enqueue(s.ctx(), request)
		if err != nil || again[0].Created || again[0].Job.ID != first[0].Job.ID {
			t.Fatalf("again: %+v, %v; want job %s, not created", again, err, first[0].Job.ID)
		}
		s.sameTime("time of the repeated request", again[0].Job.NextRunAt, Start)
		request.Data = data(s, map[string]any{"n": 1.0})
		if again, err := s.Store.Enqueue(s.ctx(), request); err != nil || again[0].Created {
			t.Errorf("the same number in another form: %+v, %v", again, err)
		}
		request.Data = data(s, map[string]any{"n": 2})
		if _, err := s.Store.Enqueue(s.ctx(), request); !errors.Is(err, queue.ErrKeyReused) {
			t.Errorf("other data, same key: %v, want ErrKeyReused", err)
		}
	},
	"twenty callers with one idempotency key make one job": func(t *testing.T, s *suite) {
		var wait sync.WaitGroup
		ids := make([]bson.ObjectID, 20)
		for i := range ids {
			wait.Go(func() {
				receipts, err := s.Store.Enqueue(s.ctx(), queue.Request{Name: "a", IdempotencyKey: "k"})
				if err != nil {
					t.Errorf("Enqueue: %v", err)
					return
				}
				ids[i] = receipts[0].Job.ID
			})
		}
		wait.Wait()
		for _, id := range ids {
			if id != ids[0] {
				t.Errorf("two jobs: %s and %s", id, ids[0])
			}
		}
		if jobs := s.list(queue.Filter{}); len(jobs) != 1 {
			t.Errorf("%d jobs, want 1", len(jobs))
		}
	},
	"unique replaces payload and time, or leaves the job alone": func(t *testing.T, s *suite) {
		request := func(n int, at time.Time, insertOnly bool) queue.Request {
			return queue.Request{
				Name: "a", Data: data(s, map[string]any{"userId": 7, "n": n}), RunAt: at,
				Unique: &queue.Unique{By: map[string]any{"userId": 7}, InsertOnly: insertOnly},
			}
		}
		first := s.enqueue(request(1, Start.Add(time.Hour), false))[0]
		second := s.enqueue(request(2, Start.Add(2*time.Hour), false))[0]
		if second.ID != first.ID {
			t.Fatalf("a second job was made")
		}
		s.sameTime("replaced time", s.get(first.ID).NextRunAt, Start.Add(2*time.Hour))
		s.enqueue(request(3, Start, true))
		left := s.get(first.ID)
		var payload struct{ UserID, N int }
		if err := left.DecodeData(&payload); err != nil || payload.UserID != 7 || payload.N != 2 {
			t.Errorf("data is %+v (%v), want that of the second call", payload, err)
		}
		s.sameTime("time left alone", left.NextRunAt, Start.Add(2*time.Hour))
		other := s.enqueue(queue.Request{Name: "b", Data: left.Data, Unique: &queue.Unique{By: map[string]any{"userId": 7}}})[0]
		if other.ID == first.ID {
			t.Errorf("another name shares the job")
		}
	},
	"unique does not unlock a running job": func(t *testing.T, s *suite) {
		request := queue.Request{Name: "a", Data: data(s, map[string]any{"userId": 7}), Unique: &queue.Unique{By: map[string]any{"userId": 7}}}
		s.enqueue(request)
		lease := s.leaseOne("w1", "a")
		s.enqueue(request)
		if got := s.get(lease.Job.ID); got.LockedAt.IsZero() || got.LastRunAt.IsZero() {
			t.Fatalf("the running job lost its lock or history: %+v", got)
		}
		s.succeed(lease)
		s.state(lease.Job.ID, job.Queued) // and runs again, as the second call asked
	},
	"twenty unique callers make one job": func(t *testing.T, s *suite) {
		var wait sync.WaitGroup
		for i := range 20 {
			wait.Go(func() {
				_, err := s.Store.Enqueue(s.ctx(), queue.Request{
					Name: "a", Data: data(s, map[string]any{"userId": 7, "n": i}),
					Unique: &queue.Unique{By: map[string]any{"userId": 7}},
				})
				if err != nil {
					t.Errorf("Enqueue: %v", err)
				}
			})
		}
		wait.Wait()
		if jobs := s.list(queue.Filter{}); len(jobs) != 1 {
			t.Errorf("%d jobs, want 1", len(jobs))
		}
	},
	"unique refuses operators": func(t *testing.T, s *suite) {
		for path, value := range map[string]any{"$where": "1", "a.$gt": 1, "": 1, "x": map[string]any{"$gt": 0}} {
			_, err := s.Store.Enqueue(s.ctx(), queue.Request{Name: "a", Unique: &queue.Unique{By: map[string]any{path: value}}})
			if err == nil {
				t.Errorf("By %q: %v was accepted", path, value)
			}
		}
	},
	"bulk enqueue keeps the order of its receipts": func(t *testing.T, s *suite) {
		requests := make([]queue.Request, 100)
		for i := range requests {
			requests[i] = queue.Request{Name: "a", Data: data(s, map[string]any{"n": i})}
		}
		for i, document := range s.enqueue(requests...) {
			if text, _ := s.get(document.ID).DataJSON(); string(text) != fmt.Sprintf(`{"n":%d}`, i) {
				t.Fatalf("receipt %d is for %s", i, text)
			}
			if i > 10 {
				break
			}
		}
		if jobs := s.list(queue.Filter{Limit: 200}); len(jobs) != 100 {
			t.Errorf("%d jobs, want 100", len(jobs))
		}
	},
}
