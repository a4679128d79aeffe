package list

import "github.com/etrainer/backend/tools/mutate/internal/mutation"

// Who lost a lease writes nothing: each field of the fence, and each place that
// tells claims apart.
var fences = []mutation.Mutation{
	{
		Name: "fence-id", Removes: "A fenced write of one lease names no job.",
		In: store, Edits: edit("fence", `{Key: "_id", Value: lease.Job.ID},`, ``),
		Tests: port("a batch of different outcomes"),
	},
	{
		Name: "fence-stamp", Removes: "A fenced write of one lease does not look at its lock.",
		In: store, Edits: edit("fence", `{Key: "lockedAt", Value: job.Date(lease.Stamp)},`, ``),
		Tests: port("renewing moves the lock, and only then an old stamp is refused"),
	},
	{
		Name: "fence-holder", Removes: "A fenced write of one lease does not look at the holder.",
		In: store, Edits: edit("fence", `{Key: "leaseHolder", Value: lease.Holder},`, ``),
		Tests: port("two workers that claim in one millisecond are told apart"),
	},
}
