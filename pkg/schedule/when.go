package schedule

import (
	"math"
	"strconv"
	"strings"
	"time"
)

// ParseWhen reads the time of a single run, as Agenda's schedule takes it:
//
//   - an instant: "2024-02-01T09:00:00Z", with an offset, or in the zone without
//     one ("2024-02-01 09:00"); a date alone is midnight UTC; the other forms of
//     JavaScript's Date that name a year ("Feb 1, 2024 09:00", "02/01/2024",
//     month first, "Thu, 01 Feb 2024 09:00:00 GMT");
//   - epoch milliseconds: "1706778000000" ([ParseWhenNumber] reads a number);
//   - a phrase of date.js 0.3.3: "now", "in 5 minutes", "2 days from now at 9am",
//     "tomorrow at noon", "next monday at 9am", "15th of march at 5pm", "an hour
//     ago". Like there, a phrase keeps the milliseconds of now, a time of day
//     that is over means the next day, and up to a minute past stays past.
//
// Phrases follow the clocks of zone (nil means UTC), not those of the process.
// Capitals do not matter. What cannot be read is refused with a *SyntaxError
// that suggests the mend; nothing unreadable becomes now, and a cron expression
// or an "every ..." is told apart. [Differences] lists what Agenda reads wrongly
// and is refused or read rightly here.
func ParseWhen(text string, now time.Time, zone *time.Location) (time.Time, error) {
	t, f := parseWhen(text, now, zone)
	if f != nil {
		return time.Time{}, f.in("when", text)
	}
	return t, nil
}

// ParseWhenNumber reads the time of a single run that is given as a number: epoch
// milliseconds, as far as JavaScript's dates go and without their fraction. It
// is refused with a *SyntaxError beyond.
func ParseWhenNumber(milliseconds float64) (time.Time, error) {
	if !(math.Abs(milliseconds) <= lastMillisecond) { // which NaN is not, either
		f := faultf("send epoch milliseconds", "is beyond the times that can be stored")
		return time.Time{}, f.in("when", strconv.FormatFloat(milliseconds, 'g', -1, 64))
	}
	return time.UnixMilli(int64(milliseconds)), nil
}

func parseWhen(text string, now time.Time, zone *time.Location) (time.Time, *fault) {
	if f := tooLong(text); f != nil {
		return time.Time{}, f
	}
	if zone == nil {
		zone = time.UTC
	}
	trimmed := strings.TrimSpace(text)
	if t, known, f := parseInstant(trimmed, zone); known {
		return t, f
	}
	if f := refuseRepetition(trimmed); f != nil {
		return time.Time{}, f
	}
	p, f := parsePhrase(trimmed)
	if f != nil {
		return time.Time{}, f
	}
	t, f := p.resolve(now.In(zone))
	if f == nil && (t.Year() < 1 || t.Year() > 9999) {
		f = faultf("", "is in the year %d", t.Year())
	}
	return t, f
}

// refuseRepetition tells a single time from a schedule.
func refuseRepetition(text string) *fault {
	if strings.HasPrefix(text, "@") || len(strings.Fields(text)) >= 5 && looksLikeCron(text) {
		return faultf("give a single time here, and the expression as repeatInterval",
			"is a cron expression; recurring jobs take it as their repeatInterval")
	}
	if first, _, _ := strings.Cut(strings.ToLower(text), " "); first == "every" || first == "each" {
		return faultf("give a single time here, and the distance or a cron expression as repeatInterval",
			"describes a repetition; recurring jobs take it as their repeatInterval")
	}
	return nil
}

// parseRecurringPhrase reads the repeatAt of a Node document: a time of day
// ("3:30pm", "noon"), a weekday with or without one ("monday at 9am") or a
// distance ("5 minutes"). What happens once ("yesterday", a date) is refused.
//
// Agenda evaluates the phrase in the zone of its process and can answer with a
// moment already past or with none at all; see [Differences].
func parseRecurringPhrase(text string) (*phrase, *fault) {
	if f := tooLong(text); f != nil {
		return nil, f
	}
	p, f := parsePhrase(strings.TrimSpace(text))
	if f != nil {
		return nil, f
	}
	if !p.recurs() {
		return nil, faultf(`write a time of day such as "3:30pm" or "monday at 9am"`, "names a single time, not a repeating one")
	}
	return p, nil
}
