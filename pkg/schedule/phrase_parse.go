package schedule

import (
	"slices"
	"strings"
	"time"
)

// A phraseReader walks over the words of a phrase.
type phraseReader struct {
	words []string
	at    int
	p     phrase
	part  string // the part of the day, until the clock is settled
}

// parsePhrase reads a whole phrase or refuses it: a word that is not understood
// is never skipped.
func parsePhrase(text string) (*phrase, *fault) {
	r := &phraseReader{words: phraseWords(text)}
	if len(r.words) == 0 {
		return nil, faultf(phraseHint, "is empty")
	}
	if len(r.words) == 1 && r.words[0] == "now" {
		return &phrase{kind: phraseNow}, nil
	}
	if f := refuseKnownTrap(r.words); f != nil {
		return nil, f
	}
	isDistance, f := r.distance()
	if f == nil && !isDistance {
		f = r.dayAndTime()
	}
	if f != nil {
		return nil, f
	}
	return &r.p, nil
}

const phraseHint = `write a time such as "in 5 minutes", "tomorrow at 9am" or "2024-02-01T09:00:00Z"`

// accept takes the given words if they come next.
func (r *phraseReader) accept(words ...string) bool {
	if len(r.words)-r.at < len(words) || !slices.Equal(r.words[r.at:r.at+len(words)], words) {
		return false
	}
	r.at += len(words)
	return true
}

// peek returns the word n places ahead, or "".
func (r *phraseReader) peek(n int) string {
	if r.at+n >= len(r.words) {
		return ""
	}
	return r.words[r.at+n]
}

func (r *phraseReader) done() bool { return r.at >= len(r.words) }

// distance reads "[in] N unit [[and] N unit] [from now] [at time]".
func (r *phraseReader) distance() (bool, *fault) {
	start := r.at
	led := r.accept("in") || r.accept("after")
	first, ok := r.amount()
	if !ok {
		r.at = start
		return false, nil
	}
	r.p.kind, r.p.amounts = phraseDistance, []amount{first}
	mid := r.at
	joined := r.accept("and")
	if second, ok := r.amount(); ok {
		if f := refuseCompound(first, second, joined); f != nil {
			return true, f
		}
		r.p.amounts = append(r.p.amounts, second)
	} else {
		r.at = mid
	}
	switch {
	case r.accept("from", "now"), r.accept("later"):
	case r.accept("from", "tomorrow"), r.accept("after", "tomorrow"):
		r.p.fromTomorrow = true
	case !led && len(r.p.amounts) == 1 && r.accept("ago"):
		r.p.ago = true
	}
	for _, a := range r.p.amounts {
		if a.unit >= unitMonth && a.n > 12*9999 {
			return true, faultf("", "is too far away")
		}
	}
	if r.done() {
		return true, nil
	}
	return true, r.distanceClock()
}

// distanceClock reads the time of day behind "in 2 days".
func (r *phraseReader) distanceClock() *fault {
	word := r.peek(0)
	timed, f := r.time()
	if f != nil {
		return f
	}
	if !timed || !r.done() || r.part != "" || r.p.ago {
		return r.unknown(word)
	}
	for _, a := range r.p.amounts {
		if a.unit < unitDay || a.n < 1 {
			return faultf(`write a distance in days or more before a time of day`, "joins a short distance and a time of day")
		}
	}
	return nil
}

// amount reads "5 minutes".
func (r *phraseReader) amount() (amount, bool) {
	n, ok := countWord(r.peek(0))
	unit, isUnit := phraseUnits[r.peek(1)]
	if !ok || !isUnit {
		return amount{}, false
	}
	r.at += 2
	return amount{n: n, unit: unit}, true
}

// dayAndTime reads a day, a part of the day and a time, in any order.
func (r *phraseReader) dayAndTime() *fault {
	r.p.kind = phraseDay
	for !r.done() {
		word := r.suspect()
		hadClock := r.p.timed
		if r.dayWord() {
			continue
		}
		isTime, f := r.time()
		if f != nil {
			return f
		}
		if !isTime || hadClock && r.part != "tonight" {
			return r.unknown(word)
		}
	}
	return r.settle()
}

// suspect is the word to name if what comes next cannot be read: behind a
// preposition and a count.
func (r *phraseReader) suspect() string {
	n := 0
	if slices.Contains([]string{"on", "at", "this", "in"}, r.peek(0)) {
		n++
	}
	_, counted := countWord(r.peek(n))
	if next := r.peek(n + 1); counted && !slices.Contains([]string{"", "am", "pm"}, next) {
		n++
	}
	return r.peek(n)
}

// dayWord reads one day, if one comes next and none came before.
func (r *phraseReader) dayWord() bool {
	start := r.at
	if r.namedDay() || r.relativeDay() || r.ordinalDay() {
		return true
	}
	r.at = start
	return false
}

// setDay records the day unless there is one already.
func (r *phraseReader) setDay(day dayWord, s sense) bool {
	if r.p.day != dayNone {
		return false
	}
	r.p.day, r.p.sense = day, s
	return true
}

// namedDay reads "tomorrow", "yesterday", "today" and "[on|this|coming] monday".
func (r *phraseReader) namedDay() bool {
	switch {
	case r.accept("tomorrow"):
		return r.setDay(dayTomorrow, senseComing)
	case r.accept("yesterday"):
		return r.setDay(dayBefore, senseComing)
	case r.accept("today"):
		return r.setDay(dayToday, senseThis)
	}
	start, how := r.at, senseComing
	if r.accept("this") {
		how = senseThis
	} else if !r.accept("on") {
		r.accept("coming")
	}
	if r.weekdayWord() {
		return r.setDay(dayWeekday, how)
	}
	r.at = start
	return false
}

func (r *phraseReader) weekdayWord() bool {
	weekday := slices.Index(fullWeekdayNames, r.peek(0))
	if weekday < 0 {
		return false
	}
	r.at++
	r.p.weekday = time.Weekday(weekday)
	return true
}

// relativeDay reads "next monday", "last week", "last night".
func (r *phraseReader) relativeDay() bool {
	start, how := r.at, senseNext
	if r.accept("last") {
		how = senseLast
	} else if !r.accept("next") {
		return false
	}
	if how == senseLast && r.peek(0) == "night" && r.part == "" {
		r.at++
		r.part = "night"
		return r.setDay(dayBefore, senseLast)
	}
	if r.weekdayWord() {
		return r.setDay(dayWeekday, how)
	}
	unit := r.peek(0)
	if u := phraseUnits[unit]; u > unitSecond && len(unit) > 2 && !strings.HasSuffix(unit, "s") {
		r.at++
		r.p.unit = u
		return r.setDay(dayUnit, how)
	}
	r.at = start
	return false
}

// ordinalDay reads "15th [day] [of] march".
func (r *phraseReader) ordinalDay() bool {
	start := r.at
	date, ok := digits(r.peek(0), 1, 2)
	if !ok || !slices.Contains([]string{"st", "nd", "rd", "th"}, r.peek(1)) {
		return false
	}
	r.at += 2
	r.accept("day")
	r.accept("of")
	month := slices.Index(fullMonthNames, r.peek(0))
	if month < 0 {
		r.at = start
		return false
	}
	r.at++
	r.p.date, r.p.month = date, time.Month(month+1)
	return r.setDay(dayDate, senseComing)
}
