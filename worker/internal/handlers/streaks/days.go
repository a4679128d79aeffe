package streaks

import (
	"maps"
	"slices"
	"time"
)

// Day is a calendar day, counted from 1 January 1970. Days and not instants are
// compared, so that days of 23 and 25 hours are days like all others.
type Day int32

// DayOf is the day of an instant in a zone.
func DayOf(t time.Time, zone *time.Location) Day {
	year, month, day := t.In(zone).Date()
	return Day(time.Date(year, month, day, 0, 0, 0, 0, time.UTC).Unix() / (24 * 60 * 60))
}

// String is the date, YYYY-MM-DD.
func (d Day) String() string {
	return time.Unix(int64(d)*24*60*60, 0).UTC().Format(time.DateOnly)
}

// days are the different days on which one user learned.
type days map[Day]struct{}

// streak is what the days amount to on a day. The day itself may still be
// without activity: the streak that ended yesterday stands until it is over.
func (d days) streak(today Day) (count, longest int, last Day) {
	run := 0
	var previous Day
	for _, day := range slices.Sorted(maps.Keys(d)) {
		if run == 0 || day != previous+1 {
			run = 0
		}
		run++
		previous, longest = day, max(longest, run)
	}
	if run > 0 && previous >= today-1 {
		count = run
	}
	return count, longest, previous
}
