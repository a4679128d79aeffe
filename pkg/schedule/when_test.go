package schedule_test

import (
	"errors"
	"math"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/etrainer/backend/pkg/schedule"
)

func TestParseWhenInstants(t *testing.T) {
	t.Parallel()
	hanoi := mustZone(t, "Asia/Ho_Chi_Minh")
	for text, want := range map[string]string{
		"2024-02-01":                    "2024-02-01T00:00:00Z", // UTC, as in JavaScript
		"2024-02-01T09:00:00Z":          "2024-02-01T09:00:00Z",
		"2024-02-01T09:00:00.1239+0700": "2024-02-01T02:00:00.123Z",
		"2024-02-01t09:00z":             "2024-02-01T09:00:00Z",
		"2024-02-01T09:00:00-03:30":     "2024-02-01T12:30:00Z",
		"2024-02-01 09:00":              "2024-02-01T02:00:00Z", // local
		"2024-02-01T09:00":              "2024-02-01T02:00:00Z",
		"2024-02-01 9:00 pm":            "2024-02-01T14:00:00Z",
		"2024/02/01":                    "2024-01-31T17:00:00Z",
		"02/01/2024 09:00":              "2024-02-01T02:00:00Z", // month first
		"Feb 1, 2024 09:00":             "2024-02-01T02:00:00Z",
		"1 February 2024":               "2024-01-31T17:00:00Z",
		"Thu, 01 Feb 2024 09:00:00 GMT": "2024-02-01T09:00:00Z",
		"Thu Feb 01 2024 09:00:00 GMT+0700 (Indochina Time)": "2024-02-01T02:00:00Z",
		"2024-01-31T24:00:00Z":                               "2024-02-01T00:00:00Z", // ISO 8601: the end of the day
		"2024-02-29 24:00":                                   "2024-02-29T17:00:00Z",
		"Sept 5, 2024 9:00":                                  "2024-09-05T02:00:00Z",
		"Thurs, 1 Febr 2024 09:00:00 GMT":                    "2024-02-01T09:00:00Z",
		"2/1/2024, 9:00:00\u202fPM":                          "2024-02-01T14:00:00Z", // toLocaleString
		"February 1, 2024 at 9:00 AM":                        "2024-02-01T02:00:00Z",
		"2024-02-01 09:00:00+07":                             "2024-02-01T02:00:00Z", // PostgreSQL
		"2024-02-01 09:00:00.123456-03":                      "2024-02-01T12:00:00.123Z",
		"2024-02-01 09:00:00.5+05:30":                        "2024-02-01T03:30:00.5Z",
		"1706778000000":                                      "2024-02-01T09:00:00Z",
		"  1706778000000\n":                                  "2024-02-01T09:00:00Z",
	} {
		got, err := schedule.ParseWhen(text, tableNow, hanoi)
		if err != nil || !got.Equal(instant(t, want)) {
			t.Errorf("%q: got %v, %v; want %s", text, got, err, want)
		}
	}
	newYork := mustZone(t, "America/New_York")
	for text, want := range map[string]string{
		"2024-03-10 02:30": "2024-03-10T07:30:00Z", // skipped: after the gap
		"2024-11-03 01:30": "2024-11-03T05:30:00Z", // shown twice: the first
	} {
		got, err := schedule.ParseWhen(text, tableNow, newYork)
		if err != nil || !got.Equal(instant(t, want)) {
			t.Errorf("%q: got %v, %v; want %s", text, got, err, want)
		}
	}
}

func TestParseWhenFollowsItsZone(t *testing.T) {
	t.Parallel()
	now := instant(t, "2024-01-17T20:00:00Z") // Thursday 03:00 in Hanoi
	for text, want := range map[string]string{
		"tomorrow at 9am":  "2024-01-19T02:00:00Z",
		"9am":              "2024-01-18T02:00:00Z",
		"friday at 5pm":    "2024-01-19T10:00:00Z",
		"in 5 minutes":     "2024-01-17T20:05:00Z",
		"2 days at 9am":    "2024-01-20T02:00:00Z",
		"now":              "2024-01-17T20:00:00Z",
		"TOMORROW AT NOON": "2024-01-19T05:00:00Z",
		"monday, 5pm":      "2024-01-22T10:00:00Z",
		"yesterday at 9am": "2024-01-17T02:00:00Z",
	} {
		got, err := schedule.ParseWhen(text, now, mustZone(t, "Asia/Ho_Chi_Minh"))
		if err != nil || !got.Equal(instant(t, want)) {
			t.Errorf("%q: got %v, %v; want %s", text, got, err, want)
		}
	}
}

func TestParseWhenRefusals(t *testing.T) {
	t.Parallel()
	for text, says := range map[string]string{
		"":                              "is empty",
		"*/5 * * * *":                   "is a cron expression",
		"0 9 * * mon":                   "is a cron expression",
		"@daily":                        "is a cron expression",
		"every 5 minutes":               "repetition",
		"tomorrow at 5":                 `write "5am", "5pm" or "5:00"`,
		"asap":                          `write "now"`,
		"mon at 9am":                    `write "monday"`,
		"thurs":                         `write "thursday"`,
		"saturdays":                     `write "saturday"`,
		"tonight":                       `write "tonight at 8pm"`,
		"day after tomorrow":            `write "in 2 days"`,
		"half an hour from now":         "fraction",
		"in 90 parsecs":                 `has "parsecs"`,
		"tomorrow at":                   "ends too early",
		"tomorrow tomorrow":             `"tomorrow"`,
		"5pm 6pm":                       `"6"`,
		"tomorrow morning at 9pm":       "not in it",
		"next wednesday":                "takes for today",
		"this wednesday at 9am":         "already over",
		"2024-02-30":                    "February 2024 has not",
		"2024-13-01":                    "month 13",
		"2024-02-01 25:00":              "no clock shows",
		"2024-02-01 24:01":              "no clock shows",
		"2024-02-01 24:00 am":           "no clock shows",
		"Se 5, 2024 9:00":               "",
		"25 december":                   `write "25th december"`,
		"12 dec":                        `write "12th december"`,
		"tomorrow at 25":                `write a time such as "5pm" or "17:30"`,
		"tomorrow at 17":                `write "17:00"`,
		"2024-02-01T09:00+99:00":        "offset",
		"1706778000":                    "not epoch milliseconds",
		"99999999 weeks":                "year",
		"1 month after 999999999 years": "",
		strings.Repeat("x", schedule.MaxTextBytes+1): "bytes long",
	} {
		_, err := schedule.ParseWhen(text, tableNow, time.UTC)
		var syntax *schedule.SyntaxError
		if !errors.As(err, &syntax) || syntax.Field != "when" || syntax.Input != text {
			t.Errorf("%q: got %v, want a SyntaxError", text, err)
			continue
		}
		if !strings.Contains(err.Error(), says) {
			t.Errorf("%q: %q does not say %q", text, err, says)
		}
	}
}

func TestMonthsAndYears(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ text, now, want string }{
		{"in 1 month", "2024-01-17T10:00:00Z", "2024-02-17T10:00:00Z"},
		{"in 1 month", "2024-01-31T10:00:00Z", "2024-02-29T10:00:00Z"},
		{"in 1 month", "2024-03-31T10:00:00Z", "2024-04-28T10:00:00Z"}, // date.js: every month has 28 days
		{"in 13 months", "2024-01-31T10:00:00Z", "2025-02-28T10:00:00Z"},
		{"a month ago", "2024-03-31T10:00:00Z", "2024-02-29T10:00:00Z"},
		{"last month", "2024-01-31T10:00:00Z", "2023-12-28T10:00:00Z"},
		{"in 1 year", "2024-02-29T10:00:00Z", "2025-03-01T10:00:00Z"},
		{"next year at 9am", "2024-01-17T10:00:00Z", "2025-01-17T09:00:00Z"},
	} {
		got, err := schedule.ParseWhen(tt.text, instant(t, tt.now), time.UTC)
		if err != nil || !got.Equal(instant(t, tt.want)) {
			t.Errorf("%q at %s: got %v, %v; want %s", tt.text, tt.now, got, err, tt.want)
		}
	}
}

func TestParseWhenNumber(t *testing.T) {
	t.Parallel()
	for number, want := range map[float64]string{
		0: "1970-01-01T00:00:00Z", -1: "1969-12-31T23:59:59.999Z", 1706778000000: "2024-02-01T09:00:00Z", 1706778000000.9: "2024-02-01T09:00:00Z",
		-0.5: "1970-01-01T00:00:00Z",
	} {
		if got, err := schedule.ParseWhenNumber(number); err != nil || !got.Equal(instant(t, want)) {
			t.Errorf("%f: got %v, %v; want %s", number, got, err, want)
		}
	}
	for _, number := range []float64{8.64e15 + 1, -8.7e15, math.NaN(), math.Inf(1), math.Inf(-1), 1e300} {
		var syntax *schedule.SyntaxError
		if _, err := schedule.ParseWhenNumber(number); !errors.As(err, &syntax) || syntax.Field != "when" {
			t.Errorf("%f: got %v, want a SyntaxError", number, err)
		}
	}
	for _, edge := range []float64{8.64e15, -8.64e15} {
		if got, err := schedule.ParseWhenNumber(edge); err != nil || float64(got.UnixMilli()) != edge {
			t.Errorf("%f: got %v, %v", edge, got, err)
		}
	}
}

// What a refusal says to write is read in the place of what was refused.
func TestHintsAreRead(t *testing.T) {
	t.Parallel()
	quoted := regexp.MustCompile(`"([^"]*)"`)
	for number := range 32 {
		word := strconv.Itoa(number)
		for _, text := range []string{"tomorrow at " + word, "monday at " + word, word + " december", word + " mar", word + " february", word} {
			_, err := schedule.ParseWhen(text, tableNow, time.UTC)
			var syntax *schedule.SyntaxError
			if !errors.As(err, &syntax) {
				continue
			}
			_, mend, _ := strings.Cut(err.Error(), "write ")
			for _, hint := range quoted.FindAllStringSubmatch(mend, -1) {
				corrected := strings.Replace(text, word, hint[1], 1)
				if strings.HasPrefix(text, word) { // the hint is for the whole text
					corrected = hint[1]
				}
				if _, err := schedule.ParseWhen(corrected, tableNow, time.UTC); err != nil {
					t.Errorf("%q: %v; and then %v", text, syntax, err)
				}
			}
		}
	}
}
