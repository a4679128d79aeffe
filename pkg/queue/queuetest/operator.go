package queuetest

import (
	"errors"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/etrainer/backend/pkg/job"
	"github.com/etrainer/backend/pkg/queue"
)

// list returns one page of jobs.
func (s *suite) list(filter queue.Filter) []*job.Document {
	s.t.Helper()
	page, err := s.Store.List(s.ctx(), filter)
	if err != nil {
		s.t.Fatalf("List: %v", err)
	}
	return page.Jobs
}

var operatorTests = map[string]func(*testing.T, *suite){
	"cancelling a waiting job": func(t *testing.T, s *suite) {
		id := s.enqueue(queue.Request{Name: "a", RunAt: Start.Add(time.Hour)})[0].ID
		got, err := s.Store.Cancel(s.ctx(), id, "operator")
		if err != nil || !got.Cancelled() {
			t.Fatalf("Cancel: %+v, %v", got, err)
		}
		s.Clock.Advance(2 * time.Hour)
		if leases := s.lease(want("worker@w1", 1, "a")); len(leases) != 0 {
			t.Errorf("a cancelled job was leased")
		}
		if _, err := s.Store.Cancel(s.ctx(), id, "operator"); !errors.Is(err, queue.ErrConflict) {
			t.Errorf("cancelling twice: %v, want ErrConflict", err)
		}
	},
	"cancelling a running job reaches its holder": func(t *testing.T, s *suite) {
		s.enqueue(queue.Request{Name: "a"}, queue.Request{Name: "a"})
		leases := s.lease(want("worker@w1", 2, "a"))
		if asked, err := s.Store.CancelRequested(s.ctx(), leases); err != nil || len(asked) != 0 {
			t.Fatalf("CancelRequested: %d, %v; want none", len(asked), err)
		}
		if _, err := s.Store.Cancel(s.ctx(), leases[0].Job.ID, "operator"); err != nil {
			t.Fatal(err)
		}
		asked, err := s.Store.CancelRequested(s.ctx(), leases)
		if err != nil || len(asked) != 1 || asked[0] != leases[0] {
			t.Fatalf("CancelRequested: %v, %v; want the first lease", asked, err)
		}
		if err := s.record(queue.Ending{Lease: leases[0], Outcome: job.Cancelled}); err != nil {
			t.Fatal(err)
		}
		if got := s.get(leases[0].Job.ID); !got.Cancelled() || !got.NextRunAt.IsZero() {
			t.Errorf("job: %+v; want cancelled", got)
		}
	},
	"retrying a dead job gives it fresh attempts": func(t *testing.T, s *suite) {
		id := s.enqueue(queue.Request{Name: "a"})[0].ID
		if err := s.record(queue.Ending{Lease: s.leaseOne("worker@w1", "a"), Outcome: job.Dead, Error: "boom"}); err != nil {
			t.Fatal(err)
		}
		s.Clock.Advance(time.Minute)
		if _, err := s.Store.Retry(s.ctx(), id, "operator"); err != nil {
			t.Fatal(err)
		}
		s.state(id, job.Queued)
		lease := s.leaseOne("worker@w1", "a")
		if lease.Attempt != 1 || lease.Failures != 0 {
			t.Errorf("attempt %d, failures %d; want 1 and 0", lease.Attempt, lease.Failures)
		}
		if _, err := s.Store.Retry(s.ctx(), id, "operator"); !errors.Is(err, queue.ErrConflict) {
			t.Errorf("retrying a running job: %v, want ErrConflict", err)
		}
		s.succeed(lease)
	},
	"deleting keeps the history and refuses running jobs": func(t *testing.T, s *suite) {
		id := s.enqueue(queue.Request{Name: "a"})[0].ID
		lease := s.leaseOne("worker@w1", "a")
		if err := s.Store.Delete(s.ctx(), id); !errors.Is(err, queue.ErrConflict) {
			t.Errorf("deleting a running job: %v, want ErrConflict", err)
		}
		s.succeed(lease)
		if err := s.Store.Delete(s.ctx(), id); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Store.Get(s.ctx(), id); !errors.Is(err, queue.ErrNotFound) {
			t.Errorf("Get: %v, want ErrNotFound", err)
		}
		if runs := s.runs(id); len(runs) != 1 {
			t.Errorf("%d runs left, want 1", len(runs))
		}
	},
	"what is not there is not found": func(t *testing.T, s *suite) {
		id := bson.NewObjectID()
		_, getErr := s.Store.Get(s.ctx(), id)
		_, cancelErr := s.Store.Cancel(s.ctx(), id, "")
		_, retryErr := s.Store.Retry(s.ctx(), id, "")
		for name, err := range map[string]error{"Get": getErr, "Cancel": cancelErr, "Retry": retryErr, "Delete": s.Store.Delete(s.ctx(), id)} {
			if !errors.Is(err, queue.ErrNotFound) {
				t.Errorf("%s: %v, want ErrNotFound", name, err)
			}
		}
	},
	"listing by name and state, page by page": func(t *testing.T, s *suite) {
		for i := range 7 {
			s.enqueue(queue.Request{Name: "a", RunAt: Start.Add(time.Duration(i%2) * time.Hour)})
		}
		s.enqueue(queue.Request{Name: "b"})
		filter := queue.Filter{Names: []string{"a"}, States: []job.State{job.Queued}, Limit: 3}
		first, err := s.Store.List(s.ctx(), filter)
		if err != nil || len(first.Jobs) != 3 || first.Next == "" {
			t.Fatalf("first page: %d jobs, next %q, %v", len(first.Jobs), first.Next, err)
		}
		filter.Cursor = first.Next
		second, err := s.Store.List(s.ctx(), filter)
		if err != nil || len(second.Jobs) != 1 || second.Next != "" {
			t.Fatalf("second page: %d jobs, next %q, %v; want the fourth and no more", len(second.Jobs), second.Next, err)
		}
		if all := s.list(queue.Filter{}); len(all) != 8 {
			t.Errorf("%d jobs without a filter, want 8", len(all))
		}
		if _, err := s.Store.List(s.ctx(), queue.Filter{Cursor: "nonsense"}); err == nil {
			t.Errorf("a made-up cursor was accepted")
		}
	},
	"counts by state": func(t *testing.T, s *suite) {
		s.arm(everyFive, queue.ArmedCreated)
		s.enqueue(queue.Request{Name: "later", RunAt: Start.Add(time.Hour)})
		for range 5 {
			s.enqueue(queue.Request{Name: "a"})
		}
		leases := s.lease(want("worker@w1", 3, "a"))
		s.succeed(leases[0])
		if err := s.record(queue.Ending{Lease: leases[1], Outcome: job.Dead, Error: "boom"}); err != nil {
			t.Fatal(err)
		}
		s.Clock.Advance(2 * time.Second)
		counts, err := s.Store.Counts(s.ctx())
		if err != nil {
			t.Fatal(err)
		}
		want := map[job.State]int64{job.Running: 1, job.Failed: 1, job.Repeating: 1, job.Scheduled: 1, job.Queued: 2, job.Completed: 1}
		for state, n := range want {
			if counts.ByState[state] != n {
				t.Errorf("%s: %d, want %d", state, counts.ByState[state], n)
			}
		}
		if counts.Total != 7 || counts.Dead != 1 {
			t.Errorf("total %d, dead %d; want 7 and 1", counts.Total, counts.Dead)
		}
	},
	"settings are kept per name": func(t *testing.T, s *suite) {
		if err := s.Store.Pause(s.ctx(), "a", "operator"); err != nil {
			t.Fatal(err)
		}
		set := job.Settings{Name: "b", Concurrency: 2, Retry: &job.Retry{MaxAttempts: 9, Delay: time.Minute}, Missed: job.MissedSkip, ChangedBy: "operator"}
		if err := s.Store.ChangeSettings(s.ctx(), set); err != nil {
			t.Fatal(err)
		}
		settings, err := s.Store.Settings(s.ctx())
		if err != nil || !settings["a"].Paused || settings["a"].ChangedBy != "operator" {
			t.Fatalf("settings: %+v, %v", settings, err)
		}
		if b := settings["b"]; b.Concurrency != 2 || b.Retry == nil || b.Retry.MaxAttempts != 9 || b.Retry.Delay != time.Minute || b.Missed != job.MissedSkip {
			t.Errorf("settings of b: %+v", b)
		}
		if err := s.Store.Resume(s.ctx(), "a", "operator"); err != nil {
			t.Fatal(err)
		}
		if settings, err = s.Store.Settings(s.ctx()); err != nil || settings["a"].Paused {
			t.Errorf("a is still paused (%v)", err)
		}
	},
}
