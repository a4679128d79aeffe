package catalog

import (
	"time"

	"github.com/etrainer/backend/pkg/schedule"
)

// Streaks counts for each user the days in a row on which he or she learned.
var Streaks = Define[StreaksPayload](Definition{
	Name:        "update user streaks",
	Description: "Counts for each user the days in a row, up to today or yesterday, on which something was finished.",
	Concurrency: 1,
	Timeout:     6 * time.Hour,
	Repeat:      schedule.Spec{Interval: "0 0 * * *"},
})

// StreaksPayload is the payload of Streaks.
type StreaksPayload struct {
	// DryRun counts whose streak would change and changes nothing.
	DryRun bool `json:"dryRun,omitempty"`
}

// Validate implements Payload.
func (StreaksPayload) Validate() error { return nil }
