package schedule

import (
	"slices"
	"strings"
	"time"
)

// time reads a part of the day or a time of day, if one comes next.
func (r *phraseReader) time() (bool, *fault) {
	if r.partOfDay() {
		return true, nil
	}
	start := r.at
	r.accept("at")
	switch {
	case r.p.timed: // one clock is enough
	case r.accept("noon"):
		r.setClock(12, 0)
		return true, nil
	case r.accept("midnight"):
		r.setClock(0, 0)
		return true, nil
	default:
		if known, f := r.clock(); known {
			return true, f
		}
	}
	r.at = start
	return false, nil
}

// partOfDay reads "[this|in the] morning" and "tonight".
func (r *phraseReader) partOfDay() bool {
	start := r.at
	this := r.accept("this")
	if !this {
		r.accept("in", "the")
	}
	word := r.peek(0)
	if _, ok := dayParts[word]; !ok || r.part != "" || this && word == "tonight" {
		r.at = start
		return false
	}
	r.at++
	r.part = word
	if this || word == "tonight" {
		return r.setDay(dayToday, senseThis)
	}
	return true
}

func (r *phraseReader) setClock(hour, minute int) {
	r.p.timed = true
	r.p.clock = time.Duration(hour)*time.Hour + time.Duration(minute)*time.Minute
}

// clock reads "5pm", "5:30 pm" and "17:30". known is false when no number comes
// next. A number without am, pm or minutes is refused: Agenda reads "tomorrow at
// 5" as May 2001.
func (r *phraseReader) clock() (known bool, f *fault) {
	word := r.peek(0)
	hour, minute, withMinutes, ok := cutClock(word)
	if !ok {
		if countDigits(word) == 0 {
			return false, nil
		}
		return true, badClock(word)
	}
	r.at++
	meridiem := ""
	if next := r.peek(0); next == "am" || next == "pm" {
		meridiem = next
		r.at++
	}
	switch {
	case meridiem != "":
	case !withMinutes:
		return true, faultf(`write "`+word+`am", "`+word+`pm" or "`+word+`:00"`, "has the number %s, which is not a time of day", word)
	case r.part != "":
		meridiem = r.impliedMeridiem(hour)
	case hour < 12 && slices.Contains(r.words[r.at:], "tonight"):
		return true, faultf(`write "`+word+`pm tonight"`, "has the time %s before tonight", word)
	}
	if hour, ok = hourOfDay(hour, meridiem); !ok {
		return true, badClock(word + meridiem)
	}
	r.setClock(hour, minute)
	return true, nil
}

// cutClock splits "17" and "17:30". Seconds are not read: date.js drops them.
func cutClock(word string) (hour, minute int, withMinutes, ok bool) {
	hourText, minuteText, withMinutes := strings.Cut(word, ":")
	if hour, ok = digits(hourText, 1, 2); ok && withMinutes {
		minute, ok = digits(minuteText, 2, 2)
		ok = ok && minute <= 59
	}
	return hour, minute, withMinutes, ok
}

// impliedMeridiem lets the part of the day decide: "tonight at 8:30" is 20:30.
func (r *phraseReader) impliedMeridiem(hour int) string {
	if hour < 1 || hour > 12 {
		return ""
	}
	if r.part == "morning" {
		return "am"
	}
	return "pm"
}

func badClock(word string) *fault {
	return faultf(`write "5pm", "5:30 pm" or "17:30"`, "has %s, which is not a time of day in hours and minutes", quoteShort(word))
}

// settle joins the part of the day and the clock, and refuses what is missing
// or contradicts itself.
func (r *phraseReader) settle() *fault {
	p := &r.p
	if r.part != "" {
		part := dayParts[r.part]
		hour := int(p.clock / time.Hour)
		switch {
		case p.timed && (hour < part.first || hour > part.last):
			return faultf("leave one of them out", "joins %s and a time that is not in it", r.part)
		case !p.timed && part.hour < 0:
			return faultf(`write "tonight at 8pm"`, "has no time of day, so Agenda takes it for now")
		case !p.timed:
			r.setClock(part.hour, 0)
		}
	}
	switch {
	case p.day == dayToday && !p.timed:
		return faultf(`write "now" or "today at 5pm"`, "has no time of day")
	case p.day == dayUnit && p.timed && p.unit < unitDay:
		return faultf("leave one of them out", "joins a short distance and a time of day")
	}
	return nil
}
