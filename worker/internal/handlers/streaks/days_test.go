package streaks

import (
	"testing"
	"time"
	_ "time/tzdata"
)

func TestStreak(t *testing.T) {
	t.Parallel()
	const today = Day(100)
	for name, c := range map[string]struct {
		days           []Day
		count, longest int
	}{
		"nothing":                    {nil, 0, 0},
		"today only":                 {[]Day{100}, 1, 1},
		"yesterday only":             {[]Day{99}, 1, 1},
		"the day before yesterday":   {[]Day{98}, 0, 1},
		"up to today":                {[]Day{98, 99, 100}, 3, 3},
		"up to yesterday":            {[]Day{97, 98, 99}, 3, 3},
		"a gap":                      {[]Day{90, 91, 92, 93, 99, 100}, 2, 4},
		"ended long ago":             {[]Day{10, 11, 12}, 0, 3},
		"before 1970, and across it": {[]Day{-2, -1, 0, 1}, 0, 4},
	} {
		d := days{}
		for _, day := range c.days {
			d[day] = struct{}{}
		}
		if count, longest, _ := d.streak(today); count != c.count || longest != c.longest {
			t.Errorf("%s: %d, longest %d; want %d, %d", name, count, longest, c.count, c.longest)
		}
	}
}

// TestDaysAcrossClockChanges: days of 23 and 25 hours follow each other.
func TestDaysAcrossClockChanges(t *testing.T) {
	t.Parallel()
	zone, err := time.LoadLocation("America/New_York")
	if err != nil {
		t.Fatal(err)
	}
	for _, month := range []struct {
		year int
		m    time.Month
		day  int
	}{{2025, 3, 9}, {2025, 11, 2}} {
		first := DayOf(time.Date(month.year, month.m, month.day-1, 23, 59, 0, 0, zone), zone)
		for i, hour := range []int{0, 1, 3, 23} {
			if got := DayOf(time.Date(month.year, month.m, month.day, hour, 30, 0, 0, zone), zone); got != first+1 {
				t.Errorf("case %d of %v is day %d, want %d", i, month, got, first+1)
			}
		}
		if got := DayOf(time.Date(month.year, month.m, month.day+1, 0, 0, 0, 0, zone), zone); got != first+2 {
			t.Errorf("the day after %v is %d, want %d", month, got, first+2)
		}
	}
	if got := DayOf(time.Date(2025, 8, 4, 17, 0, 0, 0, time.UTC), time.FixedZone("", 7*3600)).String(); got != "2025-08-05" {
		t.Errorf("17:00 UTC is %s in Viet Nam", got)
	}
}
