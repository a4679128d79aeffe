package schedule_test

import (
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
		want := row[3].([]any)
		same := len(got) == len(want) && (len(want) > 0) == (err == nil)
		for i := 0; same && i < len(want); i++ {
			same = got[i] == int64(want[i].(float64))
		}
		if !same {
			t.Errorf("%q in %s from %s: got %v, %v; cron-parser has %.0f", expr, zone, from.UTC().Format(time.RFC3339Nano), got, err, want)
		}
	}
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
