package catalog

import (
	"time"

	"github.com/etrainer/backend/pkg/schedule"
)

// Backup copies every collection to where backups are kept, and removes the
// backups that the retention no longer wants.
var Backup = Define[BackupPayload](Definition{
	Name:        "backup critical data",
	Description: "Copies every collection, checked and restorable by mongorestore, and removes old backups.",
	Concurrency: 1,
	Timeout:     12 * time.Hour,
	Repeat:      schedule.Spec{Interval: "0 3 * * *"},
})

// BackupPayload is the payload of Backup: it has no settings of its own, and a
// backup is never of a part.
type BackupPayload struct{}

// Validate implements Payload.
func (BackupPayload) Validate() error { return nil }
