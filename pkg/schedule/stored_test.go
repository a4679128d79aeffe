package schedule_test

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/etrainer/backend/pkg/schedule"
)

// longest is what a time.Duration holds, in milliseconds.
const longest = math.MaxInt64 / int64(time.Millisecond)

// TestCorpusStored: a document goes on at the rhythm that Agenda 6.2.6 has for
// it, or else Agenda 5, whatever its texts are; and only what Parse refuses has
// a problem.
func TestCorpusStored(t *testing.T) {
	t.Parallel()
	var rows [][5]any
	readGolden(t, "stored.json", &rows)
	kept, ended := 0, 0
	for _, row := range rows {
		spec := schedule.Spec{Interval: row[0].(string)}
		spec.Timezone, _ = row[1].(string)
		last := int64(row[2].(float64))
		want := rhythm(last, row[3], row[4])
		s, problem := schedule.ParseStored(spec, time.UTC)
		_, refused := schedule.Parse(spec, time.UTC)
		if (problem == nil) != (refused == nil) {
			t.Errorf("%q in %q: the problem is %v; Parse says %v", spec.Interval, spec.Timezone, problem, refused)
		}
		if refused == nil {
			continue // the other corpora have these
		}
		var got int64
		if s != nil {
			if next, ok := s.NextRun(time.UnixMilli(last), time.Time{}, time.UnixMilli(last)); ok {
				got = next.UnixMilli()
			}
		}
		if got != want {
			t.Errorf("%q in %q: the next run is %d ms after the last, want %d (6.2.6: %.0f, 5.0.0: %.0f; %v)",
				spec.Interval, spec.Timezone, got-last, want-last, row[3], row[4], problem)
		}
		if want > 0 {
			kept++
		} else {
			ended++
		}
	}
	if kept < 200 || ended < 100 {
		t.Errorf("only %d rows that go on, and %d that end", kept, ended)
	}
}

// rhythm is the next run of a stored document; 0 = none.
func rhythm(last int64, six, five any) int64 {
	next, ok := six.(float64)
	if !ok {
		next, ok = five.(float64)
	}
	if !ok || int64(next) <= last {
		return 0
	}
	return min(int64(next), last+longest)
}

// TestParseStored: what a problem says, and where the rhythm of Agenda is kept.
func TestParseStored(t *testing.T) {
	t.Parallel()
	last, now := instant(t, "2024-01-17T10:00:00Z"), instant(t, "2024-01-17T10:00:01Z")
	berlin := mustZone(t, "Europe/Berlin")
	for _, tt := range []struct {
		name string
		spec schedule.Spec
		want string   // the next run; "" = none
		says []string // of the problem; none = there is no problem
	}{
		{"sound", schedule.Spec{Interval: "5 minutes"}, "2024-01-17T10:05:00Z", nil},
		{
			"a text that Agenda misreads",
			schedule.Spec{Interval: "two and a half hours"},
			"2024-01-17T12:00:00Z",
			[]string{`repeatInterval "two and a half hours"`, "the job goes on as Agenda reads it, every 2 hours"},
		},
		{"an endless loop in Agenda", schedule.Spec{Interval: "every 5 minutes"}, "", []string{"before a unit", "the job has no next run"}},
		{"backwards", schedule.Spec{Interval: "-2 minutes"}, "", []string{"endless loop", "no next run"}},
		{"nonsense", schedule.Spec{Interval: "now and then"}, "", []string{"has no unit of time", "no next run"}},
		{"infinite", schedule.Spec{Interval: "+Inf"}, "", []string{"no next run"}},
		{"for ever", schedule.Spec{Interval: "300 years"}, "2316-04-28T09:47:16.854Z", []string{"longer than 292 years", "goes on"}},
		{"a cron list of Agenda 5", schedule.Spec{Interval: "0 12 * * 0,7"}, "2024-01-21T11:00:00Z", []string{"twice", "every Sunday at 12:00"}},
		{
			"an unknown zone and a distance",
			schedule.Spec{Interval: "5 minutes", Timezone: "Mars/Base"},
			"2024-01-17T10:05:00Z",
			[]string{`repeatTimezone "Mars/Base"`, "goes on as Agenda reads it, every 5 minutes"},
		},
		{"an unknown zone and a clock", schedule.Spec{Interval: "0 12 * * *", Timezone: "Mars/Base"}, "", []string{`"Mars/Base"`, "no next run"}},
		{"the zone of the process", schedule.Spec{Interval: "0 12 * * *", Timezone: "local"}, "2024-01-17T11:00:00Z", []string{`"local"`, "in Europe/Berlin"}},
		{"beyond all zones", schedule.Spec{Interval: "0 12 * * 4", Timezone: "UTC+25"}, "2024-01-17T11:00:00Z", []string{`"UTC+25"`, "in UTC+25"}},
		{"repeatAt of the zone that is stored", schedule.Spec{RepeatAt: "9pm", Timezone: "UTC+3"}, "2024-01-17T18:00:00Z", nil},
		{"repeatAt in an unknown zone", schedule.Spec{RepeatAt: "9pm", Timezone: "Mars/Base"}, "2024-01-17T20:00:00Z", []string{`"Mars/Base"`, "goes on"}},
		{"repeatAt of one day ahead", schedule.Spec{RepeatAt: "15th of march at 5pm"}, "2024-03-15T16:00:00Z", []string{"a single time", "goes on"}},
		{"repeatAt of one day that is over", schedule.Spec{RepeatAt: "1st of january"}, "", []string{"a single time"}},
		{"repeatAt that is no time", schedule.Spec{RepeatAt: "foo"}, "", []string{`repeatAt "foo"`, "no next run"}},
		{"repeatAt now", schedule.Spec{RepeatAt: "now"}, "", []string{"no next run"}},
		{"the bounds hold", schedule.Spec{Interval: "100 milliseconds", End: last}, "", []string{"goes on"}},
		{"the days to skip hold", schedule.Spec{Interval: "1 weekday", SkipDays: []time.Weekday{time.Thursday}}, "2024-01-26T10:00:00Z", []string{"goes on"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s, problem := schedule.ParseStored(tt.spec, berlin)
			if (problem == nil) != (tt.says == nil) {
				t.Fatalf("the problem is %v", problem)
			}
			for _, words := range tt.says {
				if !strings.Contains(problem.Error(), words) {
					t.Errorf("the problem is %q; it does not say %q", problem, words)
				}
			}
			got := ""
			if s != nil {
				if next, ok := s.NextRun(last, time.Time{}, now); ok {
					got = next.UTC().Format(time.RFC3339Nano)
				}
			}
			if got != tt.want {
				t.Errorf("the next run is %q, want %q", got, tt.want)
			}
		})
	}
}

// TestHashedFields: each H is drawn once, within what Agenda could draw.
func TestHashedFields(t *testing.T) {
	t.Parallel()
	from := instant(t, "2024-01-17T10:20:30.456Z")
	for expr, distance := range map[string]time.Duration{
		"H * * * *":             time.Hour,
		"H H * * *":             24 * time.Hour,
		"H H * * H":             7 * 24 * time.Hour,
		"H/15 * * * *":          15 * time.Minute,
		"H(0-9) H(1-3) * * *":   24 * time.Hour,
		"H(0-29)/10 0-23 * * *": 10 * time.Minute,
	} {
		s, problem := schedule.ParseStored(schedule.Spec{Interval: expr}, nil)
		if s == nil || problem == nil {
			t.Fatalf("%q: %v, %v", expr, s, problem)
		}
		ticks := s.NextN(from, 3)
		if len(ticks) != 3 || ticks[1].Sub(ticks[0]) != distance && ticks[2].Sub(ticks[1]) != distance {
			t.Errorf("%q runs at %v, want every %s", expr, ticks, distance)
		}
		again, _ := schedule.ParseStored(schedule.Spec{Interval: expr}, nil)
		if !again.NextN(from, 1)[0].Equal(ticks[0]) {
			t.Errorf("%q is drawn anew", expr)
		}
	}
	for _, expr := range []string{"H(9-1) * * * *", "H/0 * * * *", "H(70-80) * * * *", "H5 * * * *"} {
		if s, problem := schedule.ParseStored(schedule.Spec{Interval: expr}, nil); s != nil || problem == nil {
			t.Errorf("%q runs: %v, %v", expr, s, problem)
		}
	}
}
