package schedule

import (
	"regexp"
	"strconv"
	"strings"
	"time"
)

// The forms of an instant. The clock may be followed by am or pm and by a zone.
const (
	clockForm = `(\d{1,2}):(\d{2})(?::(\d{2})(?:\.(\d{1,9}))?)?\s*(am|pm)?\s*((?:gmt|utc|z)?(?:[+-]\d{2}(?::?\d{2})?)?)(?:\s*\([^()]*\))?`
	yearForm  = `(\d{4})`
	// toClock is what stands between a date and its clock: "1/2/2026, 9:00 AM" and
	// "January 2, 2026 at 9:00 AM" is what JavaScript prints for people.
	toClock = `(?:,?\s+|\s+at\s+)`
)

var (
	isoInstant = regexp.MustCompile(`^` + yearForm + `-(\d{2})-(\d{2})(?:(t|\s+)` + clockForm + `)?$`)
	// 2024/02/01 and 02/01/2024, month first.
	yearFirst  = regexp.MustCompile(`^` + yearForm + `/(\d{1,2})/(\d{1,2})(?:` + toClock + clockForm + `)?$`)
	monthFirst = regexp.MustCompile(`^(\d{1,2})/(\d{1,2})/` + yearForm + `(?:` + toClock + clockForm + `)?$`)
	// Thu, 01 Feb 2024 09:00:00 GMT and Feb 1, 2024 9:00 pm.
	dayThenName = regexp.MustCompile(`^(?:([a-z]+),?\s+)?(\d{1,2})\s+([a-z]+)\s+` + yearForm + `(?:` + toClock + clockForm + `)?$`)
	nameThenDay = regexp.MustCompile(`^(?:([a-z]+),?\s+)?([a-z]+)\s+(\d{1,2}),?\s+` + yearForm + `(?:` + toClock + clockForm + `)?$`)
)

// Epoch milliseconds of twelve to fourteen digits are between 1973 and 5138.
// Fewer digits would rather be seconds or a year.
const leastEpochDigits, mostEpochDigits = 12, 14

// parseInstant reads a text that names one point of time by itself. known is
// false for texts of another form.
func parseInstant(text string, zone *time.Location) (t time.Time, known bool, f *fault) {
	if text != "" && countDigits(text) == len(text) {
		t, f = parseEpoch(text)
		return t.In(zone), true, f
	}
	lower := plainSpaces.Replace(strings.ToLower(text))
	d, ok := matchDate(lower)
	if !ok {
		return time.Time{}, false, nil
	}
	t, f = d.resolve(zone)
	return t, true, f
}

// plainSpaces are for the narrow and the unbroken space, which JavaScript prints
// before AM.
var plainSpaces = strings.NewReplacer("\u202f", " ", "\u00a0", " ")

func parseEpoch(text string) (time.Time, *fault) {
	if len(text) < leastEpochDigits || len(text) > mostEpochDigits {
		return time.Time{}, faultf(`write epoch milliseconds ("1706778000000"), an instant ("2024-02-01T09:00:00Z") or a distance ("in 5 minutes")`,
			"is a number that is not epoch milliseconds")
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return time.Time{}, faultf("", "is not a number")
	}
	return time.UnixMilli(n), nil
}

// A writtenDate is a date with an optional clock, as the text gives them.
type writtenDate struct {
	weekday          string // empty when not given
	year, month, day int
	clock            []string // hour, minute, second, fraction, am/pm, zone
	iso              bool     // a date alone is UTC, not local
}

// matchDate finds the form of a lower-case text.
func matchDate(text string) (writtenDate, bool) {
	if m := isoInstant.FindStringSubmatch(text); m != nil {
		d := numericDate(m[1], m[2], m[3], m[5:])
		d.iso = true
		return d, true
	}
	if m := yearFirst.FindStringSubmatch(text); m != nil {
		return numericDate(m[1], m[2], m[3], m[4:]), true
	}
	if m := monthFirst.FindStringSubmatch(text); m != nil {
		return numericDate(m[3], m[1], m[2], m[4:]), true
	}
	if m := dayThenName.FindStringSubmatch(text); m != nil {
		return namedDate(m[1], m[4], m[3], m[2], m[5:])
	}
	if m := nameThenDay.FindStringSubmatch(text); m != nil {
		return namedDate(m[1], m[4], m[2], m[3], m[5:])
	}
	return writtenDate{}, false
}

func numericDate(year, month, day string, clock []string) writtenDate {
	y, _ := strconv.Atoi(year)
	m, _ := strconv.Atoi(month)
	d, _ := strconv.Atoi(day)
	return writtenDate{year: y, month: m, day: d, clock: clock}
}

func namedDate(weekday, year, name, day string, clock []string) (writtenDate, bool) {
	month, ok := shortenedName(name, fullMonthNames)
	if !ok || weekday != "" && !isWeekdayName(weekday) {
		return writtenDate{}, false
	}
	d := numericDate(year, strconv.Itoa(month+1), day, clock)
	d.weekday = weekday
	return d, true
}

func isWeekdayName(text string) bool {
	_, ok := shortenedName(text, fullWeekdayNames)
	return ok
}

// resolve finds the instant. Local times follow JavaScript's rule for skipped
// and repeated ones.
func (d writtenDate) resolve(zone *time.Location) (time.Time, *fault) {
	if d.month < 1 || d.month > 12 {
		return time.Time{}, faultf(`write the date as "2024-02-01"`, "has the month %d", d.month)
	}
	day := newDay(d.year, time.Month(d.month), d.day)
	if date := day.utc(); d.day < 1 || date.Month() != time.Month(d.month) {
		return time.Time{}, faultf("", "has the day %d, which %s %d has not", d.day, time.Month(d.month), d.year)
	}
	if named, _ := shortenedName(d.weekday, fullWeekdayNames); d.weekday != "" && named != int(day.utc().Weekday()) {
		return time.Time{}, faultf("leave the weekday out", "names a date that is a %s", day.utc().Weekday())
	}
	if d.clock[0] == "" {
		if d.iso {
			return day.utc().In(zone), nil
		}
		return onClock(day, 0, zone), nil
	}
	clock, f := d.timeOfDay()
	if f != nil {
		return time.Time{}, f
	}
	if clock == 24*time.Hour { // 24:00 is the midnight after
		day, clock = newDay(d.year, time.Month(d.month), d.day+1), 0
	}
	if offset := d.clock[5]; offset != "" {
		seconds, f := parseWrittenOffset(offset)
		if f != nil {
			return time.Time{}, f
		}
		return day.utc().Add(clock - seconds).In(zone), nil
	}
	return onClock(day, clock, zone), nil
}

// timeOfDay reads the clock, to the millisecond as JavaScript keeps it.
func (d writtenDate) timeOfDay() (time.Duration, *fault) {
	hour, _ := strconv.Atoi(d.clock[0])
	minute, _ := strconv.Atoi(d.clock[1])
	second, _ := strconv.Atoi(d.clock[2])
	midnight := hour == 24 && d.clock[4] == "" && minute == 0 && second == 0 && strings.Trim(d.clock[3], "0") == ""
	hour, ok := hourOfDay(hour, d.clock[4])
	if midnight { // of ISO 8601 and JavaScript: the end of the day
		hour, ok = 24, true
	}
	if !ok || minute > 59 || second > 59 {
		return 0, faultf(`write the time as "09:00"`, "has a time of day that no clock shows")
	}
	milliseconds, _ := strconv.Atoi((d.clock[3] + "000")[:3])
	return time.Duration(hour)*time.Hour + time.Duration(minute)*time.Minute +
		time.Duration(second)*time.Second + time.Duration(milliseconds)*time.Millisecond, nil
}

// hourOfDay turns an hour with "am", "pm" or neither into one of 0 to 23.
func hourOfDay(hour int, meridiem string) (int, bool) {
	if meridiem == "" {
		return hour, hour <= 23
	}
	if hour < 1 || hour > 12 {
		return 0, false
	}
	hour %= 12
	if meridiem == "pm" {
		hour += 12
	}
	return hour, true
}

// parseWrittenOffset reads "z", "gmt", "+07:00", "gmt+0700" and PostgreSQL's "+07".
func parseWrittenOffset(text string) (time.Duration, *fault) {
	text = strings.TrimLeft(text, "cgmtuz")
	if text == "" {
		return 0, nil
	}
	hours, _ := strconv.Atoi(text[1:3])
	minutes := 0
	if len(text) > len("+07") {
		minutes, _ = strconv.Atoi(text[len(text)-2:])
	}
	offset := time.Duration(hours)*time.Hour + time.Duration(minutes)*time.Minute
	if minutes > 59 || offset > maxOffset {
		return 0, faultf("", "has the offset %s; at most 14 hours are read", text)
	}
	if text[0] == '-' {
		offset = -offset
	}
	return offset, nil
}
