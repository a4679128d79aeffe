package schedule_test

import (
	"testing"
	"time"

	"github.com/etrainer/backend/pkg/schedule"
)

func TestDescribe(t *testing.T) {
	t.Parallel()
	hanoi := mustZone(t, "Asia/Ho_Chi_Minh")
	for interval, want := range map[string]string{
		"0 9 * * *":         "every day at 09:00 in Asia/Ho_Chi_Minh",
		"30 0 9 * * *":      "every day at 09:00:30 in Asia/Ho_Chi_Minh",
		"0,30 9,17 * * *":   "every day at 09:00, 09:30, 17:00 and 17:30 in Asia/Ho_Chi_Minh",
		"* * * * * *":       "every second in Asia/Ho_Chi_Minh",
		"*/10 * * * * *":    "every 10 seconds in Asia/Ho_Chi_Minh",
		"*/10 0 * * * *":    "every 10 seconds, during minute 0 of every hour in Asia/Ho_Chi_Minh",
		"* * * * *":         "every minute in Asia/Ho_Chi_Minh",
		"*/5 * * * *":       "every 5 minutes in Asia/Ho_Chi_Minh",
		"*/25 * * * *":      "at minutes 0, 25 and 50 of every hour in Asia/Ho_Chi_Minh",
		"1-59 * * * *":      "at minutes 1 to 59 of every hour in Asia/Ho_Chi_Minh",
		"0 * * * *":         "every hour in Asia/Ho_Chi_Minh",
		"15 * * * *":        "at minute 15 of every hour in Asia/Ho_Chi_Minh",
		"0 */2 * * *":       "every 2 hours in Asia/Ho_Chi_Minh",
		"0 9-17 * * *":      "every hour between 09:00 and 17:59 in Asia/Ho_Chi_Minh",
		"*/15 9-17 * * 1-5": "every 15 minutes between 09:00 and 17:59, only on Monday to Friday in Asia/Ho_Chi_Minh",
		"* 9,11 * * *":      "every minute during hours 9 and 11 in Asia/Ho_Chi_Minh",
		"30 */2 * * *":      "at minute 30 of hours 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20 and 22 in Asia/Ho_Chi_Minh",
		"*/5 * 1 * *":       "every 5 minutes, only on day 1 of every month in Asia/Ho_Chi_Minh",
		"0 9 * * 1,5":       "every Monday and Friday at 09:00 in Asia/Ho_Chi_Minh",
		"0 9 * * 0,6":       "every Saturday and Sunday at 09:00 in Asia/Ho_Chi_Minh",
		"0 9 1,15 * *":      "on days 1 and 15 of every month at 09:00 in Asia/Ho_Chi_Minh",
		"0 9 L * *":         "on the last day of every month at 09:00 in Asia/Ho_Chi_Minh",
		"0 9 15,L * *":      "on day 15 and on the last day of every month at 09:00 in Asia/Ho_Chi_Minh",
		"0 9 * * 5L":        "on the last Friday of every month at 09:00 in Asia/Ho_Chi_Minh",
		"0 9 * * 1,5L":      "every Monday and on the last Friday of every month at 09:00 in Asia/Ho_Chi_Minh",
		"0 9 * * 1#2":       "on the second Monday of every month at 09:00 in Asia/Ho_Chi_Minh",
		"0 9 * * *#2":       "on days 8 to 14 of every month at 09:00 in Asia/Ho_Chi_Minh",
		"0 9 13 * 5":        "on day 13 of every month and every Friday at 09:00 in Asia/Ho_Chi_Minh",
		"0 9 1 jan,jul *":   "on day 1 of January and July at 09:00 in Asia/Ho_Chi_Minh",
		"0 9 * 1-3 *":       "every day of January to March at 09:00 in Asia/Ho_Chi_Minh",
		"0 9 * 1 1":         "every Monday of January at 09:00 in Asia/Ho_Chi_Minh",
		"0 9 */1 * 1":       "every day at 09:00 in Asia/Ho_Chi_Minh",
		"5 minutes":         "every 5 minutes",
		"1 hour":            "every hour",
		"90000":             "every 1 minute and 30 seconds",
		"@weekly":           "every 7 days",
		"1500.5":            "every 1 second and 500 milliseconds",
	} {
		s, err := schedule.Parse(schedule.Spec{Interval: interval}, hanoi)
		if err != nil {
			t.Errorf("%q: %v", interval, err)
			continue
		}
		if got := s.Describe(); got != want {
			t.Errorf("%q:\n got %s\nwant %s", interval, got, want)
		}
	}
}

func TestDescribeConstraintsAndPhrases(t *testing.T) {
	t.Parallel()
	start, end := time.UnixMilli(1706778000000), time.UnixMilli(1709283600000)
	for _, tt := range []struct {
		spec schedule.Spec
		want string
	}{
		{
			schedule.Spec{Interval: "1 day", Start: start, End: end, SkipDays: []time.Weekday{6, 0}},
			"every day, not before 2024-02-01T09:00:00.000Z, not after 2024-03-01T09:00:00.000Z, moved to the next day from Sunday and Saturday",
		},
		{schedule.Spec{RepeatAt: "monday at 9am"}, `repeating at "monday at 9am" in UTC`},
		{schedule.Spec{RepeatAt: "5 minutes"}, `repeating after "5 minutes"`},
	} {
		if got := mustParse(t, tt.spec).Describe(); got != tt.want {
			t.Errorf("got %s\nwant %s", got, tt.want)
		}
	}
}
