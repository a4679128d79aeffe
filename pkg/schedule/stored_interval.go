package schedule

import (
	"math"
	"regexp"
	"strconv"
	"strings"
)

// agendaMilliseconds is the distance that Agenda 6.2.6 adds to the last run of
// a job with this repeatInterval, in milliseconds and whatever it is: zero and
// less make it run in an endless loop there. ok is false where Agenda asks its
// cron parser instead.
func agendaMilliseconds(text string) (ms float64, ok bool) {
	if len(text) > MaxTextBytes {
		return 0, false
	}
	if n, number := javaScriptNumber(text); number {
		return n, true
	}
	return humanInterval(text)
}

// javaScriptNumber reads what JavaScript's Number makes of a text, as far as it
// is finite: decimals, and whole numbers with the prefix 0x, 0o or 0b.
func javaScriptNumber(text string) (float64, bool) {
	if n, ok := parseMilliseconds(text); ok {
		return n, true
	}
	trimmed := strings.ToLower(strings.TrimSpace(text))
	for prefix, base := range map[string]int{"0x": 16, "0o": 8, "0b": 2} {
		if digits, ok := strings.CutPrefix(trimmed, prefix); ok {
			n, err := strconv.ParseUint(digits, base, 64)
			return float64(n), err == nil
		}
	}
	return 0, false
}

var (
	intervalNoise = regexp.MustCompile(`([^a-z0-9.-]|and)+`)
	intervalUnit  = regexp.MustCompile(`(second|minute|hour|day|week|month|year)s?`)
)

// humanInterval is human-interval 2.0.1 with all its defects: it adds up what
// stands before each name of a unit, wherever in a word that name is, and drops
// the rest. It is for stored documents, whose rhythm must not change because
// their job runs here; [ParseInterval] is for everything new.
func humanInterval(text string) (ms float64, ok bool) {
	rest := intervalNoise.ReplaceAllString(text, " ")
	for {
		at := intervalUnit.FindStringSubmatchIndex(rest)
		if at == nil {
			return ms, ok && !math.IsNaN(ms)
		}
		number := 1.0
		if before := strings.TrimSpace(rest[:at[0]]); before != "" {
			number = agendaNumber(before)
		}
		ms, ok = ms+number*float64(unitLengths[rest[at[2]:at[3]]].Milliseconds()), true
		rest = rest[at[1]:]
	}
}

// agendaNumber reads what stands before a unit: the number that it starts with,
// else the sum of its number words, which is 0 without any.
func agendaNumber(text string) float64 {
	digits := leadingNumber(text)
	if digits == "" {
		return numberedWords(text)
	}
	n, err := strconv.ParseFloat(digits, 64)
	if err != nil && !math.IsInf(n, 0) {
		return 0
	}
	return n
}
