package queuetest

import (
	"testing"
	"time"

	"github.com/etrainer/backend/pkg/job"
	"github.com/etrainer/backend/pkg/queue"
)

var recordTests = map[string]func(*testing.T, *suite){
	"success leaves the job finished and a record with the result": func(t *testing.T, s *suite) {
		id := s.enqueue(queue.Request{Name: "a"})[0].ID
		lease := s.leaseOne("worker@w1", "a")
		s.Clock.Advance(1500 * time.Millisecond)
		err := s.record(queue.Ending{
			Lease: lease, Outcome: job.Succeeded, Result: data(s, map[string]any{"sent": 3}),
			Logs: []job.LogLine{{At: Start, Level: "info", Message: "hello"}},
		})
		if err != nil {
			t.Fatal(err)
		}
		s.state(id, job.Completed)
		got := s.get(id)
		if !got.LockedAt.IsZero() || got.LastFinishedAt.Before(got.LastRunAt) {
			t.Errorf("job: %+v", got)
		}
		runs := s.runs(id)
		if len(runs) != 1 || runs[0].Outcome != job.Succeeded || runs[0].DurationMS < 1500 || len(runs[0].Logs) != 1 {
			t.Fatalf("runs: %+v", runs)
		}
		if sent, ok := runs[0].Result.Document().Lookup("sent").AsInt64OK(); !ok || sent != 3 {
			t.Errorf("result: %s", runs[0].Result)
		}
	},
	"a failure with a retry, then one for good": func(t *testing.T, s *suite) {
		id := s.enqueue(queue.Request{Name: "a"})[0].ID
		retryAt := Start.Add(10 * time.Second)
		if err := s.record(queue.Ending{Lease: s.leaseOne("worker@w1", "a"), Outcome: job.Retrying, RunAgainAt: retryAt, Error: "boom"}); err != nil {
			t.Fatal(err)
		}
		got := s.get(id)
		s.sameTime("nextRunAt", got.NextRunAt, retryAt)
		s.sameTime("failedAt equals lastFinishedAt", got.FailedAt, got.LastFinishedAt)
		if got.FailCount != 1 || got.FailReason != "boom" || got.Dead() {
			t.Errorf("job: %+v", got)
		}
		s.state(id, job.Failed)
		s.Clock.Advance(10 * time.Second)
		second := s.leaseOne("worker@w1", "a")
		s.sameTime("tick of the second attempt", second.Tick, Start)
		if second.Attempt != 2 || second.Failures != 1 {
			t.Errorf("attempt %d, failures %d; want 2 and 1", second.Attempt, second.Failures)
		}
		if err := s.record(queue.Ending{Lease: second, Outcome: job.Dead, Error: "boom again"}); err != nil {
			t.Fatal(err)
		}
		if got = s.get(id); !got.Dead() || got.FailCount != 2 || got.FailReason != "boom again" {
			t.Errorf("job: %+v; want dead", got)
		}
		if dead := s.list(queue.Filter{Dead: true}); len(dead) != 1 {
			t.Errorf("%d dead jobs listed, want 1", len(dead))
		}
	},
	"a success resets the failure count": func(t *testing.T, s *suite) {
		id := s.enqueue(queue.Request{Name: "a"})[0].ID
		if err := s.record(queue.Ending{Lease: s.leaseOne("worker@w1", "a"), Outcome: job.Retrying, RunAgainAt: Start, Error: "boom"}); err != nil {
			t.Fatal(err)
		}
		s.Clock.Advance(time.Second)
		s.succeed(s.leaseOne("worker@w1", "a"))
		if got := s.get(id); got.FailCount != 0 {
			t.Errorf("failCount is %d, want 0", got.FailCount)
		}
		s.state(id, job.Completed)
	},
	"a snooze is no failure and keeps the tick": func(t *testing.T, s *suite) {
		id := s.enqueue(queue.Request{Name: "a"})[0].ID
		if err := s.record(queue.Ending{Lease: s.leaseOne("worker@w1", "a"), Outcome: job.Snoozed, RunAgainAt: Start.Add(time.Minute)}); err != nil {
			t.Fatal(err)
		}
		s.state(id, job.Scheduled)
		s.Clock.Advance(time.Minute)
		lease := s.leaseOne("worker@w1", "a")
		s.sameTime("tick", lease.Tick, Start)
		if lease.Failures != 0 || s.get(id).FailCount != 0 {
			t.Errorf("a snooze counted as a failure")
		}
	},
	"a released job is as it was before": func(t *testing.T, s *suite) {
		id := s.enqueue(queue.Request{Name: "a", RunAt: Start.Add(-time.Minute)})[0].ID
		if err := s.record(queue.Ending{Lease: s.leaseOne("worker@w1", "a"), Outcome: job.Released, Unstarted: true}); err != nil {
			t.Fatal(err)
		}
		got := s.get(id)
		s.sameTime("nextRunAt", got.NextRunAt, Start.Add(-time.Minute))
		s.sameTime("lastRunAt", got.LastRunAt, time.Time{})
		s.state(id, job.Queued)
		if runs := s.runs(id); len(runs) != 0 {
			t.Errorf("%d runs recorded, but the handler was never called", len(runs))
		}
		lease := s.leaseOne("worker@w2", "a")
		if lease.Attempt != 1 || lease.Failures != 0 {
			t.Errorf("attempt %d, failures %d; want 1 and 0", lease.Attempt, lease.Failures)
		}
		s.succeed(lease)
	},
	"an interrupted run is handed back and continued": func(t *testing.T, s *suite) {
		id := s.enqueue(queue.Request{Name: "a", RunAt: Start.Add(-time.Minute)})[0].ID
		if err := s.record(queue.Ending{Lease: s.leaseOne("worker@w1", "a"), Outcome: job.Released}); err != nil {
			t.Fatal(err)
		}
		s.state(id, job.Queued)
		lease := s.leaseOne("worker@w2", "a")
		s.sameTime("tick", lease.Tick, Start.Add(-time.Minute))
		if lease.Attempt != 2 || lease.Failures != 0 {
			t.Errorf("attempt %d, failures %d; want 2 and 0", lease.Attempt, lease.Failures)
		}
		s.succeed(lease)
		if runs := s.runs(id); len(runs) != 2 || runs[0].Outcome != job.Succeeded || runs[1].Outcome != job.Released {
			t.Errorf("runs: %+v; want succeeded after released", runs)
		}
	},
	"what a failed lease may have claimed is handed back, and the rest kept": func(t *testing.T, s *suite) {
		s.enqueue(queue.Request{Name: "a"}, queue.Request{Name: "a"})
		leases := s.lease(want("worker@w1", 2, "a"))
		if n, err := s.rescue("worker@w1", leases[0]); err != nil || n != 1 {
			t.Fatalf("Rescue: %d, %v; want 1", n, err)
		}
		s.succeed(leases[0])
		s.state(leases[1].Job.ID, job.Queued)
	},
	"recording twice is recording once": func(t *testing.T, s *suite) {
		id := s.enqueue(queue.Request{Name: "a"})[0].ID
		endings := []queue.Ending{{Lease: s.leaseOne("worker@w1", "a"), Outcome: job.Retrying, RunAgainAt: Start.Add(time.Minute), Error: "boom"}}
		for range 2 { // the answer to the first call was lost on the way
			if results := s.recordAll(endings); results[0] != nil {
				t.Fatalf("Record: %v", results)
			}
		}
		if got := s.get(id); got.FailCount != 1 {
			t.Errorf("failCount is %d, want 1", got.FailCount)
		}
		if runs := s.runs(id); len(runs) != 1 {
			t.Errorf("%d runs, want 1", len(runs))
		}
	},
	"a batch of different outcomes": func(t *testing.T, s *suite) {
		for range 6 {
			s.enqueue(queue.Request{Name: "a"})
		}
		leases := s.lease(want("worker@w1", 10, "a"))
		outcomes := []job.Outcome{job.Succeeded, job.Dead, job.Discarded, job.Succeeded, job.Released, job.Cancelled}
		endings := make([]queue.Ending, len(outcomes))
		for i, outcome := range outcomes {
			endings[i] = queue.Ending{Lease: leases[i], Outcome: outcome}
		}
		for i, result := range s.recordAll(endings) {
			if result != nil {
				t.Errorf("%s: %v", outcomes[i], result)
			}
		}
		wantStates := []job.State{job.Completed, job.Failed, job.Completed, job.Completed, job.Queued, job.Completed}
		for i, state := range wantStates {
			s.state(leases[i].Job.ID, state)
		}
	},
	"progress and log lines are seen while the run goes on": func(t *testing.T, s *suite) {
		id := s.enqueue(queue.Request{Name: "a"})[0].ID
		lease := s.leaseOne("worker@w1", "a")
		report := queue.Ending{
			Lease: lease, Progress: &job.Progress{Percent: 50, Message: "half", At: Start},
			Logs: []job.LogLine{{At: Start, Level: "info", Message: "one"}},
		}
		if err := s.Store.Report(s.ctx(), []queue.Ending{report}); err != nil {
			t.Fatal(err)
		}
		runs := s.runs(id)
		if len(runs) != 1 || runs[0].Outcome != job.Open || runs[0].Progress == nil || runs[0].Progress.Percent != 50 || len(runs[0].Logs) != 1 {
			t.Fatalf("runs: %+v", runs)
		}
		if got := s.get(id); got.Progress == nil || *got.Progress != 50 {
			t.Errorf("progress of the job: %v, want 50", got.Progress)
		}
		s.succeed(lease)
		if runs = s.runs(id); len(runs) != 1 || runs[0].Outcome != job.Succeeded {
			t.Errorf("runs after the end: %+v", runs)
		}
	},
}
