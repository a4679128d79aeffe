package mongoqueue

// Difference is one field, or one case, in which what this package leaves in
// the collection is not what Agenda 6.2.6 leaves.
type Difference struct {
	Case   string // row of testdata/agenda-wire.json
	Field  string // "" = the whole case
	Agenda string
	Ours   string
	Reason string
}

// Differences lists every deliberate difference from Agenda 6.2.6. The wire
// test compares field by field and allows exactly these.
var Differences = []Difference{
	{"ag-005", "", "every() on an existing job wipes lock, history and the disabled flag", "Arm writes nothing when the schedule is unchanged", "a running job would be unlocked and run twice; its history would be lost"},
	{"ag-009", "", "every(cron) overwrites nextRunAt and wipes the rest", "a due tick stays due", "the missed tick would be dropped silently"},
	{"ag-011", "", "every(interval) with skipImmediate moves nextRunAt at each boot", "Arm leaves an unchanged schedule where it is", "a service that restarts often would never run the job"},
	{"ag-013", "nextRunAt", "stays null", "the next run is planned", "the job would never run again"},
	{"ag-013", "lastRunAt", "null", "kept", "history is not wiped"},
	{"ag-013", "lastFinishedAt", "null", "kept", "history is not wiped"},
	{"ag-013", "", "writes null into every other field", "writes only what changed", "null and absent mean the same to every Agenda version"},
	{"ag-015", "", "an unreadable interval is stored and never runs", "refused with an error", "the mistake would go unnoticed"},
	{"ag-028", "", "'tomorrow at 5' is read as the year 2001 and runs at once", "refused: the hour needs am, pm or minutes", "nobody means 2001"},
	{"ag-035", "", "unique() clears the lock and the history of the job it finds", "only data, priority, time and lastModifiedBy are replaced", "a running job would be unlocked and run twice"},
	{"ag-056", "resume", "not there: the attempts of a retry cannot be told from the document", "which tick and attempt the retry continues", "Job.Tick and the attempt must outlive every crash; Agenda leaves fields alone that it does not know"},
	{"ag-065", "resume", "not there: the attempts of a retry cannot be told from the document", "which tick and attempt the retry continues", "Job.Tick and the attempt must outlive every crash; Agenda leaves fields alone that it does not know"},
	{"ag-078", "", "a crashed recurring run is dropped; the next regular tick follows", "it is run again at once", "at least once"},
	{"ag-083", "nextRunAt", "null while a one-off job runs", "absent while a one-off job runs, null again at its end", "the claim moves it to leaseDue; null and absent mean the same to every Agenda version"},
	{"ag-083", "leaseDue", "not there", "the planned time that the claim took, while the job is held", "Job.Tick must outlive a crash at any moment"},
	{"ag-083", "leaseHolder", "not there", "the worker that holds the job, while it is held", "Agenda writes into lastModifiedBy of a running job; the fence and the rescue need a field of their own"},
	{"ag-083", "failCount", "null is written when the run starts", "null is written when it ends", "null and absent mean the same to every Agenda version"},
	{"ag-083", "failReason", "null is written when the run starts", "null is written when it ends", "null and absent mean the same to every Agenda version"},
	{"ag-083", "failedAt", "null is written when the run starts", "null is written when it ends", "null and absent mean the same to every Agenda version"},
	{"ag-083", "lastFinishedAt", "null is written when the run starts", "null is written when it ends", "null and absent mean the same to every Agenda version"},
	{"ag-083", "progress", "null is written when the run starts", "null is written when it ends", "null and absent mean the same to every Agenda version"},
	{"ag-100", "", "retry stores the computed state and nulls in every field, and unlocks a running job", "the failure fields are cleared and the job made due; a running job is refused", "the stored state is stale at once; a running job would run twice"},
	{"ag-105", "", "a repeatAt job that starts on time fails and never runs again", "the next day is planned", "the format check mistakes its own target for nonsense"},
	{"ag-107", "", "a repeatAt job that starts late is planned in the past and runs in a loop", "the next day is planned", "a loop"},
	{"ag-109", "nextRunAt", "the next day, with the milliseconds of the moment of planning", "the next day, on the second", "the milliseconds are an accident"},
}

// differs reports whether a field of a case may differ.
func differs(id, field string) bool {
	for _, d := range Differences {
		if d.Case == id && (d.Field == field || d.Field == "") {
			return true
		}
	}
	return false
}
