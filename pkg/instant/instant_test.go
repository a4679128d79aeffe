package instant_test

import (
	"testing"
	"time"

	"github.com/etrainer/backend/pkg/instant"
)

func TestText(t *testing.T) {
	t.Parallel()
	tests := map[string]time.Time{
		"2025-08-04T02:05:00.000Z": time.Date(2025, 8, 4, 9, 5, 0, 0, time.FixedZone("", 7*3600)),
		"2025-12-31T23:59:59.999Z": time.Date(2025, 12, 31, 23, 59, 59, 999_999_999, time.UTC),
		"1970-01-01T00:00:00.070Z": time.UnixMilli(70),
		"1969-12-31T23:59:59.999Z": time.UnixMilli(-1),
		"0001-01-01T00:00:00.000Z": {},
	}
	for want, at := range tests {
		if got := instant.Text(at); got != want {
			t.Errorf("Text(%v) = %s, want %s", at, got, want)
		}
		if got := string(instant.Append([]byte("at "), at)); got != "at "+want {
			t.Errorf("Append(%v) = %s", at, got)
		}
	}
}

func FuzzText(f *testing.F) {
	f.Add(int64(0))
	f.Add(int64(-1))
	f.Add(int64(253402300799999)) // the last of the year 9999
	f.Fuzz(func(t *testing.T, ms int64) {
		at := time.UnixMilli(ms)
		if year := at.UTC().Year(); year < 0 || year > 9999 {
			t.Skip("not a year of four digits")
		}
		if got, want := instant.Text(at), at.UTC().Format("2006-01-02T15:04:05.000Z"); got != want {
			t.Errorf("Text(%d) = %s, want %s", ms, got, want)
		}
	})
}

func BenchmarkText(b *testing.B) {
	now := time.Now()
	for b.Loop() {
		_ = instant.Text(now)
	}
}
