package mongoqueue

import (
	"context"
	"time"

	"github.com/etrainer/backend/pkg/job"
	"github.com/etrainer/backend/pkg/queue"
)

// nextTick is the tick after a run that started at base; zero = there is none.
// A schedule that an Agenda runs is kept, and one that none reads has no next
// tick: the run that is due still takes place. Both are reported.
func (s *Store) nextTick(document *job.Document, base, now time.Time) time.Time {
	plan, problem := document.Schedule(s.options.Zone)
	if problem != nil {
		s.options.Problems.Report(context.Background(), //nolint:forbidigo // it is for the log line alone
			queue.BadSchedule{Job: document, Problem: problem}.Report(s.options.Collection))
	}
	if plan == nil {
		return time.Time{}
	}
	next, _ := plan.NextRun(base, document.NextRunAt, now)
	return next
}

// failure is why a job fails with the end of a run. That can be its schedule: a
// job that is to repeat, and has no next tick because none can be read, ends
// with that reason however well it ran. Agenda 4 and 5 do the same.
func failure(ending queue.Ending) (reason string, failed bool) {
	if ending.Outcome == job.Retrying || ending.Outcome == job.Dead {
		return ending.Error, true
	}
	if !ending.RunAgainAt.IsZero() || !ending.Lease.NextRunAt.IsZero() {
		return "", false
	}
	plan, problem := ending.Lease.Job.Schedule(nil)
	if plan != nil || problem == nil {
		return "", false // it goes on, or was not to repeat, or its bounds ended it
	}
	return problem.Error(), true
}
