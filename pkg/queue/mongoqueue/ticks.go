package mongoqueue

import (
	"log/slog"
	"time"

	"github.com/etrainer/backend/pkg/job"
	"github.com/etrainer/backend/pkg/schedule"
)

// nextTick is the tick after a run that started at base. A schedule that
// cannot be read, as Node stores it without a word, has no next tick: the run
// that is due still takes place.
func (s *Store) nextTick(document *job.Document, base, now time.Time) time.Time {
	if document.RepeatInterval == "" {
		next, err := schedule.RepeatAt(document.RepeatAt, now, s.zone(document))
		if err != nil {
			s.unreadable(document, err)
		}
		return next
	}
	plan, err := schedule.Parse(scheduleOf(document), s.options.Zone)
	if err != nil {
		s.unreadable(document, err)
		return time.Time{}
	}
	next, _ := plan.NextRun(base, document.NextRunAt, now)
	return next
}

func (s *Store) unreadable(document *job.Document, err error) {
	s.options.Log.Warn("schedule of a recurring job cannot be read; it has no next tick",
		slog.String("job_name", document.Name), slog.String("job_id", document.ID.Hex()), slog.Any("error", err))
}

func (s *Store) zone(document *job.Document) *time.Location {
	if zone, err := time.LoadLocation(document.RepeatTimezone); err == nil && document.RepeatTimezone != "" {
		return zone
	}
	return s.options.Zone
}

func scheduleOf(d *job.Document) schedule.Spec {
	return schedule.Spec{
		Interval: d.RepeatInterval, Timezone: d.RepeatTimezone,
		Start: d.StartDate, End: d.EndDate, SkipDays: d.SkipDays,
	}
}
