package catalog

import (
	"time"

	"github.com/etrainer/backend/pkg/schedule"
)

// Retention removes what has outlived its retention: run records, finished
// jobs, entries of the effect ledger, push tickets. Being a job, it runs in one
// worker at a time, however many there are.
var Retention = Define[RetentionPayload](Definition{
	Name:        "apply retention",
	Description: "Removes run records, finished jobs and other records that have outlived their retention.",
	Concurrency: 1,
	Timeout:     50 * time.Minute,
	Repeat:      schedule.Spec{Interval: "40 * * * *"},
})

// RetentionPayload is the payload of Retention: nothing.
type RetentionPayload struct{}

// Validate implements Payload.
func (RetentionPayload) Validate() error { return nil }
