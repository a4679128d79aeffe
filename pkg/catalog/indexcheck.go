package catalog

import (
	"time"

	"github.com/etrainer/backend/pkg/schedule"
)

// IndexCheck compares the indexes of the database with those that the code
// relies on. It changes nothing.
var IndexCheck = Define[IndexCheckPayload](Definition{
	Name:        "check indexes",
	Description: "Reports indexes that are missing, changed, not known, or not used by any query.",
	Concurrency: 1,
	Timeout:     10 * time.Minute,
	Repeat:      schedule.Spec{Interval: "30 4 * * 0"},
})

// IndexCheckPayload is the payload of IndexCheck: nothing.
type IndexCheckPayload struct{}

// Validate implements Payload.
func (IndexCheckPayload) Validate() error { return nil }
