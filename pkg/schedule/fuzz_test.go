package schedule_test

import (
	"errors"
	"strconv"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/etrainer/backend/pkg/schedule"
)

// allowedTime is far above what any text may cost, even under -race.
const allowedTime = 5 * time.Second

func seed(f *testing.F, texts ...string) {
	for _, text := range texts {
		f.Add(text)
	}
	for _, d := range schedule.Differences {
		f.Add(d.Input)
	}
}

// checkError accepts only typed refusals that name the text.
func checkError(t *testing.T, text string, err error) {
	t.Helper()
	var syntax *schedule.SyntaxError
	if !errors.As(err, &syntax) || syntax.Input != text || syntax.Reason == "" {
		t.Fatalf("%q: got %#v, want a SyntaxError", text, err)
	}
	if utf8.ValidString(text) && !utf8.ValidString(err.Error()) {
		t.Fatalf("%q: the message is not UTF-8", text)
	}
}

func FuzzCron(f *testing.F) {
	seed(f, "*/5 * * * *", "0 9 * * 1-5", "0 0 L,15 * 5L", "0 0 * * mon#2", "59 59 23 31 12 ?", "@daily", "1-999999999/1 * * * *")
	newYork, from := mustZone(f, "America/New_York"), time.Date(2024, 3, 9, 20, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, text string) {
		started := time.Now()
		s, err := schedule.Parse(schedule.Spec{Interval: text}, newYork)
		if err != nil {
			checkError(t, text, err)
			return
		}
		last := from
		for _, run := range s.NextN(from, 5) {
			if !run.After(last) {
				t.Fatalf("%q: %s follows %s", text, run, last)
			}
			last = run
		}
		again, err := schedule.Parse(schedule.Spec{Interval: s.String()}, newYork)
		if err != nil || again.Describe() != s.Describe() || s.Describe() == "" {
			t.Fatalf("%q: %q, read again %q, %v", text, s.Describe(), again, err)
		}
		if took := time.Since(started); took > allowedTime {
			t.Fatalf("%q took %s", text, took)
		}
	})
}

func FuzzInterval(f *testing.F) {
	seed(f, "5 minutes", "two hours and 30 minutes", "1.5 hours", "one point five weeks", "1e308 years", "twenty-five seconds", "5000", "and- 5 minutes", "1 day.hour", "5 minutes. ")
	f.Fuzz(func(t *testing.T, text string) {
		d, err := schedule.ParseInterval(text)
		if err != nil {
			checkError(t, text, err)
			return
		}
		if d < time.Millisecond || d%time.Millisecond != 0 {
			t.Fatalf("%q: %s", text, d)
		}
		again, err := schedule.ParseInterval(strconv.FormatInt(d.Milliseconds(), 10))
		if err != nil || again != d {
			t.Fatalf("%q is %s, and in milliseconds %s, %v", text, d, again, err)
		}
	})
}

func FuzzWhen(f *testing.F) {
	seed(f, "now", "in 5 minutes", "next monday at 9am", "15th of march at 5pm", "2024-02-01T09:00:00.5+07:00",
		"1706778000000", "999999999 weeks", "2 days from tomorrow at noon", "Thu, 01 Feb 2024 09:00:00 GMT")
	zone := mustZone(f, "Europe/Berlin")
	f.Fuzz(func(t *testing.T, text string) {
		started := time.Now()
		at, err := schedule.ParseWhen(text, tableNow, zone)
		if err != nil {
			checkError(t, text, err)
		} else {
			written := at.UTC().Format("2006-01-02T15:04:05.000Z")
			again, err := schedule.ParseWhen(written, tableNow, zone)
			if err != nil || !again.Equal(at) {
				t.Fatalf("%q is %s, read again %s, %v", text, written, again, err)
			}
		}
		if s, err := schedule.Parse(schedule.Spec{RepeatAt: text}, zone); err == nil {
			if next, ok := s.Next(tableNow); ok && !next.After(tableNow) {
				t.Fatalf("%q repeats at %s", text, next)
			}
		}
		if took := time.Since(started); took > allowedTime {
			t.Fatalf("%q took %s", text, took)
		}
	})
}

// FuzzStored: whatever a document holds, its job does not loop, and only what
// Parse refuses is a problem.
func FuzzStored(f *testing.F) {
	for _, d := range schedule.Differences {
		f.Add(d.Input, "", d.Input, int64(0), int64(0), uint8(0))
	}
	f.Add("H H * * *", "", "UTC+25", int64(1<<62), int64(-1<<62), uint8(127))
	f.Add("", "15th of march at 5pm", "Mars/Base", int64(253402300799999), int64(0), uint8(3))
	f.Add("0 0 * * 0,7", "9am", "local", int64(0), int64(8.64e15), uint8(64))
	berlin := mustZone(f, "Europe/Berlin")
	f.Fuzz(func(t *testing.T, interval, at, zone string, start, end int64, skip uint8) {
		spec := schedule.Spec{Interval: interval, RepeatAt: at, Timezone: zone}
		if start != 0 {
			spec.Start = time.UnixMilli(start)
		}
		if end != 0 {
			spec.End = time.UnixMilli(end)
		}
		for day := range time.Weekday(7) {
			if skip>>day&1 == 1 {
				spec.SkipDays = append(spec.SkipDays, day)
			}
		}
		started := time.Now()
		s, problem := schedule.ParseStored(spec, berlin)
		if _, refused := schedule.Parse(spec, berlin); (refused == nil) != (problem == nil) {
			t.Fatalf("%+v: the problem is %v, and Parse says %v", spec, problem, refused)
		}
		if s == nil {
			if problem == nil {
				t.Fatalf("%+v: neither a schedule nor a problem", spec)
			}
			return
		}
		last := tableNow
		for range 3 {
			next, ok := s.NextRun(last, time.Time{}, last)
			if !ok {
				break
			}
			if !next.After(last) {
				t.Fatalf("%+v: %s follows %s", spec, next, last)
			}
			last = next
		}
		if s.Describe() == "" {
			t.Fatalf("%+v is not described", spec)
		}
		if took := time.Since(started); took > allowedTime {
			t.Fatalf("%+v took %s", spec, took)
		}
	})
}
