package schedule_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/etrainer/backend/pkg/schedule"
)

// setting is the moment at which the "when" differences are said.
type setting struct{ now, zone, want string }

// rightWhen are the listed phrases that are read rightly instead of refused.
var rightWhen = map[string]setting{
	"1706778000000":          {"2024-01-17T10:20:30.456Z", "UTC", "2024-02-01T09:00:00Z"},
	"Wednesday at 9am":       {"2024-01-17T10:20:30.456Z", "UTC", "2024-01-24T09:00:00.456Z"},
	"5 Minutes Ago":          {"2024-01-17T10:20:30.456Z", "UTC", "2024-01-17T10:15:30.456Z"},
	"12th of october at 9pm": {"2024-01-17T10:20:30.456Z", "UTC", "2024-10-12T21:00:00.456Z"},
	"10th november":          {"2024-08-31T10:00:00Z", "UTC", "2024-11-10T10:00:00Z"},
	"9am":                    {"2024-03-09T16:00:00Z", "America/New_York", "2024-03-10T13:00:00Z"},
	"tomorrow at 9am":        {"2024-03-10T04:30:00Z", "America/New_York", "2024-03-10T13:00:00Z"},
}

// rightZones are the first ticks in the zones whose clock changes Agenda gets
// wrong.
var rightZones = map[string]struct{ expr, from, want string }{
	"":                    {"0 2 * * *", "2024-10-05T00:00:00Z", "2024-10-05T02:00:00Z"},
	"Australia/Lord_Howe": {"0 2 * * *", "2024-10-05T00:00:00Z", "2024-10-05T15:30:00Z"},
	"Pacific/Chatham":     {"50 2 * * *", "2024-09-28T10:00:00Z", "2024-09-28T14:05:00Z"},
	"America/Nuuk":        {"30 23 * * *", "2024-03-30T12:00:00Z", "2024-03-31T01:30:00Z"},
	"Antarctica/Troll":    {"0 2 * * 0", "2024-10-27T00:00:00Z", "2024-11-03T02:00:00Z"},
	"America/New_York":    {"30 1 * * *", "2024-11-03T06:05:00Z", "2024-11-04T06:30:00Z"},
	"America/Havana":      {"30 0 * * *", "2024-11-02T12:00:00Z", "2024-11-03T04:30:00Z"},
}

// Every line of the table must say what the code does.
func TestDifferencesHold(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, d := range schedule.Differences {
		if key := d.Field + " " + d.Input; seen[key] {
			t.Errorf("%s is listed twice", key)
		} else {
			seen[key] = true
		}
		if d.Agenda == "" || d.Here == "" || d.Reason == "" {
			t.Errorf("%s %q has an empty column", d.Field, d.Input)
		}
		t.Run(d.Field+" "+d.Input, func(t *testing.T) {
			t.Parallel()
			if d.Here == schedule.Refused {
				checkRefused(t, d)
			} else {
				checkReadRightly(t, d)
			}
		})
	}
}

// refusalOf is how the text of a difference is refused; nil = it is read.
func refusalOf(d schedule.Difference) (err error) {
	switch d.Field {
	case "repeatInterval":
		_, err = schedule.Parse(schedule.Spec{Interval: d.Input}, nil)
	case "repeatAt":
		_, err = schedule.Parse(schedule.Spec{RepeatAt: d.Input}, nil)
	case "repeatTimezone":
		_, err = schedule.ParseZone(d.Input)
	case "processEvery":
		_, err = schedule.ParseInterval(d.Input)
	case "when":
		_, err = schedule.ParseWhen(d.Input, tableNow, nil)
	}
	return err
}

func checkRefused(t *testing.T, d schedule.Difference) {
	t.Helper()
	if _, ok := errors.AsType[*schedule.SyntaxError](refusalOf(d)); !ok {
		t.Errorf("got %v, want a SyntaxError", refusalOf(d))
	}
}

func checkReadRightly(t *testing.T, d schedule.Difference) {
	t.Helper()
	switch d.Field {
	case "when":
		at, ok := rightWhen[d.Input]
		if !ok {
			t.Fatal("no example")
		}
		got, err := schedule.ParseWhen(d.Input, instant(t, at.now), mustZone(t, at.zone))
		if err != nil || !got.Equal(instant(t, at.want)) {
			t.Errorf("got %v, %v; want %s", got, err, at.want)
		}
	case "repeatTimezone":
		at, ok := rightZones[d.Input]
		if !ok {
			t.Fatal("no example")
		}
		s := mustParse(t, schedule.Spec{Interval: at.expr, Timezone: d.Input})
		if got, _ := s.Next(instant(t, at.from)); !got.Equal(instant(t, at.want)) {
			t.Errorf("got %v, want %s", got.UTC(), at.want)
		}
	case "processEvery":
		got, err := schedule.ParseInterval(d.Input)
		if err != nil || fmt.Sprintf("every %d ms", got.Milliseconds()) != d.Here {
			t.Errorf("got %v, %v", got, err)
		}
	case "repeatAt", "skipDays":
		// TestRepeatAt, TestDateConstraints and the golden rows have these.
	default:
		t.Fatalf("unknown field %s", d.Field)
	}
}

func TestRepeatAt(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ text, after, zone, want string }{
		{"9am", "2024-01-17T08:59:59.999Z", "UTC", "2024-01-17T09:00:00.999Z"},
		{"9am", "2024-01-17T09:00:00Z", "UTC", "2024-01-18T09:00:00Z"},
		{"9am", "2024-01-17T09:00:30.456Z", "UTC", "2024-01-18T09:00:00.456Z"}, // not the same moment again
		{"3:30pm", "2024-01-17T10:20:30Z", "Asia/Tokyo", "2024-01-18T06:30:00Z"},
		{"2:30am", "2024-03-09T12:00:00Z", "America/New_York", "2024-03-10T07:30:00Z"}, // skipped: 03:30
		{"monday at 9am", "2024-01-15T09:00:00Z", "UTC", "2024-01-22T09:00:00Z"},
		{"wednesday", "2024-01-17T10:00:00Z", "UTC", "2024-01-24T10:00:00Z"},
		{"tomorrow at 9am", "2024-01-17T10:00:00Z", "UTC", "2024-01-18T09:00:00Z"},
		{"5 minutes", "2024-01-17T10:00:00Z", "UTC", "2024-01-17T10:05:00Z"},
		{"next month", "2024-01-17T10:00:00Z", "UTC", "2024-02-17T10:00:00Z"},
	} {
		after := instant(t, tt.after)
		s := mustParse(t, schedule.Spec{RepeatAt: tt.text, Timezone: tt.zone})
		got, ok := s.Next(after)
		if !ok || !got.Equal(instant(t, tt.want)) || !got.After(after) {
			t.Errorf("%q after %s in %s: got %v, %v; want %s", tt.text, tt.after, tt.zone, got, ok, tt.want)
		}
	}
	for _, text := range []string{" ", "yesterday", "an hour ago", "0 minutes", "2024-02-01", "this evening", "mon at 9am"} {
		var syntax *schedule.SyntaxError
		if _, err := schedule.Parse(schedule.Spec{RepeatAt: text}, time.UTC); !errors.As(err, &syntax) || syntax.Field != "repeatAt" {
			t.Errorf("%q: got %v, want a SyntaxError", text, err)
		}
	}
}
