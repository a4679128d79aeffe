package push

import (
	"testing"
	"time"
)

func TestRetryAfter(t *testing.T) {
	t.Parallel()
	now := time.Date(2025, 8, 4, 9, 0, 0, 0, time.UTC)
	for header, want := range map[string]time.Duration{
		"": 0, "7": 7 * time.Second, " 7 ": 7 * time.Second, "-3": 0, "soon": 0, "1.5": 0, "99999999999999999999": 0,
		"Mon, 04 Aug 2025 09:01:30 GMT": 90 * time.Second, "Mon, 04 Aug 2025 08:00:00 GMT": 0,
	} {
		if got := retryAfter(header, now); got != want {
			t.Errorf("Retry-After %q is %s, want %s", header, got, want)
		}
	}
}

func FuzzRetryAfter(f *testing.F) {
	f.Add("7")
	f.Add("Mon, 04 Aug 2025 09:01:30 GMT")
	f.Fuzz(func(t *testing.T, header string) {
		if d := retryAfter(header, time.Now()); d < 0 {
			t.Errorf("Retry-After %q is %s", header, d)
		}
	})
}
