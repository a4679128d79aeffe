package schedule_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/etrainer/backend/pkg/schedule"
)

func mustParse(t testing.TB, spec schedule.Spec) *schedule.Schedule {
	t.Helper()
	s, err := schedule.Parse(spec, time.UTC)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func instant(t testing.TB, text string) time.Time {
	t.Helper()
	at, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

// clocks shows instants as the zone's clocks do.
func clocks(times []time.Time, loc *time.Location) []string {
	var shown []string
	for _, at := range times {
		shown = append(shown, at.In(loc).Format("01-02 15:04:05 -07:00"))
	}
	return shown
}

func TestClockChanges(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, expr, zone, from string
		want                   []string
	}{
		{
			"gap, fixed time inside: after the gap", "30 2 * * *", "America/New_York", "2024-03-09T12:00:00Z",
			[]string{"03-10 03:30:00 -04:00", "03-11 02:30:00 -04:00"},
		},
		{
			"gap, search from inside the hour after it: over", "30 2 * * *", "America/New_York", "2024-03-10T07:10:00Z",
			[]string{"03-11 02:30:00 -04:00"},
		},
		{
			"gap, list inside: first one only", "*/15 2 * * *", "America/New_York", "2024-03-10T06:00:00Z",
			[]string{"03-10 03:00:00 -04:00", "03-11 02:00:00 -04:00"},
		},
		{
			"gap, weekly on that day is not lost", "0 2 * * 0", "America/New_York", "2024-03-09T12:00:00Z",
			[]string{"03-10 03:00:00 -04:00", "03-17 02:00:00 -04:00"},
		},
		{
			"gap, every hour: one hour less", "0 * * * *", "America/New_York", "2024-03-10T05:30:00Z",
			[]string{"03-10 01:00:00 -05:00", "03-10 03:00:00 -04:00", "03-10 04:00:00 -04:00"},
		},
		{
			"gap at midnight: 01:00 that day", "0 0 * * *", "Africa/Cairo", "2024-04-25T12:00:00Z",
			[]string{"04-26 01:00:00 +03:00", "04-27 00:00:00 +03:00"},
		},
		{
			"gap up to midnight: after it", "30 23 * * *", "America/Nuuk", "2024-03-30T12:00:00Z",
			[]string{"03-31 00:30:00 -01:00", "03-31 23:30:00 -01:00"},
		},
		{
			"gap of half an hour: moved by it", "0 2 * * *", "Australia/Lord_Howe", "2024-10-05T00:00:00Z",
			[]string{"10-06 02:30:00 +11:00", "10-07 02:00:00 +11:00"},
		},
		{
			"gap of half an hour: the existing half runs", "45 2 * * *", "Australia/Lord_Howe", "2024-10-05T00:00:00Z",
			[]string{"10-06 02:45:00 +11:00", "10-07 02:45:00 +11:00"},
		},
		{
			"gap beside the hour", "50 2 * * *", "Pacific/Chatham", "2024-09-28T10:00:00Z",
			[]string{"09-29 03:50:00 +13:45", "09-30 02:50:00 +13:45"},
		},
		{
			"gap of two hours: the first hour after it", "30 1,2 * * *", "Antarctica/Troll", "2024-03-30T12:00:00Z",
			[]string{"03-31 03:30:00 +02:00", "04-01 01:30:00 +02:00", "04-01 02:30:00 +02:00"},
		},
		{
			"a day that a zone skipped", "0 9 * * *", "Pacific/Apia", "2011-12-29T12:00:00Z",
			[]string{"12-29 09:00:00 -10:00", "12-31 09:00:00 +14:00"},
		},
		{
			"fold, fixed time: first showing only", "30 1 * * *", "America/New_York", "2024-11-03T04:00:00Z",
			[]string{"11-03 01:30:00 -04:00", "11-04 01:30:00 -05:00"},
		},
		{
			"fold, search from inside the second showing, as a late run asks: not again", "30 1 * * *", "America/New_York", "2024-11-03T06:05:00Z",
			[]string{"11-04 01:30:00 -05:00", "11-05 01:30:00 -05:00"},
		},
		{
			"fold, every hour, search from inside the second showing: it comes", "30 * * * *", "America/New_York", "2024-11-03T06:05:00Z",
			[]string{"11-03 01:30:00 -05:00", "11-03 02:30:00 -05:00"},
		},
		{
			"fold, every hour: both", "0 * * * *", "America/New_York", "2024-11-03T04:30:00Z",
			[]string{"11-03 01:00:00 -04:00", "11-03 01:00:00 -05:00", "11-03 02:00:00 -05:00"},
		},
		{
			"fold of half an hour: once", "45 1 * * *", "Australia/Lord_Howe", "2024-04-06T10:00:00Z",
			[]string{"04-07 01:45:00 +11:00", "04-08 01:45:00 +10:30"},
		},
		{
			"fold of half an hour, every hour: both", "45 * * * *", "Australia/Lord_Howe", "2024-04-06T14:30:00Z",
			[]string{"04-07 01:45:00 +11:00", "04-07 01:45:00 +10:30", "04-07 02:45:00 +10:30"},
		},
		{
			"fold of two hours: once", "30 1,2 * * *", "Antarctica/Troll", "2024-10-26T22:30:00Z",
			[]string{"10-27 01:30:00 +02:00", "10-27 02:30:00 +02:00", "10-28 01:30:00 +00:00"},
		},
		{
			"fold of the midnight hour: first showing", "30 0 * * *", "America/Havana", "2024-11-02T12:00:00Z",
			[]string{"11-03 00:30:00 -04:00", "11-04 00:30:00 -05:00"},
		},
		{
			"fold back over midnight", "30 23 * * *", "America/Nuuk", "2024-10-26T12:00:00Z",
			[]string{"10-26 23:30:00 -01:00", "10-27 23:30:00 -02:00"},
		},
		{
			"far future, 31 December of a leap year", "0 12 31 12 *", "America/New_York", "2040-12-31T00:00:00Z",
			[]string{"12-31 12:00:00 -05:00", "12-31 12:00:00 -05:00"},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := mustParse(t, schedule.Spec{Interval: tt.expr, Timezone: tt.zone})
			got := clocks(s.NextN(instant(t, tt.from), len(tt.want)), s.Location())
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("%s in %s from %s (-want +got):\n%s", tt.expr, tt.zone, tt.from, diff)
			}
		})
	}
}

func TestCronFields(t *testing.T) {
	t.Parallel()
	from := "2024-01-17T10:20:30.456Z" // a Wednesday
	for expr, want := range map[string]string{
		"*/5 * * * *":      "01-17 10:25:00",
		"*/10 * * * * *":   "01-17 10:20:40",
		"0 9 * * MON":      "01-22 09:00:00",
		"0 9 1 feb ?":      "02-01 09:00:00",
		"0 0 L * *":        "01-31 00:00:00",
		"0 0 15,L * *":     "01-31 00:00:00",
		"0 0 * * 5L":       "01-26 00:00:00",
		"0 0 * * friL":     "01-26 00:00:00",
		"0 0 * * 1#2":      "02-12 00:00:00",
		"0 0 * * fri#5":    "03-29 00:00:00",
		"0 0 * * *#2":      "02-08 00:00:00",
		"0 0 13 * 5":       "01-19 00:00:00",
		"0 0 30 2 1":       "02-05 00:00:00", // the weekday is enough
		"0 0 29 2 *":       "02-29 00:00:00",
		"0 0 * * 5-7":      "01-19 00:00:00",
		"0 0 * * 7":        "01-21 00:00:00",
		"10/20 * * * *":    "01-17 10:30:00",
		"*/70 * * * *":     "01-17 11:00:00",
		"2 1":              "02-05 00:00:00",
		"@daily":           "01-18 00:00:00",
		" 0\t9 * * * ":     "01-18 09:00:00",
		"0 9 * * 1-5/2":    "01-19 09:00:00",
		"59 59 23 31 12 *": "12-31 23:59:59",
	} {
		t.Run(expr, func(t *testing.T) {
			t.Parallel()
			s := mustParse(t, schedule.Spec{Interval: expr})
			got, ok := s.Next(instant(t, from))
			if !ok || got.Format("01-02 15:04:05") != want || !s.IsCron() {
				t.Errorf("got %v, %v, cron %v; want %s", got, ok, s.IsCron(), want)
			}
		})
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ interval, reason string }{
		{"", "does not repeat"},
		{"0 22-2 * * *", "runs backwards"},
		{"*/0 * * * *", "step"},
		{"60 * * * *", "0 to 59"},
		{"0 0 30 2 *", "day 30"},
		{"0 0 31 4,6 *", "day 31"},
		{"0 0 * * 0,7", "twice"},
		{"0 0 * * 1#6", "occurrence"},
		{"0 0 * * 1,2#1", "combines #"},
		{"0 0 * * L", "without a weekday"},
		{"0 0 L-3 * *", `"L"`},
		{"0 0 LW * *", "the nearest working day, which is not supported"},
		{"0 0 15W * *", "the nearest working day, which is not supported"},
		{"0 0 L-3 * *", `"L-3", a day before the last one, which is not supported; write "L"`},
		{"0 12 * * monday", "write mon"},
		{"0 9 1 january *", "write jan"},
		{"0 0 0 1 1 * 2025", "7 cron fields"},
		{"1,,2 * * * *", "empty value"},
		{"*-5 * * * *", "not a value"},
		{"-5 * * * *", "the minute field \"-5\" has a minus sign"},
		{"0 -1 * * *", "the hour field \"-1\" has a minus sign"},
		{"@weekdays", `write "0 0 * * 1-5"`},
		{"@midnight", "not a cron alias"},
		{"5 Minutes", "lower case"},
		{"10 min", "no unit"},
		{"every 5 minutes", "before a unit"},
		{"0 seconds", "endless loop"},
		{"1,000 seconds", "not one number"},
		{strings.Repeat("1", schedule.MaxTextBytes+1), "bytes long"},
	} {
		t.Run(tt.interval, func(t *testing.T) {
			t.Parallel()
			_, err := schedule.Parse(schedule.Spec{Interval: tt.interval}, nil)
			var syntax *schedule.SyntaxError
			if !errors.As(err, &syntax) {
				t.Fatalf("got %v, want a SyntaxError", err)
			}
			if syntax.Field != "repeatInterval" || syntax.Input != tt.interval || syntax.Reason == "" {
				t.Errorf("got %+v", syntax)
			}
			if message := err.Error(); !strings.Contains(message, tt.reason) || len(message) > 400 {
				t.Errorf("message %q does not say %q", message, tt.reason)
			}
		})
	}
}

func TestParseOrder(t *testing.T) {
	t.Parallel()
	every := func(s *schedule.Schedule) string {
		if d, ok := s.Every(); ok {
			return d.String()
		}
		return "cron"
	}
	for interval, want := range map[string]string{
		"5":         "5ms", // a number, not the cron field for Friday
		"1500.5":    "1.5s",
		"1e3":       "1s",
		"60000":     "1m0s",
		"@hourly":   "1h0m0s", // a distance beats cron
		"@weekly":   "168h0m0s",
		"@yearly":   "8760h0m0s",
		"@daily":    "cron",
		"@annually": "cron",
		"2 1":       "cron",
		"1 day":     "24h0m0s",
	} {
		s := mustParse(t, schedule.Spec{Interval: interval})
		if got := every(s); got != want || s.IsCron() != (want == "cron") || s.String() != interval {
			t.Errorf("%q: got %s (%v, %q), want %s", interval, got, s.IsCron(), s, want)
		}
	}
}

func TestNextRun(t *testing.T) {
	t.Parallel()
	now := instant(t, "2024-01-17T10:20:30.456Z")
	last := instant(t, "2024-01-17T10:00:00Z")
	stored := instant(t, "2024-01-17T10:05:00Z")
	for _, tt := range []struct {
		name string
		spec schedule.Spec
		last time.Time
		want string
	}{
		{"distance, never ran: at once", schedule.Spec{Interval: "5 minutes"}, time.Time{}, "10:20:30.456"},
		{"distance, ran: from the last run", schedule.Spec{Interval: "5 minutes"}, last, "10:05:00.000"},
		{"cron, never ran: from now", schedule.Spec{Interval: "*/5 * * * *"}, time.Time{}, "10:25:00.000"},
		{"cron, ran: from the last run", schedule.Spec{Interval: "*/5 * * * *"}, last, "10:05:00.000"},
		{"phrase: from now", schedule.Spec{RepeatAt: "11:30"}, last, "11:30:00.456"},
		{"interval beats phrase", schedule.Spec{Interval: "1 hour", RepeatAt: "11:30"}, last, "11:00:00.000"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, ok := mustParse(t, tt.spec).NextRun(tt.last, stored, now)
			if shown := got.Format("15:04:05.000"); !ok || shown != tt.want {
				t.Errorf("got %s, %v; want %s", shown, ok, tt.want)
			}
		})
	}
}

func TestDateConstraints(t *testing.T) {
	t.Parallel()
	weekend := []time.Weekday{time.Saturday, time.Sunday, time.Saturday}
	everyDay := []time.Weekday{0, 1, 2, 3, 4, 5, 6}
	for _, tt := range []struct {
		name, from string
		spec       schedule.Spec
		want       []string
	}{
		{
			"before the start: exactly the start, then ticks", "2024-01-17T10:00:00Z",
			schedule.Spec{Interval: "0 9 * * *", Start: instant(t, "2024-02-01T12:34:56Z")},
			[]string{"02-01 12:34:56 +00:00", "02-02 09:00:00 +00:00"},
		},
		{
			"end is inclusive", "2024-01-17T10:00:00Z",
			schedule.Spec{Interval: "0 9 * * *", End: instant(t, "2024-01-19T09:00:00Z")},
			[]string{"01-18 09:00:00 +00:00", "01-19 09:00:00 +00:00"},
		},
		{
			"skipped days are left by whole days", "2024-01-19T09:00:00Z",
			schedule.Spec{Interval: "0 9 * * *", SkipDays: weekend},
			[]string{"01-22 09:00:00 +00:00", "01-23 09:00:00 +00:00"},
		},
		{
			"skipped days are those of the zone", "2024-01-19T12:00:00Z",
			schedule.Spec{Interval: "0 23 * * *", Timezone: "America/New_York", SkipDays: weekend},
			[]string{"01-19 23:00:00 -05:00", "01-22 23:00:00 -05:00"},
		},
		{
			"the time of day survives a clock change", "2024-03-08T07:30:00Z",
			schedule.Spec{Interval: "30 2 * * *", Timezone: "America/New_York", SkipDays: weekend},
			[]string{"03-11 02:30:00 -04:00", "03-12 02:30:00 -04:00"},
		},
		{
			"a distance leaves skipped days too", "2024-01-19T09:00:00Z",
			schedule.Spec{Interval: "1 day", SkipDays: weekend},
			[]string{"01-22 09:00:00 +00:00", "01-23 09:00:00 +00:00"},
		},
		{
			"moved past the end: never", "2024-01-19T09:00:00Z",
			schedule.Spec{Interval: "0 9 * * *", SkipDays: weekend, End: instant(t, "2024-01-21T00:00:00Z")},
			nil,
		},
		{
			"all days skipped: never", "2024-01-19T09:00:00Z",
			schedule.Spec{Interval: "0 9 * * *", SkipDays: everyDay},
			nil,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := mustParse(t, tt.spec)
			got := clocks(s.NextN(instant(t, tt.from), 2), s.Location())
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestZones(t *testing.T) {
	t.Parallel()
	winter := time.Date(2024, 1, 15, 0, 0, 0, 0, time.UTC)
	for name, want := range map[string]string{
		"UTC": "+00:00", "gmt": "+00:00", "UTC+7": "+07:00", "utc-03:30": "-03:30", "UTC+14": "+14:00",
		"Asia/Ho_Chi_Minh": "+07:00", "asia/ho_chi_minh": "+07:00", "AMERICA/NEW_YORK": "-05:00",
		"africa/dar_es_salaam": "+03:00", "america/port-au-prince": "-05:00", "Etc/GMT+5": "-05:00",
	} {
		if got := winter.In(mustZone(t, name)).Format("-07:00"); got != want {
			t.Errorf("%s: got %s, want %s", name, got, want)
		}
	}
	for _, name := range []string{"", "Local", "system", "Mars/Phobos", "UTC+", "UTC+15", "UTC+7:5", "UTC+1:75", "UTC7", "../UTC", "+07:00"} {
		_, err := schedule.ParseZone(name)
		var syntax *schedule.SyntaxError
		if !errors.As(err, &syntax) || syntax.Field != "repeatTimezone" {
			t.Errorf("%q: got %v, want a SyntaxError", name, err)
		}
	}
	if _, err := schedule.Parse(schedule.Spec{Interval: "0 9 * * *", Timezone: "Mars/Phobos"}, nil); err == nil {
		t.Error("an unknown zone of a spec is accepted")
	}
	hanoi := mustZone(t, "Asia/Ho_Chi_Minh")
	if s, err := schedule.Parse(schedule.Spec{Interval: "0 9 * * *"}, hanoi); err != nil || s.Location() != hanoi {
		t.Errorf("the default zone is not used: %v", err)
	}
}
