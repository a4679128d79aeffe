package schedule

import (
	"slices"
	"time"
)

// Spec is what a job document stores about its repetition.
type Spec struct {
	// Interval is repeatInterval: a cron expression, a human interval, or
	// milliseconds in decimal. It wins over RepeatAt, as in Agenda.
	Interval string
	// RepeatAt is repeatAt: a phrase such as "3:30pm" or "monday at 9am".
	RepeatAt string
	// Timezone is repeatTimezone: an IANA name or UTC±h[:mm]; empty means the
	// default zone given to Parse.
	Timezone string
	// Start is startDate: nothing runs before it; zero means no bound.
	Start time.Time
	// End is endDate: nothing runs after it; a run at that instant still
	// happens; zero means no bound.
	End time.Time
	// SkipDays is skipDays: weekdays of the job's zone on which nothing runs.
	SkipDays []time.Weekday
}

// A Schedule answers when a repeating job runs. It is immutable and safe for
// concurrent use. Exactly one of its three kinds holds: cron, distance, phrase.
type Schedule struct {
	source string
	loc    *time.Location
	limits limits

	cron   *cron         // fixed times of the clock
	every  time.Duration // a distance from one run to the next
	phrase *phrase       // the repeatAt of Node documents
}

// Parse reads a spec. The order is Agenda 6.2.6's: a number is milliseconds; a
// human interval beats a cron expression, so "@weekly" is seven days from the
// last run; what is neither is refused with a *SyntaxError, and so is a spec
// without Interval and RepeatAt, which does not repeat.
//
// defaultZone applies when the spec names no zone; nil means UTC.
func Parse(spec Spec, defaultZone *time.Location) (*Schedule, error) {
	s := &Schedule{source: spec.Interval, loc: defaultZone, limits: newLimits(spec)}
	if s.loc == nil {
		s.loc = time.UTC
	}
	if spec.Timezone != "" {
		loc, err := ParseZone(spec.Timezone)
		if err != nil {
			return nil, err
		}
		s.loc = loc
	}
	if spec.Interval == "" && spec.RepeatAt != "" {
		s.source = spec.RepeatAt
		p, f := parseRecurringPhrase(spec.RepeatAt)
		if f != nil {
			return nil, f.in("repeatAt", spec.RepeatAt)
		}
		s.phrase = p
		return s, nil
	}
	if f := s.parseInterval(spec.Interval); f != nil {
		return nil, f.in("repeatInterval", spec.Interval)
	}
	return s, nil
}

// parseInterval decides between the readings of a repeatInterval.
func (s *Schedule) parseInterval(text string) *fault {
	if text == "" {
		return faultf(`write a cron expression or a distance such as "5 minutes"`, "is empty, so the job does not repeat")
	}
	var asInterval *fault
	if s.every, asInterval = parseInterval(text); asInterval == nil || len(text) > MaxTextBytes {
		return asInterval
	}
	if _, number := parseMilliseconds(text); number {
		return asInterval // "0" is no milliseconds, and not the cron field for Sunday either
	}
	if hint, ok := misreadAliases[text]; ok {
		return faultf(hint, "is run by Agenda as a number of days, because it contains the names of units")
	}
	var asCron *fault
	if s.cron, asCron = parseCron(text); asCron == nil {
		return nil
	}
	if looksLikeCron(text) {
		return asCron
	}
	return asInterval
}

// Next returns the first run strictly after an instant: the next tick of a cron
// expression, or the instant plus the distance, moved by the constraints. ok is
// false when there is none.
func (s *Schedule) Next(after time.Time) (t time.Time, ok bool) {
	switch {
	case s.cron != nil:
		t, ok = s.cron.next(after, s.loc)
	case s.phrase != nil:
		t, ok = s.phrase.nextAfter(after, s.loc)
	default:
		t, ok = after.Add(s.every).In(s.loc), true
	}
	if !ok {
		return time.Time{}, false
	}
	return s.limits.apply(t, s.loc)
}

// ShortestGap returns the shortest time between two ticks that is below a minute,
// at whatever time of day it comes; a minute where there is none.
func (s *Schedule) ShortestGap() time.Duration {
	switch {
	case s.cron != nil:
		return s.cron.shortestGap()
	case s.phrase != nil:
		return time.Minute
	default:
		return min(s.every, time.Minute)
	}
}

// NextRun returns what Agenda 6.2.6 writes to nextRunAt. lastRun is lastRunAt,
// zero for a job that never ran: a distance then gives now, for Agenda runs such
// a job at once; a cron expression gives its first tick after now. Otherwise
// both count from lastRun, so missed runs collapse into one. A repeatAt counts
// from now. ok is false where Agenda writes null.
//
// The second argument is the document's nextRunAt and does not count: Agenda up
// to 6.2.5 went past it, which skipped a valid tick after an early start; 6.2.6
// no longer looks at it.
func (s *Schedule) NextRun(lastRun, _, now time.Time) (t time.Time, ok bool) {
	switch {
	case s.phrase != nil:
		return s.Next(now)
	case !lastRun.IsZero():
		return s.Next(lastRun)
	case s.cron != nil:
		return s.Next(now)
	default:
		return s.limits.apply(now.In(s.loc), s.loc)
	}
}

// NextN returns up to n runs after an instant, each computed from the one
// before. It is shorter when the schedule ends.
func (s *Schedule) NextN(from time.Time, n int) []time.Time {
	var runs []time.Time
	for len(runs) < n {
		t, ok := s.Next(from)
		if !ok {
			break
		}
		runs = append(runs, t)
		from = t
	}
	return runs
}

// IsCron reports whether the schedule is a cron expression.
func (s *Schedule) IsCron() bool { return s.cron != nil }

// Every returns the distance between runs, if the schedule is one.
func (s *Schedule) Every() (time.Duration, bool) { return s.every, s.every > 0 }

// Location returns the zone whose clocks the schedule follows.
func (s *Schedule) Location() *time.Location { return s.loc }

// String returns the text that was parsed.
func (s *Schedule) String() string { return s.source }

// limits are the date constraints of a job.
type limits struct {
	start, end time.Time
	skip       []time.Weekday // in order, each once
}

func newLimits(spec Spec) limits {
	skip := slices.Clone(spec.SkipDays)
	slices.Sort(skip)
	return limits{start: spec.Start, end: spec.End, skip: slices.Compact(skip)}
}

// apply moves a run as Agenda 6.2.6 does: first to the start, exactly; then by
// whole days of the clock off the weekdays to skip; what is then after the end
// does not run.
func (l limits) apply(t time.Time, loc *time.Location) (time.Time, bool) {
	if !l.start.IsZero() && t.Before(l.start) {
		t = l.start.In(loc)
	}
	if slices.Contains(l.skip, t.Weekday()) {
		day, clock := dayOf(t), clockOf(t)
		for moved := 1; slices.Contains(l.skip, t.Weekday()); moved++ {
			if moved > 7 {
				return time.Time{}, false
			}
			t = onClock(day.plus(moved), clock, loc)
		}
	}
	if !l.end.IsZero() && t.After(l.end) {
		return time.Time{}, false
	}
	return t, true
}
