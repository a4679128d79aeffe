package schedule

import (
	"math"
	"strconv"
	"strings"
	"time"
)

// unitLengths are human-interval's units; a month is 30 days, a year 365.
var unitLengths = map[string]time.Duration{
	"second": time.Second,
	"minute": time.Minute,
	"hour":   time.Hour,
	"day":    24 * time.Hour,
	"week":   7 * 24 * time.Hour,
	"month":  30 * 24 * time.Hour,
	"year":   365 * 24 * time.Hour,
}

// intervalAliases are the cron aliases that contain the name of a unit. Agenda
// 6.2.6 asks human-interval after cron and lets it win, so it runs them at this
// distance from the last run, not at the start of the hour, week or month.
var intervalAliases = map[string]string{
	"@secondly": "second",
	"@minutely": "minute",
	"@hourly":   "hour",
	"@weekly":   "week",
	"@monthly":  "month",
	"@yearly":   "year",
}

// ParseInterval reads a distance in time: a number of milliseconds ("5000") or
// the words of human-interval 2.0.1 ("5 minutes", "two hours and 30 minutes",
// "1.5 hours", "1 week"), which Agenda uses for repeatInterval and processEvery.
// Units are second, minute, hour, day, week, month (30 days) and year (365
// days), in lower case and in full. The result is in whole milliseconds.
//
// A text is read only if every word of it counts, and refused with a
// *SyntaxError otherwise: what Agenda drops ("every 5 minutes" is 0 there,
// "1,000 seconds" is 1 s) is in [Differences]. So is anything under 1 ms, which
// would run a job in a hot loop.
func ParseInterval(text string) (time.Duration, error) {
	d, f := parseInterval(text)
	if f != nil {
		return 0, f.in("interval", text)
	}
	return d, nil
}

func parseInterval(text string) (time.Duration, *fault) {
	if f := tooLong(text); f != nil {
		return 0, f
	}
	if n, ok := parseMilliseconds(text); ok {
		return wholeMilliseconds(n)
	}
	return parseHumanInterval(text)
}

// parseMilliseconds reads a decimal number as JavaScript's Number would.
func parseMilliseconds(text string) (float64, bool) {
	text = strings.TrimSpace(text)
	if digits, ok := strings.CutPrefix(text, "+"); ok && !strings.HasPrefix(digits, "-") {
		text = digits
	}
	number := leadingNumber(text)
	if number == "" || number != text {
		return 0, false
	}
	n, err := strconv.ParseFloat(number, 64)
	return n, err == nil
}

// wholeMilliseconds turns milliseconds into a duration that a job can have.
func wholeMilliseconds(ms float64) (time.Duration, *fault) {
	// Agenda adds the interval to a timestamp and drops the fraction; a sum of
	// that size holds no more than 1/4096 ms, so 59999.9999 is 60000 there.
	ms = math.Floor(math.Round(ms*4096) / 4096)
	if ms < 1 {
		return 0, faultf("write the distance between two runs, at least 1",
			"is less than a millisecond, so the job would run in an endless loop")
	}
	if ms > float64(math.MaxInt64/int64(time.Millisecond)) {
		return 0, faultf("", "is longer than 292 years")
	}
	return time.Duration(ms) * time.Millisecond, nil
}

// parseHumanInterval adds up "[number] unit" parts.
func parseHumanInterval(text string) (time.Duration, *fault) {
	if unit, ok := intervalAliases[text]; ok {
		return unitLengths[unit], nil
	}
	tokens, f := intervalTokens(text)
	if f != nil {
		return 0, f
	}
	var total float64
	var number []string
	units := 0
	for _, token := range tokens {
		length, isUnit := unitLengths[strings.TrimSuffix(token, "s")]
		if !isUnit {
			number = append(number, token)
			continue
		}
		n, f := intervalNumber(number)
		if f != nil {
			return 0, f
		}
		total += n * float64(length.Milliseconds())
		number, units = nil, units+1
	}
	switch {
	case units == 0:
		return 0, faultf(intervalHint, "has no unit of time")
	case len(number) > 0:
		return 0, faultf(intervalHint, "has %s after the last unit", quoteShort(strings.Join(number, " ")))
	}
	return wholeMilliseconds(total)
}

const intervalHint = `write a number and a unit in lower case, such as "5 minutes"`

// intervalNumber reads what stands before a unit; nothing stands for one.
func intervalNumber(tokens []string) (float64, *fault) {
	if len(tokens) == 0 {
		return 1, nil
	}
	if len(tokens) == 1 && leadingNumber(tokens[0]) != "" {
		n, err := strconv.ParseFloat(tokens[0], 64)
		if err != nil {
			return 0, faultf(intervalHint, "has the number %s, which is out of range", quoteShort(tokens[0]))
		}
		return n, nil
	}
	if n, ok := numberInWords(tokens); ok {
		return n, nil
	}
	return 0, faultf(intervalHint, "has %s before a unit, which is not one number", quoteShort(strings.Join(tokens, " ")))
}

// intervalTokens splits a text into numbers and words. Spaces, commas, +, & and
// the word "and" separate; so do a hyphen or a dot behind a number or a word
// ("5-minutes", "twenty-five"). Between two parts they are a token, which is no
// number: human-interval counts nothing for the second part of "1 day.hour".
func intervalTokens(text string) ([]string, *fault) {
	var tokens []string
	for i := 0; i < len(text); {
		rest := text[i:]
		if number := leadingNumber(rest); number != "" {
			tokens = append(tokens, number)
			i += len(number)
			continue
		}
		if word := leadingWord(rest); word != "" {
			if word != "and" {
				tokens = append(tokens, word)
			}
			i += len(word)
			continue
		}
		switch {
		case strings.ContainsRune(" \t\r\n,+&", rune(rest[0])):
		case (rest[0] == '-' || rest[0] == '.') && len(tokens) > 0 && isWordByte(text[i-1]):
			if isUnit(tokens[len(tokens)-1]) && strings.TrimSpace(rest[1:]) != "" {
				tokens = append(tokens, rest[:1])
			}
		default:
			return nil, strangeCharacter(rest)
		}
		i++
	}
	return tokens, nil
}

// isUnit reports whether a word is a unit of time, in the singular or plural.
func isUnit(word string) bool {
	_, ok := unitLengths[strings.TrimSuffix(word, "s")]
	return ok
}

func strangeCharacter(rest string) *fault {
	for _, r := range rest {
		return faultf(intervalHint, "has the character %q", r)
	}
	return nil
}

// leadingNumber returns the decimal number at the start of a text: digits with
// an optional sign, fraction and exponent. "5." is one, "-" is not.
func leadingNumber(text string) string {
	i := 0
	if strings.HasPrefix(text, "-") {
		i++
	}
	whole := countDigits(text[i:])
	i += whole
	fraction := 0
	if i < len(text) && text[i] == '.' {
		fraction = countDigits(text[i+1:])
		if whole > 0 || fraction > 0 {
			i += 1 + fraction
		}
	}
	if whole == 0 && fraction == 0 {
		return ""
	}
	if i < len(text) && (text[i] == 'e' || text[i] == 'E') {
		exponent := i + 1
		if exponent < len(text) && (text[exponent] == '+' || text[exponent] == '-') {
			exponent++
		}
		if n := countDigits(text[exponent:]); n > 0 {
			i = exponent + n
		}
	}
	return text[:i]
}

func leadingWord(text string) string {
	i := 0
	for i < len(text) && 'a' <= text[i] && text[i] <= 'z' {
		i++
	}
	return text[:i]
}

func countDigits(text string) int {
	i := 0
	for i < len(text) && '0' <= text[i] && text[i] <= '9' {
		i++
	}
	return i
}

func isWordByte(b byte) bool {
	return 'a' <= b && b <= 'z' || '0' <= b && b <= '9' || b == '.'
}
