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

// endedUnplanned is why a job that is to repeat has no next tick, although
// neither its bounds nor a person ended it; "" = that is not so. Agenda 4 and 5
// store it as the job's failReason, before they run it for the last time.
func endedUnplanned(document *job.Document) string {
	plan, problem := document.Schedule(nil)
	if plan != nil || problem == nil {
		return ""
	}
	return problem.Error()
}
