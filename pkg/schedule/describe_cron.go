package schedule

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// maxListedTimes is how many times of day a description lists before it speaks
// of fields instead.
const maxListedTimes = 6

const (
	fullMinute = set(1)<<60 - 1 // all seconds of a minute, all minutes of an hour
	fullDay    = set(1)<<24 - 1
	fullMonth  = set(1)<<32 - 2
	fullYear   = set(1)<<13 - 2
	fullWeek   = set(1)<<7 - 1
)

// describe says when an expression ticks, without the zone. Times of day follow
// the day they belong to ("every Monday at 09:00"); rhythms come before it
// ("every 5 minutes, only on Monday").
func (c *cron) describe() string {
	days := c.describeDays()
	if times := c.hour.size() * c.minute.size() * c.second.size(); times <= maxListedTimes {
		return days + " at " + c.describeTimes()
	}
	rhythm := c.describeRhythm()
	if days == everyDay {
		return rhythm
	}
	if rest, ok := strings.CutPrefix(days, "every "); ok && !c.anyDayOfWeek {
		days = "on " + rest
	}
	return rhythm + ", only " + days
}

const everyDay = "every day"

// describeTimes lists times of day, with seconds only where they say something.
func (c *cron) describeTimes() string {
	var times []string
	for _, hour := range c.hour.values() {
		for _, minute := range c.minute.values() {
			for _, second := range c.second.values() {
				text := fmt.Sprintf("%02d:%02d", hour, minute)
				if c.second != 1 {
					text += fmt.Sprintf(":%02d", second)
				}
				times = append(times, text)
			}
		}
	}
	return joinAnd(times)
}

// describeRhythm speaks of the clock fields of a schedule with many ticks a day.
func (c *cron) describeRhythm() string {
	seconds := describeWithin(c.second, "second", "minute")
	minutes := describeWithin(c.minute, "minute", "hour")
	switch {
	case c.second != 1 && c.minute == fullMinute:
		return seconds + c.describeHours()
	case c.second != 1:
		return seconds + ", during " + describeFields("minute", c.minute) + " of " + c.describeHourFields()
	case c.minute == fullMinute, c.minute != 1 && c.minute.size() > 1 && stepOf(c.minute, 60) > 0:
		return minutes + c.describeHours()
	case c.minute != 1:
		return "at " + describeFields("minute", c.minute) + " of " + c.describeHourFields()
	}
	if step := stepOf(c.hour, 24); step > 1 {
		return fmt.Sprintf("every %d hours", step)
	}
	return "every hour" + c.describeHours()
}

// describeWithin says "every 5 minutes" for a step that divides the larger unit
// evenly, and otherwise names the values.
func describeWithin(values set, unit, larger string) string {
	switch step := stepOf(values, 60); {
	case step == 1:
		return "every " + unit
	case step > 1 && values.size() > 1:
		return fmt.Sprintf("every %d %ss", step, unit)
	default:
		return "at " + describeFields(unit, values) + " of every " + larger
	}
}

// stepOf returns n if the values are 0, n, 2n … and n divides the cycle, else 0.
func stepOf(values set, cycle int) int {
	step := values.next(1)
	if !values.has(0) || step < 1 || cycle%step != 0 || values.size() != cycle/step {
		return 0
	}
	for n := 0; n < cycle; n += step {
		if !values.has(n) {
			return 0
		}
	}
	return step
}

// describeHours limits a rhythm to some hours: " between 09:00 and 17:59".
func (c *cron) describeHours() string {
	if c.hour == fullDay {
		return ""
	}
	if isRun(c.hour) {
		first := c.hour.next(0)
		return fmt.Sprintf(" between %02d:00 and %02d:59", first, first+c.hour.size()-1)
	}
	return " during " + describeFields("hour", c.hour)
}

// isRun reports whether the values follow each other without a hole.
func isRun(values set) bool {
	shifted := values >> values.next(0)
	return shifted&(shifted+1) == 0
}

func (c *cron) describeHourFields() string {
	if c.hour == fullDay {
		return "every hour"
	}
	return describeFields("hour", c.hour)
}

// describeFields says "minute 5", "minutes 0 to 10 and 30".
func describeFields(unit string, values set) string {
	if values.size() == 1 {
		return unit + " " + strconv.Itoa(values.next(0))
	}
	return unit + "s " + describeRanges(values, strconv.Itoa)
}

// describeRanges lists values, runs of three or more as "a to b".
func describeRanges(values set, name func(int) string) string {
	var parts []string
	for n := values.next(0); n >= 0; n = values.next(n + 1) {
		last := n
		for values.has(last + 1) {
			last++
		}
		if last-n < 2 {
			parts = append(parts, name(n))
			continue
		}
		parts = append(parts, name(n)+" to "+name(last))
		n = last
	}
	return joinAnd(parts)
}

// describeDays says on which days: "every day", "every Monday", "on day 1 of
// every month", and both joined when either is enough.
func (c *cron) describeDays() string {
	byMonth, byWeek := c.describeMonthDays(), c.describeWeekdays()
	months := c.describeMonths()
	everyMonthDay := c.dayOfMonth&fullMonth == fullMonth
	everyWeekday := c.dayOfWeek == fullWeek && c.nth == 0
	switch {
	case c.anyDayOfWeek && everyMonthDay, c.anyDayOfMonth && everyWeekday,
		!c.anyDayOfMonth && !c.anyDayOfWeek && (everyMonthDay || everyWeekday):
		if c.month == fullYear {
			return everyDay
		}
		return "every day of " + months
	case c.anyDayOfWeek:
		return byMonth + " of " + months
	case c.anyDayOfMonth:
		return c.withMonths(byWeek, months)
	default:
		return byMonth + " of " + months + " and " + c.withMonths(byWeek, months)
	}
}

// withMonths adds the months to weekdays, unless they say it already.
func (c *cron) withMonths(weekdays, months string) string {
	if c.nth == 0 && c.lastDayOfWeek == 0 && c.month == fullYear {
		return weekdays
	}
	return weekdays + " of " + months
}

func (c *cron) describeMonths() string {
	if c.month == fullYear {
		return "every month"
	}
	return describeRanges(c.month, func(n int) string { return time.Month(n).String() })
}

func (c *cron) describeMonthDays() string {
	text := ""
	if c.dayOfMonth != 0 {
		text = "on " + describeFields("day", c.dayOfMonth)
	}
	if !c.lastDayOfMonth {
		return text
	}
	if text == "" {
		return "on the last day"
	}
	return text + " and on the last day"
}

var ordinals = [...]string{"", "first", "second", "third", "fourth", "fifth"}

func (c *cron) describeWeekdays() string {
	text := ""
	switch {
	case c.dayOfWeek == 0:
	case c.nth > 0 && c.dayOfWeek == fullWeek:
		text = fmt.Sprintf("on days %d to %d", c.nth*7-6, min(c.nth*7, 31))
	case c.nth > 0:
		text = "on the " + ordinals[c.nth] + " " + describeWeek(c.dayOfWeek)
	default:
		text = "every " + describeWeek(c.dayOfWeek)
	}
	if c.lastDayOfWeek == 0 {
		return text
	}
	last := "on the last " + describeWeek(c.lastDayOfWeek)
	if text == "" {
		return last
	}
	return text + " and " + last
}

// describeWeek names weekdays from Monday to Sunday.
func describeWeek(days set) string {
	return describeRanges(days&^1|days&1<<7, func(n int) string { return time.Weekday(n % 7).String() })
}
