package catalog

import (
	"time"

	"github.com/etrainer/backend/pkg/job"
	"github.com/etrainer/backend/pkg/schedule"
)

// NotificationAttempts is how often a job that notifies is run for one tick,
// while push providers are away. The pauses are 1, 2, 4 and 8 minutes.
const NotificationAttempts = 5

// DailyNotifications tells every user once a local day to practise.
var DailyNotifications = Define[DailyNotificationsPayload](Definition{
	Name:        "send daily notifications",
	Description: "Tells every user who did not opt out, once a day, that it is time to practise.",
	Concurrency: 1,
	Timeout:     6 * time.Hour,
	Retry:       job.Retry{MaxAttempts: NotificationAttempts, Delay: time.Minute},
	Repeat:      schedule.Spec{Interval: "0 9 * * *"},
})

// DailyNotificationsPayload is the payload of DailyNotifications: nothing.
type DailyNotificationsPayload struct{}

// Validate implements Payload.
func (DailyNotificationsPayload) Validate() error { return nil }
