package schedule

import "time"

const daySeconds = 24 * 60 * 60

// A civilDay is a calendar day, kept as the Unix second at which it would begin
// in UTC. It belongs to no zone until a stretch says when clocks showed it.
type civilDay int64

func dayOf(t time.Time) civilDay {
	year, month, day := t.Date()
	return newDay(year, month, day)
}

func newDay(year int, month time.Month, day int) civilDay {
	return civilDay(time.Date(year, month, day, 0, 0, 0, 0, time.UTC).Unix())
}

func (d civilDay) utc() time.Time         { return time.Unix(int64(d), 0).UTC() }
func (d civilDay) plus(days int) civilDay { return d + civilDay(days*daySeconds) }

// A stretch is a part of a calendar day during which a zone's clocks run at one
// offset from UTC. Ordinary days are one stretch; a day with a clock change is
// two, and what lies between their wall clocks is a gap or a fold.
type stretch struct {
	day        civilDay
	start, end int64 // Unix seconds, end excluded
	offset     int64 // seconds east of UTC
}

// wall is what the clock shows at a Unix second, in seconds since midnight.
func (s stretch) wall(unix int64) int { return int(unix + s.offset - int64(s.day)) }

// unix is the inverse of wall.
func (s stretch) unix(wall int) int64 { return int64(wall) - s.offset + int64(s.day) }

// farthest is beyond any offset of the time zone database.
const farthest = 16 * 60 * 60

// stretches returns the parts of a day in one zone, in order of time. It is
// empty for a day that a zone skipped, as Samoa did with 30 December 2011. No
// zone changes its clocks twice within the two days that are looked at.
//
// time.Time.ZoneBounds is not used: past the table of a zone (2037) it takes
// every year for 365 days long, and on 31 December of a leap year names an end
// that is already over.
func stretches(day civilDay, loc *time.Location) []stretch {
	if fixed := offsetAt(int64(day), loc); fixed > farthest || fixed < -farthest { // UTC+25, of a stored document
		return []stretch{{day: day, offset: fixed, start: int64(day) - fixed, end: int64(day) - fixed + daySeconds}}
	}
	earliest, latest := int64(day)-farthest, int64(day)+daySeconds+farthest
	before, after := offsetAt(earliest, loc), offsetAt(latest, loc)
	change := latest
	if before != after {
		change = offsetChange(earliest, latest, loc)
	}
	parts := make([]stretch, 0, 2)
	for _, part := range []stretch{
		{day: day, offset: before, start: earliest, end: change},
		{day: day, offset: after, start: change, end: latest},
	} {
		part.start, part.end = max(part.start, part.unix(0)), min(part.end, part.unix(daySeconds))
		if part.start < part.end {
			parts = append(parts, part)
		}
	}
	return parts
}

// offsetChange finds the Unix second in (from, to] at which the offset changes.
func offsetChange(from, to int64, loc *time.Location) int64 {
	before := offsetAt(from, loc)
	for to-from > 1 {
		if middle := from + (to-from)/2; offsetAt(middle, loc) == before {
			from = middle
		} else {
			to = middle
		}
	}
	return to
}

// onClock returns the instant at which clocks in loc show a day and a time of
// day. A repeated time means its first showing; a skipped one is moved forward
// by the gap. Both are JavaScript's rule for local times.
func onClock(day civilDay, clock time.Duration, loc *time.Location) time.Time {
	wall := int(clock / time.Second)
	rest := int64(clock % time.Second)
	before := offsetAt(int64(day)-farthest, loc)
	for _, part := range stretches(day, loc) {
		if wall < part.wall(part.start) {
			break // skipped: read with the offset before the gap
		}
		if wall < part.wall(part.end) {
			return time.Unix(part.unix(wall), rest).In(loc)
		}
		before = part.offset
	}
	return time.Unix(int64(day)+int64(wall)-before, rest).In(loc)
}

func offsetAt(unix int64, loc *time.Location) int64 {
	_, seconds := time.Unix(unix, 0).In(loc).Zone()
	return int64(seconds)
}

// clockOf is the time of day that t shows.
func clockOf(t time.Time) time.Duration {
	hour, minute, second := t.Clock()
	return time.Duration(hour)*time.Hour + time.Duration(minute)*time.Minute +
		time.Duration(second)*time.Second + time.Duration(t.Nanosecond())
}
