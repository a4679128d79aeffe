package catalog

import (
	"fmt"
	"time"

	"github.com/etrainer/backend/pkg/schedule"
)

// OrphanedMedia compares the stores of uploaded files with the records of who
// owns them. It removes something only where its payload says so.
var OrphanedMedia = Define[OrphanedMediaPayload](Definition{
	Name:        "check orphaned media",
	Description: "Reports uploaded files without a record and records without a file; removes them when asked to.",
	Concurrency: 1,
	Timeout:     6 * time.Hour,
	Repeat:      schedule.Spec{Interval: "0 5 * * 0"},
})

// The grace of OrphanedMedia in hours: what is younger may be an upload that
// has not ended. None takes an hour.
const (
	DefaultMediaGrace = 24
	MinMediaGrace     = 1
	maxMediaGrace     = 24 * 366
)

// OrphanedMediaPayload is the payload of OrphanedMedia.
type OrphanedMediaPayload struct {
	// Remove deletes what is found. Without it the job only reports.
	Remove bool `json:"remove,omitempty"`
	// GraceHours is how old a file or a record must be to be looked at; 0 =
	// DefaultMediaGrace.
	GraceHours int `json:"graceHours,omitempty"`
}

// Validate implements Payload.
func (p OrphanedMediaPayload) Validate() error {
	if p.GraceHours == 0 || p.GraceHours >= MinMediaGrace && p.GraceHours <= maxMediaGrace {
		return nil
	}
	return fmt.Errorf("graceHours %d is out of range; use %d to %d, or leave it out for %d",
		p.GraceHours, MinMediaGrace, maxMediaGrace, DefaultMediaGrace)
}
