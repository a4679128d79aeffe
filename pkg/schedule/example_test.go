package schedule_test

import (
	"fmt"
	"time"

	"github.com/etrainer/backend/pkg/schedule"
)

func Example() {
	hanoi, err := schedule.ParseZone("Asia/Ho_Chi_Minh")
	if err != nil {
		fmt.Println(err)
		return
	}
	weekdays, err := schedule.Parse(schedule.Spec{Interval: "0 9 * * mon-fri"}, hanoi)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(weekdays.Describe())
	friday := time.Date(2024, 1, 19, 12, 0, 0, 0, hanoi)
	for _, run := range weekdays.NextN(friday, 2) {
		fmt.Println(run.Format(time.RFC1123Z))
	}
	// Output:
	// every Monday to Friday at 09:00 in Asia/Ho_Chi_Minh
	// Mon, 22 Jan 2024 09:00:00 +0700
	// Tue, 23 Jan 2024 09:00:00 +0700
}

func ExampleParseWhen() {
	now := time.Date(2024, 1, 17, 10, 20, 30, 0, time.UTC)
	for _, text := range []string{"in 5 minutes", "tomorrow at 9am", "tomorrow at 5"} {
		at, err := schedule.ParseWhen(text, now, time.UTC)
		if err != nil {
			fmt.Println(err)
			continue
		}
		fmt.Println(at.Format(time.RFC3339))
	}
	// Output:
	// 2024-01-17T10:25:30Z
	// 2024-01-18T09:00:00Z
	// when "tomorrow at 5": has the number 5, which is not a time of day; write "5am", "5pm" or "5:00"
}

func ExampleParseInterval() {
	for _, text := range []string{"1.5 hours", "5000", "every 5 minutes"} {
		d, err := schedule.ParseInterval(text)
		fmt.Println(d, err)
	}
	// Output:
	// 1h30m0s <nil>
	// 5s <nil>
	// 0s interval "every 5 minutes": has "every 5" before a unit, which is not one number; write a number and a unit in lower case, such as "5 minutes"
}
