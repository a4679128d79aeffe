package catalog

import (
	"fmt"
	"time"

	"github.com/etrainer/backend/pkg/schedule"
)

// WeeklyReports counts what happened in one calendar week and stores it, one
// document per week.
var WeeklyReports = Define[WeeklyReportsPayload](Definition{
	Name:        "generate weekly reports",
	Description: "Counts new users, finished exams and active users of a calendar week and stores the report.",
	Concurrency: 1,
	Timeout:     30 * time.Minute,
	Repeat:      schedule.Spec{Interval: "0 8 * * 1"},
})

// WeeklyReportsPayload is the payload of WeeklyReports.
type WeeklyReportsPayload struct {
	// Week is any date (YYYY-MM-DD) within the week to report; "" = the week
	// before the one in which the run was planned.
	Week string `json:"week,omitempty"`
}

// Validate implements Payload.
func (p WeeklyReportsPayload) Validate() error {
	if p.Week == "" {
		return nil
	}
	if _, err := time.Parse(time.DateOnly, p.Week); err != nil {
		return fmt.Errorf("week %q is not a date; write it as YYYY-MM-DD, for example 2025-08-04", p.Week)
	}
	return nil
}
