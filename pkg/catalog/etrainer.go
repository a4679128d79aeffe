package catalog

// DefaultZone is the time zone of recurring jobs when none is configured: the
// one that ETrainer's users live in.
const DefaultZone = "Asia/Ho_Chi_Minh"

// ETrainer is the catalog of this product. zone is the IANA time zone of its
// recurring jobs; "" = DefaultZone. (The Node backend ran them in the zone of
// the process, which is UTC in a container: 9 AM came at 4 PM.)
func ETrainer(zone string) *Catalog {
	if zone == "" {
		zone = DefaultZone
	}
	definitions := definitions()
	for i := range definitions {
		if definitions[i].Repeat.Interval != "" {
			definitions[i].Repeat.Timezone = zone
		}
	}
	return New(definitions...)
}

// definitions is every job of this product; each kind is in a file of its own.
func definitions() []Definition {
	return []Definition{
		Backup.Definition,
		ExamCleanup.Definition,
		IndexCheck.Definition,
		Retention.Definition,
		OrphanedMedia.Definition,
		Streaks.Definition,
		WeeklyReports.Definition,
		DailyNotifications.Definition,
		StudyReminders.Definition,
		NudgeInactive.Definition,
		PushReceipts.Definition,
	}
}
