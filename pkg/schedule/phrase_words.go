package schedule

import (
	"slices"
	"strings"
)

var (
	fullMonthNames = []string{
		"january", "february", "march", "april", "may", "june", "july",
		"august", "september", "october", "november", "december",
	}
	fullWeekdayNames = []string{"sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"}
)

// nameIndex finds a full name or its first three letters.
func nameIndex(text string, names []string) (int, bool) {
	for i, name := range names {
		if text == name || len(text) == 3 && text == name[:3] {
			return i, true
		}
	}
	return 0, false
}

// shortenedName finds a name by three of its letters or more: "sept".
func shortenedName(text string, names []string) (int, bool) {
	if len(text) < 3 {
		return 0, false
	}
	i := slices.IndexFunc(names, func(name string) bool { return strings.HasPrefix(name, text) })
	return i, i >= 0
}

// phraseUnits are date.js's names of units.
var phraseUnits = map[string]phraseUnit{
	"s": unitSecond, "sec": unitSecond, "secs": unitSecond, "second": unitSecond, "seconds": unitSecond,
	"m": unitMinute, "min": unitMinute, "mins": unitMinute, "minute": unitMinute, "minutes": unitMinute,
	"h": unitHour, "hr": unitHour, "hrs": unitHour, "hour": unitHour, "hours": unitHour,
	"d": unitDay, "day": unitDay, "days": unitDay,
	"w": unitWeek, "wk": unitWeek, "wks": unitWeek, "week": unitWeek, "weeks": unitWeek,
	"mo": unitMonth, "month": unitMonth, "months": unitMonth,
	"y": unitYear, "yr": unitYear, "yrs": unitYear, "year": unitYear, "years": unitYear,
}

// A dayPart is a part of the day that stands for a time and gives a bare clock
// its half of the day.
type dayPart struct {
	hour        int // the time it stands for alone
	first, last int // hours it may be combined with
}

var dayParts = map[string]dayPart{
	"morning":   {hour: 8, first: 0, last: 11},
	"afternoon": {hour: 14, first: 12, last: 18},
	"evening":   {hour: 17, first: 16, last: 23},
	"night":     {hour: 19, first: 18, last: 23},
	"tonight":   {hour: -1, first: 16, last: 23}, // no time of its own
}

// phraseWords splits a text into lower-case words; a number and the letters
// behind it ("5pm", "15th", "10s") are two. A comma between words is dropped.
func phraseWords(text string) []string {
	var words []string
	for field := range strings.FieldsSeq(strings.ToLower(text)) {
		if len(field) > 1 {
			field = strings.TrimSuffix(field, ",")
		}
		n := 0
		for n < len(field) && ('0' <= field[n] && field[n] <= '9' || n > 0 && field[n] == ':') {
			n++
		}
		if n > 0 && n < len(field) && 'a' <= field[n] && field[n] <= 'z' {
			words = append(words, field[:n], field[n:])
			continue
		}
		words = append(words, field)
	}
	return words
}

// countWord reads a count: digits, a, an, or one of the number words that
// date.js reads right.
func countWord(word string) (int, bool) {
	if n, ok := digits(word, 1, 9); ok {
		return n, true
	}
	if word == "a" || word == "an" {
		return 1, true
	}
	if n, ok := tens[word]; ok {
		return n, word != "forty"
	}
	n, ok := smallNumbers[word]
	return n, ok && n > 0
}
