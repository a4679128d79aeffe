// Package weeklyreports is the job "generate weekly reports": it counts what
// happened in one calendar week, Monday to Monday in the configured time
// zone, and stores one report per week. Running it again for the same week
// replaces the report and adds nothing.
//
// The Node backend counted a moving window of seven times 24 hours, took
// activity from a field that nothing writes, and kept only the last result.
package weeklyreports

import (
	"fmt"
	"time"
)

// Week is a half-open calendar week: From is Monday 00:00 local, To the next.
// Across a clock change it is 167 or 169 hours long.
type Week struct {
	From, To time.Time
}

// WeekOf returns the week in which t lies, in a zone.
func WeekOf(t time.Time, zone *time.Location) Week {
	local := t.In(zone)
	back := (int(local.Weekday()) + 6) % 7 // days since Monday
	year, month, day := local.Date()
	return Week{
		From: time.Date(year, month, day-back, 0, 0, 0, 0, zone),
		To:   time.Date(year, month, day-back+7, 0, 0, 0, 0, zone),
	}
}

// Before returns the week before.
func (w Week) Before() Week {
	return WeekOf(w.From.Add(-time.Hour), w.From.Location())
}

// Key names the week by the date of its Monday, YYYY-MM-DD.
func (w Week) Key() string { return w.From.Format(time.DateOnly) }

// weekToReport is the week that a run is about: the one asked for, or the
// last that had ended when the run was planned. It depends on the plan and
// not on the clock, so that a late or repeated run reports the same week.
func weekToReport(asked string, tick time.Time, zone *time.Location) (Week, error) {
	if asked == "" {
		return WeekOf(tick, zone).Before(), nil
	}
	day, err := time.ParseInLocation(time.DateOnly, asked, zone)
	if err != nil {
		return Week{}, fmt.Errorf("week %q is not a date; write it as YYYY-MM-DD", asked)
	}
	return WeekOf(day, zone), nil
}
