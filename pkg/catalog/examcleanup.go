package catalog

import (
	"fmt"
	"time"

	"github.com/etrainer/backend/pkg/schedule"
)

// MinExamRetentionMonths is the shortest retention of exam results: below it a
// slip of the pen would take from users what they still look at.
const MinExamRetentionMonths = 3

// ExamCleanup moves exam results that are older than their retention into an
// archive.
var ExamCleanup = Define[ExamCleanupPayload](Definition{
	Name:        "cleanup old exam histories",
	Description: "Moves exam results beyond their retention into the archive, unless they are marked as important.",
	Concurrency: 1,
	Timeout:     6 * time.Hour,
	Repeat:      schedule.Spec{Interval: "0 2 * * 0"},
})

// ExamCleanupPayload is the payload of ExamCleanup.
type ExamCleanupPayload struct {
	// DryRun counts what would be moved and changes nothing.
	DryRun bool `json:"dryRun,omitempty"`
	// RetentionMonths is the retention of this run; 0 = the configured one.
	RetentionMonths int `json:"retentionMonths,omitempty"`
}

// Validate implements Payload.
func (p ExamCleanupPayload) Validate() error {
	if p.RetentionMonths == 0 || p.RetentionMonths >= MinExamRetentionMonths {
		return nil
	}
	return fmt.Errorf("retentionMonths %d is too short; use %d or more, or leave it out for the configured retention",
		p.RetentionMonths, MinExamRetentionMonths)
}
