package schedule_test

import (
	"testing"
	"time"

	"github.com/etrainer/backend/pkg/schedule"
)

func TestShortestGap(t *testing.T) {
	t.Parallel()
	for interval, want := range map[string]time.Duration{
		"0,15,30,45,50 * * * * *": 5 * time.Second,
		"* * * * * *":             time.Second,
		"*/10 * * * * *":          10 * time.Second,
		"0,55 * * * * *":          5 * time.Second, // over the end of a minute
		"0,55 */2 * * * *":        55 * time.Second,
		"0,55 0,59 * * * *":       5 * time.Second, // over the end of an hour
		"0,55 0,59 23,0 * * *":    5 * time.Second, // over midnight
		"0,55 0,59 1,3 * * *":     55 * time.Second,
		"0,5 0 0 1 1 *":           5 * time.Second, // once a year
		"* * * * *":               time.Minute,
		"0 0 * * *":               time.Minute,
		"9 seconds":               9 * time.Second,
		"2 hours":                 time.Minute,
	} {
		parsed, err := schedule.Parse(schedule.Spec{Interval: interval}, nil)
		if err != nil {
			t.Fatal(err)
		}
		if got := parsed.ShortestGap(); got != want {
			t.Errorf("%q: %s, want %s", interval, got, want)
		}
	}
	at, err := schedule.Parse(schedule.Spec{RepeatAt: "3:30pm"}, nil)
	if err != nil || at.ShortestGap() != time.Minute {
		t.Errorf("a time of day: %v, %v", at.ShortestGap(), err)
	}
}
