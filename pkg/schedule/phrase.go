package schedule

import (
	"time"
)

// A phrase is a time in words, read but not yet placed: "in 5 minutes",
// "monday at 9am". It is placed by resolve, relative to a now.
type phrase struct {
	kind phraseKind

	// A distance from now: one or two amounts, forward or (ago) back.
	amounts      []amount
	ago          bool
	fromTomorrow bool

	// A day: which one, and in which sense.
	day     dayWord
	sense   sense
	weekday time.Weekday
	month   time.Month // for dayDate
	date    int        // for dayDate
	unit    phraseUnit // for dayUnit

	// A time of day, counted from midnight; without one, now's is kept.
	timed bool
	clock time.Duration
}

type phraseKind int

const (
	phraseNow      phraseKind = iota // "now"
	phraseDistance                   // "in 5 minutes"
	phraseDay                        // "monday at 9am", "5pm"
)

type amount struct {
	n    int
	unit phraseUnit
}

type phraseUnit int

const (
	unitSecond phraseUnit = iota + 1
	unitMinute
	unitHour
	unitDay
	unitWeek
	unitMonth
	unitYear
)

type dayWord int

const (
	dayNone     dayWord = iota // a time of day alone
	dayToday                   // "today", "tonight"
	dayTomorrow                // "tomorrow"
	dayBefore                  // "yesterday", "last night"
	dayWeekday                 // "monday"
	dayDate                    // "15th of march"
	dayUnit                    // "next week"
)

// sense is how a day is meant: the coming one, or as "this", "next" or "last".
type sense int

const (
	senseComing sense = iota
	senseThis
	senseNext
	senseLast
)

// grace is how far past a time of day may be and still mean today; date.js
// leaves it so that a phrase means the same when it is read a moment late.
const grace = time.Minute

// resolve places a phrase. now carries the zone.
func (p *phrase) resolve(now time.Time) (time.Time, *fault) {
	switch p.kind {
	case phraseNow:
		return now, nil
	case phraseDistance:
		return p.placeDistance(now), nil
	default:
		return p.placeDay(now)
	}
}

// placeDistance adds the amounts to now, the largest first as they are written.
func (p *phrase) placeDistance(now time.Time) time.Time {
	t, days, onlyDays := now, 0, true
	for _, a := range p.amounts {
		n := a.n
		if p.ago {
			n = -n
		}
		t = addUnits(t, n, a.unit)
		switch a.unit {
		case unitDay:
			days += n
		case unitWeek:
			days += 7 * n
		default:
			onlyDays = false
		}
	}
	if p.fromTomorrow {
		t, days = t.Add(24*time.Hour), days+1
	}
	if !p.timed {
		return t
	}
	day := dayOf(t)
	if onlyDays {
		day = dayOf(now).plus(days) // days of the calendar, whatever the clocks do
	}
	return p.onDay(day, now)
}

// placeDay finds the day, then the time on it, then moves what is over to the
// next day or week that the phrase allows.
func (p *phrase) placeDay(now time.Time) (time.Time, *fault) {
	day, f := p.targetDay(now)
	if f != nil {
		return time.Time{}, f
	}
	t := p.onTarget(day, now)
	if p.past() {
		return t, nil
	}
	if !t.Before(now) {
		if p.sense == senseNext && p.day == dayWeekday && day == dayOf(now) {
			return time.Time{}, faultf(`write "in 1 week", or the weekday with a time of day`,
				`says next %s on a %s, which Agenda takes for today`, p.weekday, p.weekday)
		}
		return t, nil
	}
	late := now.Sub(t)
	switch {
	case p.sense == senseThis && late > grace:
		return time.Time{}, faultf("give a later time, or the day", "is already over")
	case p.day == dayWeekday:
		return p.onTarget(day.plus(7), now), nil
	case late <= grace:
		return t, nil
	case p.day == dayDate:
		return time.Time{}, faultf(`give the year, such as "2025-01-31 09:00"`, "is already over this year")
	default:
		return p.onTarget(day.plus(1), now), nil
	}
}

// targetDay is the calendar day that the phrase names, before anything is moved.
func (p *phrase) targetDay(now time.Time) (civilDay, *fault) {
	today := dayOf(now)
	switch p.day {
	case dayTomorrow:
		return today.plus(1), nil
	case dayBefore:
		return today.plus(-1), nil
	case dayWeekday:
		ahead := (int(p.weekday) - int(now.Weekday()) + 7) % 7
		if p.sense == senseLast {
			ahead -= 7
		}
		return today.plus(ahead), nil
	case dayDate:
		day := newDay(now.Year(), p.month, p.date)
		if p.date < 1 || day.utc().Month() != p.month {
			return 0, faultf("", "has the day %d, which %s %d has not", p.date, p.month, now.Year())
		}
		return day, nil
	case dayUnit:
		switch n := p.unitCount(); p.unit {
		case unitDay:
			return today.plus(n), nil
		case unitWeek:
			return today.plus(7 * n), nil
		default:
			return dayOf(addUnits(now, n, p.unit)), nil
		}
	default:
		return today, nil
	}
}

// onTarget is the time on a day: the one that the phrase gives, or now's.
func (p *phrase) onTarget(day civilDay, now time.Time) time.Time {
	if p.timed {
		return p.onDay(day, now)
	}
	if p.day == dayUnit {
		return addUnits(now, p.unitCount(), p.unit)
	}
	// date.js counts days as 24 hours. That is kept, unless a clock change
	// makes it miss the day that was named.
	days := (day - dayOf(now)) / daySeconds
	if t := now.Add(time.Duration(days) * 24 * time.Hour); p.day != dayDate && dayOf(t) == day {
		return t
	}
	return onClock(day, clockOf(now), now.Location())
}

// onDay sets the time of day. Like date.js it leaves the fraction of the second.
func (p *phrase) onDay(day civilDay, now time.Time) time.Time {
	return onClock(day, p.clock+time.Duration(now.Nanosecond()), now.Location())
}

func (p *phrase) unitCount() int {
	if p.sense == senseLast {
		return -1
	}
	return 1
}

// past reports whether the phrase speaks of the past and is left there.
func (p *phrase) past() bool {
	return p.ago || p.day == dayBefore || p.sense == senseLast
}

// recurs reports whether the phrase has a next time after any time.
func (p *phrase) recurs() bool {
	if p.kind == phraseDistance {
		return !p.ago && p.amounts[0].n > 0
	}
	return p.kind == phraseDay && !p.past() && p.sense != senseThis && p.day != dayDate
}

// nextAfter returns the next time, strictly after an instant, that a phrase
// names: of one that does not recur the only time, while it is ahead.
func (p *phrase) nextAfter(after time.Time, loc *time.Location) (time.Time, bool) {
	now := after.In(loc)
	if !p.recurs() { // of a document that is stored already
		t, f := p.resolve(now)
		return t, f == nil && t.After(now)
	}
	if p.kind == phraseDistance {
		t := p.placeDistance(now)
		return t, t.After(now)
	}
	day, f := p.targetDay(now)
	if f != nil {
		return time.Time{}, false
	}
	t := p.onTarget(day, now)
	if !t.After(now) {
		step := 1
		if p.day == dayWeekday {
			step = 7
		}
		t = p.onTarget(day.plus(step), now)
	}
	return t, t.After(now)
}

// addUnits moves a time the way date.js does: seconds to weeks are fixed
// lengths, months and years follow the calendar at the same time of day.
func addUnits(t time.Time, n int, unit phraseUnit) time.Time {
	var seconds int64
	switch unit {
	case unitMonth:
		return addMonths(t, n)
	case unitYear:
		return onClock(newDay(t.Year()+n, t.Month(), t.Day()), clockOf(t), t.Location())
	case unitWeek:
		seconds = 7 * daySeconds
	case unitDay:
		seconds = daySeconds
	case unitHour:
		seconds = 3600
	case unitMinute:
		seconds = 60
	case unitSecond:
		seconds = 1
	}
	return time.Unix(t.Unix()+int64(n)*seconds, int64(t.Nanosecond())).In(t.Location())
}

// addMonths keeps a rule of date.js that surprises: it takes every month for 28
// days long (29 for a February of this year's counting), so from the 29th on the
// day is cut to the 28th: a month after 31 March is 28 April.
func addMonths(t time.Time, n int) time.Time {
	month := t.Month() + time.Month(n)
	first := newDay(t.Year(), month, 1).utc()
	length := 28
	if leap := first.AddDate(0, 2-int(first.Month()), 28).Day() == 29; month == time.February && leap {
		length = 29
	}
	day := newDay(first.Year(), first.Month(), min(length, t.Day()))
	return onClock(day, clockOf(t), t.Location())
}
