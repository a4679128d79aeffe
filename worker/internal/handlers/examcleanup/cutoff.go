package examcleanup

import "time"

// cutoff is the instant before which results are old: a number of months before
// t, at the same time of day in its zone. Where that month is too short it is
// its last day: six months before 31 August is 28 February (JavaScript's
// setMonth, which the Node backend used, says 3 March).
func cutoff(t time.Time, months int) time.Time {
	year, month, day := t.Date()
	hour, minute, second := t.Clock()
	lastDay := time.Date(year, month-time.Month(months)+1, 0, 0, 0, 0, 0, t.Location()).Day()
	return time.Date(year, month-time.Month(months), min(day, lastDay), hour, minute, second, t.Nanosecond(), t.Location())
}
