package catalog

import (
	"time"

	"github.com/etrainer/backend/pkg/schedule"
)

// PushReceipts reads what became of the push messages that Expo took.
var PushReceipts = Define[PushReceiptsPayload](Definition{
	Name:        "read push receipts",
	Description: "Reads what became of push messages that Expo took, and removes dead tokens.",
	Concurrency: 1,
	Timeout:     30 * time.Minute,
	Repeat:      schedule.Spec{Interval: "*/15 * * * *"},
})

// PushReceiptsPayload is the payload of PushReceipts: nothing.
type PushReceiptsPayload struct{}

// Validate implements Payload.
func (PushReceiptsPayload) Validate() error { return nil }
