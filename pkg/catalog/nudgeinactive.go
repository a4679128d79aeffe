package catalog

import (
	"time"

	"github.com/etrainer/backend/pkg/job"
	"github.com/etrainer/backend/pkg/schedule"
)

// NudgeInactive asks users back who have not practised for a week.
var NudgeInactive = Define[NudgeInactivePayload](Definition{
	Name:        "nudge inactive users",
	Description: "Asks users back who have not practised for seven days, once in seven days.",
	Concurrency: 1,
	Timeout:     6 * time.Hour,
	Retry:       job.Retry{MaxAttempts: NotificationAttempts, Delay: time.Minute},
	Repeat:      schedule.Spec{Interval: "0 10 * * *"},
})

// NudgeInactivePayload is the payload of NudgeInactive: nothing.
type NudgeInactivePayload struct{}

// Validate implements Payload.
func (NudgeInactivePayload) Validate() error { return nil }
