package list

import "github.com/etrainer/backend/tools/mutate/internal/mutation"

// What a dead worker held is due again, and nothing else is.
var rescues = []mutation.Mutation{
	{
		Name: "rescue-locked", Removes: "A rescue releases a lock that was renewed since it was read.",
		In: store, Edits: edit("Store.release", `{Key: "lockedAt", Value: job.Date(r.job.LockedAt)},`, ``),
		Tests: []string{"TestARescueReleasesOnlyWhatItRead"},
	},
	{
		Name: "rescue-holder", Removes: "A rescue releases the lock of another worker.",
		In: store, Edits: edit("Store.release", `{Key: "leaseHolder", Value: textOrNull(r.job.LeaseHolder)},`, ``),
		Tests: []string{"TestARescueReleasesOnlyWhatItRead"},
	},
	{
		Name: "rescue-planned", Removes: "A rescue overwrites a plan that was made since it read the job.",
		In: store, Edits: edit("Store.release", `{Key: "nextRunAt", Value: job.Date(r.job.NextRunAt)},`, ``),
		Tests: []string{"TestARescueReleasesOnlyWhatItRead"},
	},
	{
		Name: "rescue-plan-stands", Removes: "A rescue overwrites a plan that was made during the run.",
		In: store, Edits: edit("releaseOf", `case !d.Recurring() && !d.NextRunAt.IsZero():`, `case false:`),
		Tests: port("a plan that is made during a run outlives its worker"),
	},
	{
		Name: "rescue-spare", Removes: "A lease that was renewed since the last sign of life of its holder is released.",
		In: store, Edits: edit("Store.Rescue", `!request.Renewed.IsZero() && d.LockedAt.After(request.Renewed)`, `false`),
		Tests: port("a lease that was renewed is spared"),
	},
	{
		Name: "rescue-keep", Removes: "What a worker knows to hold is released with what it does not know.",
		In: store, Edits: edit("Store.heldOf", `if len(request.Keep) > 0 {`, `if false {`),
		Tests: port("what a failed lease may have claimed is handed back, and the rest kept"),
	},
	{
		Name: "rescue-unknown", Removes: "A claim of which its worker does not know counts as a run.",
		In: store, Edits: edit("releaseOf", `unknown := request.Own &&`, `unknown := false &&`),
		Tests: port("what a worker claimed without its knowing is charged nothing"),
	},
	{
		Name: "rescue-by-holder", Removes: "A job that somebody changed during its run is not found by a rescue.",
		In: store, Edits: edit("Store.heldOf", `bson.D{{Key: "leaseHolder", Value: request.Instance}},`, `bson.D{{Key: "leaseHolder", Value: request.Instance}, {Key: "lastModifiedBy", Value: request.Instance}},`),
		Tests: port("a job that was changed by somebody else is rescued at once"),
	},
	{
		Name: "rescue-refused", Removes: "A job that cannot be released holds back the others of its worker.",
		In: store, Edits: edit("Store.release", `err = nil`, `_ = failure`),
		Tests: []string{"TestAReleaseAndARenewalThatAreRefusedCostNoOther"},
	},
	{
		Name: "rescue-cancelled", Removes: "A job that was cancelled in a run whose worker died is run again.",
		In: store, Edits: edit("releaseOf", `case !d.CancelledAt.IsZero():`, `case false:`),
		Tests: port("a cancel that met a run outlives its worker"),
	},
}
