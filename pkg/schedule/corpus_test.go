package schedule_test

import (
	"slices"
	"testing"
	"time"

	"github.com/etrainer/backend/pkg/schedule"
)

// The corpora of testdata/gen: far more rows than the hand-made tables, so they
// run without a subtest each.

func TestCorpusCron(t *testing.T) {
	t.Parallel()
	var rows [][4]any
	readGolden(t, "cron.json", &rows)
	inSecondShowing := 0
	for _, row := range rows {
		expr, zone := row[0].(string), row[1].(string)
		from := time.UnixMilli(int64(row[2].(float64)))
		var got []int64
		s, err := schedule.Parse(schedule.Spec{Interval: expr, Timezone: zone}, nil)
		if err == nil {
			for _, tick := range s.NextN(from, 3) {
				got = append(got, tick.Unix())
			}
		}
		var want []int64
		for _, tick := range row[3].([]any) {
			want = append(want, int64(tick.(float64)))
		}
		if (len(want) > 0) == (err == nil) && slices.Equal(got, want) {
			continue
		}
		if err != nil {
			t.Errorf("%q in %s: %v; cron-parser has %d", expr, zone, err, want)
			continue
		}
		// A start within the second showing of an hour does not repeat it here.
		kept := slices.DeleteFunc(slices.Clone(want), func(tick int64) bool { return shownBefore(time.Unix(tick, 0), s.Location()) })
		if shownBefore(from, s.Location()) && len(kept) > 0 && len(got) == 3 && slices.Equal(kept, got[:len(kept)]) {
			inSecondShowing++
			continue
		}
		t.Errorf("%q in %s from %s: got %v; cron-parser has %d", expr, zone, from.UTC().Format(time.RFC3339Nano), got, want)
	}
	if inSecondShowing == 0 {
		t.Error("no row starts within an hour that is shown twice")
	}
}

// shownBefore reports whether the clocks of a zone showed the time of an instant
// already, before they were put back.
func shownBefore(at time.Time, loc *time.Location) bool {
	const clock = "2006-01-02 15:04:05"
	for _, back := range []time.Duration{30 * time.Minute, time.Hour, 2 * time.Hour} {
		if at.Add(-back).In(loc).Format(clock) == at.In(loc).Format(clock) {
			return true
		}
	}
	return false
}

func TestCorpusInterval(t *testing.T) {
	t.Parallel()
	var rows [][3]any
	readGolden(t, "interval.json", &rows)
	const longest = 292 * 365 * 24 * 3600e3 // what a time.Duration holds, in ms
	accepted := 0
	for _, row := range rows {
		input, wellFormed := row[0].(string), row[2].(float64) == 1
		want, _ := row[1].(float64)
		d, err := schedule.ParseInterval(input)
		if err == nil {
			accepted++
		}
		if err == nil && d.Milliseconds() != addedByAgenda(want) {
			t.Errorf("%q: got %v; human-interval has %v ms", input, d, row[1])
		}
		if err != nil && wellFormed && want < longest {
			t.Errorf("%q: %v; human-interval has %v ms", input, err, row[1])
		}
	}
	if accepted < len(rows)/3 {
		t.Errorf("only %d of %d texts are read", accepted, len(rows))
	}
}

// addedByAgenda is what an interval adds to a timestamp, which is a JavaScript
// number of milliseconds: the sum is rounded, then its fraction dropped.
func addedByAgenda(ms float64) int64 {
	const timestamp = 1.7e12
	return int64(timestamp+ms) - int64(timestamp)
}

func TestCorpusWhen(t *testing.T) {
	t.Parallel()
	var groups []struct {
		Zone string   `json:"zone"`
		Now  int64    `json:"now"`
		Rows [][3]any `json:"rows"`
	}
	readGolden(t, "when.json", &groups)
	accepted, all := 0, 0
	for _, group := range groups {
		zone, now := mustZone(t, group.Zone), time.UnixMilli(group.Now)
		for _, row := range group.Rows {
			all++
			input, wellFormed := row[0].(string), row[2].(float64) == 1
			got, err := schedule.ParseWhen(input, now, zone)
			if err != nil {
				if wellFormed {
					t.Errorf("%q at %s in %s: %v; Agenda has %v", input, now.UTC(), group.Zone, err, row[1])
				}
				continue
			}
			accepted++
			if want, ok := row[1].(float64); !ok || got.UnixMilli() != int64(want) {
				t.Errorf("%q at %s in %s: got %v; Agenda has %v", input, now.UTC(), group.Zone, got, row[1])
			}
		}
	}
	if accepted < all/3 {
		t.Errorf("only %d of %d texts are read", accepted, all)
	}
}
