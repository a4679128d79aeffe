package examcleanup

import (
	"testing"
	"time"
)

func TestCutoff(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		at     string
		months int
		want   string
	}{
		{"2025-08-31T02:00:00+07:00", 6, "2025-02-28T02:00:00+07:00"},
		{"2024-08-31T02:00:00+07:00", 6, "2024-02-29T02:00:00+07:00"},
		{"2025-05-31T02:00:00+07:00", 3, "2025-02-28T02:00:00+07:00"},
		{"2025-07-15T02:00:00+07:00", 6, "2025-01-15T02:00:00+07:00"},
		{"2025-03-30T02:00:00+07:00", 6, "2024-09-30T02:00:00+07:00"},
		{"2025-12-31T02:00:00+07:00", 25, "2023-11-30T02:00:00+07:00"},
	} {
		at, err := time.Parse(time.RFC3339, c.at)
		if err != nil {
			t.Fatal(err)
		}
		if got := cutoff(at, c.months).Format(time.RFC3339); got != c.want {
			t.Errorf("%d months before %s is %s, want %s", c.months, c.at, got, c.want)
		}
	}
}
