package studyreminders

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func at(t *testing.T, text string) time.Time {
	t.Helper()
	instant, err := time.Parse(time.RFC3339, text)
	if err != nil {
		t.Fatal(err)
	}
	return instant
}

func TestMomentsIn(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		zone, from, to string
		want           map[Moment]string
	}{
		"one minute":           {"Asia/Ho_Chi_Minh", "2025-08-04T02:04:00Z", "2025-08-04T02:05:00Z", map[Moment]string{{9, 5}: "2025-08-04"}},
		"none":                 {"Asia/Ho_Chi_Minh", "2025-08-04T02:05:00Z", "2025-08-04T02:05:00Z", map[Moment]string{}},
		"three missed minutes": {"Asia/Ho_Chi_Minh", "2025-08-04T02:04:00Z", "2025-08-04T02:07:00Z", map[Moment]string{{9, 5}: "2025-08-04", {9, 6}: "2025-08-04", {9, 7}: "2025-08-04"}},
		"over midnight":        {"Asia/Ho_Chi_Minh", "2025-08-03T16:58:00Z", "2025-08-03T17:01:00Z", map[Moment]string{{23, 59}: "2025-08-03", {0, 0}: "2025-08-04", {0, 1}: "2025-08-04"}},
		"an offset of 45 min":  {"Asia/Kathmandu", "2025-08-04T02:14:00Z", "2025-08-04T02:15:00Z", map[Moment]string{{8, 0}: "2025-08-04"}},
		"when summer ends":     {"Europe/Berlin", "2025-10-26T00:59:00Z", "2025-10-26T01:01:00Z", map[Moment]string{{2, 0}: "2025-10-26", {2, 1}: "2025-10-26"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			zone, err := time.LoadLocation(c.zone)
			if err != nil {
				t.Fatal(err)
			}
			got := map[Moment]string{}
			for m, date := range momentsIn(window{at(t, c.from), at(t, c.to)}, zone) {
				got[m] = date.Format(time.DateOnly)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("moments (-want +got):\n%s", diff)
			}
		})
	}
}

// Every minute of every local day comes at least once, in windows of one minute
// and of an hour, whatever the clock does.
func TestNoMinuteIsMissed(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ zone, from, to string }{
		{"Europe/Berlin", "2025-03-29T00:00:00Z", "2025-03-31T00:00:00Z"},
		{"America/Sao_Paulo", "2018-11-03T00:00:00Z", "2018-11-05T12:00:00Z"}, // has no midnight on the 4th
		{"Australia/Lord_Howe", "2025-10-04T00:00:00Z", "2025-10-06T00:00:00Z"},
	} {
		zone, err := time.LoadLocation(c.zone)
		if err != nil {
			t.Fatal(err)
		}
		for _, step := range []time.Duration{time.Minute, time.Hour} {
			seen := map[string]map[Moment]bool{}
			for from := at(t, c.from); from.Before(at(t, c.to)); from = from.Add(step) {
				for m, date := range momentsIn(window{from, from.Add(step)}, zone) {
					day := date.Format(time.DateOnly)
					if seen[day] == nil {
						seen[day] = map[Moment]bool{}
					}
					seen[day][m] = true
				}
			}
			full := 0
			for day, moments := range seen {
				whole := day != at(t, c.from).In(zone).Format(time.DateOnly) && day != at(t, c.to).In(zone).Format(time.DateOnly)
				if !whole {
					continue
				}
				full++
				if len(moments) != 24*60 {
					t.Errorf("%s, %s, by %s: %d of 1,440 minutes came", c.zone, day, step, len(moments))
				}
			}
			if full == 0 {
				t.Errorf("%s: no whole day was seen", c.zone)
			}
		}
	}
}
