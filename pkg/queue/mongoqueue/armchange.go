package mongoqueue

import (
	"slices"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/etrainer/backend/pkg/job"
	"github.com/etrainer/backend/pkg/queue"
	"github.com/etrainer/backend/pkg/schedule"
)

// changeOf compares a stored recurring job with what is asked for. What is not
// asked for is not compared, and stays.
func changeOf(d *job.Document, r queue.Recurring, plan *schedule.Schedule, now time.Time) (bson.D, queue.Armed) {
	change := contentChange(d, r)
	armed := queue.ArmedUnchanged
	if len(change) > 0 {
		armed = queue.ArmedUpdated
	}
	next, _ := plan.NextRun(time.Time{}, time.Time{}, now)
	switch {
	case r.KeepSchedule:
	case !sameSchedule(d, r.Repeat):
		armed = queue.ArmedMoved
		change = append(change,
			bson.E{Key: "repeatInterval", Value: r.Repeat.Interval}, bson.E{Key: "repeatTimezone", Value: textOrNull(r.Repeat.Timezone)},
			bson.E{Key: "startDate", Value: job.Date(r.Repeat.Start)}, bson.E{Key: "endDate", Value: job.Date(r.Repeat.End)},
			bson.E{Key: "skipDays", Value: skipDaysOrNull(r.Repeat.SkipDays)}, bson.E{Key: "nextRunAt", Value: job.Date(moved(d, plan, next, now))})
	case d.NextRunAt.IsZero() && d.LockedAt.IsZero() && !next.IsZero():
		// Agenda's every() leaves such a document without a next run for ever.
		armed = queue.ArmedRevived
		change = append(change, bson.E{Key: "nextRunAt", Value: job.Date(next)})
	}
	return switchTicks(d, r, change, armed, next, now)
}

// contentChange replaces the payload and the priority, where they are asked for.
func contentChange(d *job.Document, r queue.Recurring) (change bson.D) {
	if r.Data.Type != 0 && !sameData(d.Data, r.Data) {
		change = append(change, bson.E{Key: "data", Value: r.Data})
	}
	if r.Priority != nil && d.Priority != *r.Priority {
		change = append(change, bson.E{Key: "priority", Value: job.Number(*r.Priority)})
	}
	return change
}

// moved is the next run under a schedule that changed. What the old one owes
// stays: a tick that is due and that no worker has met yet, and the next attempt
// of a run that failed or was put off. A changed distance counts on from the
// last run.
func moved(d *job.Document, plan *schedule.Schedule, next, now time.Time) time.Time {
	due := !d.NextRunAt.IsZero() && !d.NextRunAt.After(now)
	attempt := d.Resume != nil && d.Resume.At.Equal(d.NextRunAt)
	if (due || attempt) && !d.Disabled {
		return d.NextRunAt
	}
	if _, ok := plan.Every(); !ok || d.LastRunAt.IsZero() {
		return next
	}
	if counted, ok := plan.NextRun(d.LastRunAt, time.Time{}, now); ok {
		return later(counted, now)
	}
	return time.Time{}
}

// switchTicks sets Agenda's disabled flag. A tick that passed while it was set
// is not made up for: whoever switches a job on does not expect it to run at once.
func switchTicks(d *job.Document, r queue.Recurring, change bson.D, armed queue.Armed, next, now time.Time) (bson.D, queue.Armed) {
	if r.Enabled == nil || *r.Enabled == !d.Disabled {
		return change, armed
	}
	if !*r.Enabled {
		return append(change, bson.E{Key: "disabled", Value: true}), queue.ArmedDisabled
	}
	change = append(change, bson.E{Key: "disabled", Value: nil})
	planned := slices.ContainsFunc(change, func(e bson.E) bool { return e.Key == "nextRunAt" })
	if !planned && d.NextRunAt.Before(now) && d.LockedAt.IsZero() && !r.KeepSchedule {
		change = append(change, bson.E{Key: "nextRunAt", Value: job.Date(next)})
	}
	return change, queue.ArmedEnabled
}

// sameSchedule compares what is stored with what is asked for. A stored schedule
// with a problem, such as days to skip that are not acted upon, is never the same.
func sameSchedule(d *job.Document, spec schedule.Spec) bool {
	_, problem := d.Schedule(nil)
	return problem == nil && d.RepeatInterval == spec.Interval && d.RepeatTimezone == spec.Timezone &&
		d.StartDate.Equal(spec.Start) && d.EndDate.Equal(spec.End) && slices.Equal(d.SkipDays, spec.SkipDays)
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func textOrNull(text string) any {
	if text == "" {
		return nil
	}
	return text
}

func skipDaysOrNull(days []time.Weekday) any {
	if len(days) == 0 {
		return nil
	}
	return job.WeekdayNumbers(days)
}
