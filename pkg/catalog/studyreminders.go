package catalog

import (
	"time"

	"github.com/etrainer/backend/pkg/job"
	"github.com/etrainer/backend/pkg/schedule"
)

// StudyReminderAttempts is how often StudyReminders is run for one tick, while
// push providers are away.
const StudyReminderAttempts = 3

// StudyReminders reminds users at the hour and minute that they chose.
var StudyReminders = Define[StudyRemindersPayload](Definition{
	Name:        "send study reminders",
	Description: "Reminds users at the hour and minute that they chose; each run takes the minutes since the last one.",
	Concurrency: 1,
	Timeout:     30 * time.Minute,
	Retry:       job.Retry{MaxAttempts: StudyReminderAttempts, Delay: 10 * time.Second},
	Repeat:      schedule.Spec{Interval: "* * * * *"},
})

// StudyRemindersPayload is the payload of StudyReminders: nothing.
type StudyRemindersPayload struct{}

// Validate implements Payload.
func (StudyRemindersPayload) Validate() error { return nil }
