package main

import (
	"testing"
	"time"
	_ "time/tzdata" // the zones below, wherever this runs

	"github.com/etrainer/backend/pkg/schedule"
)

// BenchmarkNextRun computes the next tick of a schedule, over and over.
func BenchmarkNextRun(b *testing.B) {
	for name, spec := range map[string]schedule.Spec{
		"every minute":           {Interval: "* * * * *"},
		"weekdays across DST":    {Interval: "*/5 9-17 * * 1-5", Timezone: "Europe/Berlin"},
		"29 February":            {Interval: "0 12 29 2 *"},
		"3 minutes":              {Interval: "3 minutes"},
		"Mondays, not in summer": {Interval: "0 7 * 1-5,10-12 1", Timezone: "Asia/Ho_Chi_Minh"},
	} {
		b.Run(name, func(b *testing.B) {
			plan, err := schedule.Parse(spec, nil)
			if err != nil {
				b.Fatal(err)
			}
			now := time.Date(2026, 3, 27, 16, 58, 0, 0, time.UTC)
			b.ReportAllocs()
			for b.Loop() {
				next, ok := plan.NextRun(now, time.Time{}, now)
				if !ok {
					b.Fatal("there is no next run")
				}
				now = next
				if now.Year() > 2200 { // keep within what calendars know
					now = now.AddDate(-170, 0, 0)
				}
			}
		})
	}
}

// BenchmarkParseSchedule reads a cron expression.
func BenchmarkParseSchedule(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := schedule.Parse(schedule.Spec{Interval: "*/5 9-17 * * 1-5", Timezone: "Europe/Berlin"}, nil); err != nil {
			b.Fatal(err)
		}
	}
}
