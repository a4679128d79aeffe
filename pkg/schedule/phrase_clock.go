package schedule

import (
	"slices"
	"strconv"
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
		return true, r.bareNumber(word, hour)
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

// bareNumber refuses a number that may be an hour or a day, with a hint that is
// read in its place.
func (r *phraseReader) bareNumber(word string, n int) *fault {
	if i, ok := nameIndex(r.peek(0), fullMonthNames); ok {
		day := n
		if longest := newDay(2024, time.Month(i+2), 0).utc().Day(); day < 1 || day > longest {
			day = 1
		}
		return faultf(`write "`+ordinal(day)+" "+fullMonthNames[i]+`"`, "has the number %s, which is neither a time of day nor an ordinal", word)
	}
	var hints []string
	if n >= 1 && n <= 12 {
		hints = append(hints, `"`+word+`am"`, `"`+word+`pm"`)
	}
	if n <= 23 {
		hints = append(hints, `"`+word+`:00"`)
	}
	const problem = "has the number %s, which is not a time of day"
	switch len(hints) {
	case 0:
		return faultf(`write a time such as "5pm" or "17:30"`, problem, word)
	case 1:
		return faultf("write "+hints[0], problem, word)
	default:
		last := len(hints) - 1
		return faultf("write "+strings.Join(hints[:last], ", ")+" or "+hints[last], problem, word)
	}
}

// ordinal writes 1st, 2nd, 3rd, 4th, 11th.
func ordinal(n int) string {
	ending := "th"
	if n/10 != 1 {
		switch n % 10 {
		case 1:
			ending = "st"
		case 2:
			ending = "nd"
		case 3:
			ending = "rd"
		}
	}
	return strconv.Itoa(n) + ending
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
