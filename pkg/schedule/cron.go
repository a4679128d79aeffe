package schedule

import (
	"math/bits"
	"time"
)

// A cron is a parsed cron expression: one set of allowed values per field.
type cron struct {
	second, minute, hour set
	dayOfMonth           set
	lastDayOfMonth       bool // L
	month                set
	dayOfWeek            set  // 0 Sunday to 6 Saturday
	lastDayOfWeek        set  // 5L: the last Friday of the month
	nth                  int  // 1#2: the second Monday of the month; 0 = every one
	nthOfAll             bool // nth holds for days of the month as well: of a stored document
	anyDayOfMonth        bool // the field is * or ?: it restricts nothing
	anyDayOfWeek         bool
}

// shortestGap looks at the seconds of a minute, and from the last of them to the
// first of the next minute where two minutes in a row match.
func (c *cron) shortestGap() time.Duration {
	seconds := c.second.values()
	shortest := 60
	for i := 1; i < len(seconds); i++ {
		shortest = min(shortest, seconds[i]-seconds[i-1])
	}
	if c.minutesInARow() {
		shortest = min(shortest, 60+seconds[0]-seconds[len(seconds)-1])
	}
	return time.Duration(shortest) * time.Second
}

// minutesInARow reports whether two minutes match one after the other, also over
// the end of an hour or of a day.
func (c *cron) minutesInARow() bool {
	if c.minute&(c.minute>>1) != 0 {
		return true
	}
	hours := c.hour
	return c.minute.has(0) && c.minute.has(59) && (hours&(hours>>1) != 0 || hours.has(0) && hours.has(23))
}

// A set holds small numbers, one bit each.
type set uint64

func (s set) has(n int) bool { return s>>n&1 == 1 }
func (s set) size() int      { return bits.OnesCount64(uint64(s)) }
func (s *set) add(n int)     { *s |= 1 << n }

// next returns the smallest member that is at least n, or -1.
func (s set) next(n int) int {
	if n > 63 || s>>n == 0 {
		return -1
	}
	return n + bits.TrailingZeros64(uint64(s>>n))
}

// values lists the members in order.
func (s set) values() []int {
	list := make([]int, 0, s.size())
	for n := s.next(0); n >= 0; n = s.next(n + 1) {
		list = append(list, n)
	}
	return list
}

// searchYears bounds the search for a tick. The rarest expressions that are
// accepted come up once in forty years (a fifth Monday of February across 2100).
const searchYears = 100

// next returns the first tick after an instant: strictly later, on a whole
// second. ok is false when there is none for the next hundred years.
func (c *cron) next(after time.Time, loc *time.Location) (time.Time, bool) {
	after = after.In(loc)
	day := dayOf(after)
	for last := day.plus(searchYears * 366); day < last; {
		date := day.utc()
		if !c.month.has(int(date.Month())) {
			day = newDay(date.Year(), date.Month()+1, 1)
			continue
		}
		if c.matchesDay(date) {
			if unix, ok := c.firstOn(day, after.Unix(), loc); ok {
				return time.Unix(unix, 0).In(loc), true
			}
		}
		day = day.plus(1)
	}
	return time.Time{}, false
}

// matchesDay reports whether the day fields allow a calendar day. When both are
// restricted either is enough, as in every cron.
func (c *cron) matchesDay(date time.Time) bool {
	byMonth, byWeek := c.matchesDayOfMonth(date), c.matchesDayOfWeek(date)
	if c.nthOfAll && (date.Day()+6)/7 != c.nth {
		return false
	}
	switch {
	case c.anyDayOfWeek:
		return byMonth
	case c.anyDayOfMonth:
		return byWeek
	default:
		return byMonth || byWeek
	}
}

func (c *cron) matchesDayOfMonth(date time.Time) bool {
	return c.dayOfMonth.has(date.Day()) || c.lastDayOfMonth && date.Day() == lastDayOf(date)
}

func (c *cron) matchesDayOfWeek(date time.Time) bool {
	weekday := int(date.Weekday())
	if c.dayOfWeek.has(weekday) && (c.nth == 0 || (date.Day()+6)/7 == c.nth) {
		return true
	}
	return c.lastDayOfWeek.has(weekday) && date.Day() > lastDayOf(date)-7
}

// lastDayOf is the number of days of a date's month.
func lastDayOf(date time.Time) int { return date.AddDate(0, 1, -date.Day()).Day() }

// everyHour reports whether the hour field allows all hours. Such a schedule
// follows real time: it has no fixed hour that a clock change could skip or
// repeat.
func (c *cron) everyHour() bool { return c.hour.size() == 24 }

// firstOn returns the first tick of a calendar day after a Unix second.
//
// A schedule with fixed hours runs once for each time it names: a time that the
// clocks skip runs after the gap, a time that they show twice runs at the first
// showing. For a search that starts after the gap the skipped times are over.
// One that starts within the second showing does not find the first one's times
// again: the run that asks may be a late one of just that time.
func (c *cron) firstOn(day civilDay, after int64, loc *time.Location) (int64, bool) {
	shown := 0 // wall clock up to which the day's times have been shown
	var previous stretch
	for i, part := range stretches(day, loc) {
		inChange := after >= part.start
		if i == 0 {
			previous = stretch{day: day, offset: offsetAt(part.start-1, loc)}
		}
		from, until := part.wall(part.start), part.wall(part.end)
		best, found := int64(0), false
		if !c.everyHour() {
			if from > shown && !inChange {
				best, found = c.firstSkipped(gap{from: shown, until: from, before: previous.offset, after: part})
			}
			from = max(from, shown)
		}
		shown = max(shown, until)
		if after >= part.start {
			from = max(from, part.wall(after)+1)
		}
		if wall, ok := c.firstClock(from, until); ok && (!found || part.unix(wall) < best) {
			best, found = part.unix(wall), true
		}
		if found {
			return best, true
		}
		previous = part
	}
	return c.firstSkippedAtMidnight(shown, previous, after, loc)
}

// firstSkippedAtMidnight handles a gap that reaches the end of the day, as in
// Nuuk where 23:00 becomes 00:00 of the next day.
func (c *cron) firstSkippedAtMidnight(shown int, last stretch, after int64, loc *time.Location) (int64, bool) {
	if shown == 0 || shown == daySeconds || c.everyHour() || after >= last.end {
		return 0, false
	}
	landing := stretch{day: last.day, start: last.end, offset: offsetAt(last.end, loc)}
	return c.firstSkipped(gap{from: shown, until: daySeconds, before: last.offset, after: landing})
}

// A gap is the wall clock [from, until) that a day never shows, between the
// offset before and the stretch after.
type gap struct {
	from, until int
	before      int64
	after       stretch
}

// firstSkipped returns the earliest tick for the times inside a gap. A skipped
// time keeps its minute and moves to the first hour after the gap, which for
// the usual one-hour gap is the same as moving by the gap. A gap that is not a
// whole hour has times for which that is still inside it: they move by the gap.
func (c *cron) firstSkipped(g gap) (int64, bool) {
	landing := g.after.wall(g.after.start)
	best, found := 0, false
	for hour := c.hour.next(g.from / 3600); hour >= 0; hour = c.hour.next(hour + 1) {
		wall, ok := c.firstClock(max(g.from, hour*3600), min(g.until, (hour+1)*3600))
		if !ok {
			continue
		}
		moved := landing - landing%3600 + wall%3600
		if moved < landing {
			moved += int(g.after.offset - g.before)
		}
		if !found || moved < best {
			best, found = moved, true
		}
	}
	return g.after.unix(best), found
}

// firstClock returns the first time of day in [from, until) that the clock
// fields allow, in seconds since midnight.
func (c *cron) firstClock(from, until int) (int, bool) {
	hour, minute, second := from/3600, from/60%60, from%60
	for {
		h := c.hour.next(hour)
		if h < 0 {
			return 0, false
		}
		if h > hour {
			hour, minute, second = h, 0, 0
		}
		m := c.minute.next(minute)
		if m < 0 {
			hour, minute, second = hour+1, 0, 0
			continue
		}
		if m > minute {
			minute, second = m, 0
		}
		s := c.second.next(second)
		if s < 0 {
			minute, second = minute+1, 0
			continue
		}
		wall := hour*3600 + minute*60 + s
		return wall, wall < until
	}
}
