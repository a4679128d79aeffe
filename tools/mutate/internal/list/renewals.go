package list

import "github.com/etrainer/backend/tools/mutate/internal/mutation"

// A lease is kept while its run goes on, and taken back only from a Node process
// that cleared its lock.
var renewals = []mutation.Mutation{
	{
		Name: "renew-lock", Removes: "Renewing does not move the lock.",
		In: store, Edits: edit("Store.renew", `{Key: "lockedAt", Value: job.Date(stamp)}`, `{Key: "leaseHolder", Value: group[0].Holder}`),
		Tests: port("renewing moves the lock, and only then an old stamp is refused"),
	},
	{
		Name: "renew-unanswered", Removes: "A renewal without an answer is forgotten.",
		In: store, Edits: edit("unanswered", `lease.Unanswered = append(lease.Unanswered, stamp)`, `_, _ = lease, stamp`),
		Tests: []string{"TestARenewalWithoutAnAnswer"},
	},
	{
		Name: "renew-adopt", Removes: "A renewal that was stored without an answer is not looked for before the next one.",
		In: store, Edits: edit("Store.renew", `s.adoptUnanswered(ctx, leases)`, `error(nil)`),
		Tests: []string{"TestARenewalWithoutAnAnswer"},
	},
	{
		Name: "renew-late", Removes: "A renewal that arrives late, while the next one is sent, loses the lease.",
		In: store, Edits: edit("Store.takeBackAll", `back, err = s.isStored(ctx, lease)`, ``),
		Tests: []string{"TestARenewalThatArrivesLate"},
	},
	{
		Name: "takeback-unanswered", Removes: "A taking back without an answer is forgotten.",
		In: store, Edits: edit("Store.takeBack", `unanswered(stamp, lease)`, ``),
		Tests: []string{"TestATakingBackWithoutAnAnswer"},
	},
	{
		Name: "takeback", Removes: "A lease whose lock a Node process cleared is lost.",
		In: store, Edits: edit("Store.takeBackAll", `if !back {`, `if !back || true {`),
		Tests: []string{"TestALockThatNodeClearedIsTakenBack"},
	},
	{
		Name: "takeback-record", Removes: "An outcome is refused where a Node process cleared the lock of its run.",
		In: store, Edits: edit("Store.settleAgain", `if !adopt(lease, stored) {`, `if !adopt(lease, stored) { break }
		if !adopt(lease, stored) {`),
		Tests: []string{"TestALockThatNodeClearedIsTakenBack"},
	},
	{
		Name: "takeback-id", Removes: "A lease is taken back on whichever job it fits.",
		In: store, Edits: edit("Store.takeBack", `{Key: "_id", Value: lease.Job.ID},`, ``),
		Tests: []string{"TestALeaseOfADeletedJobTakesNoOther"},
	},
	{
		Name: "takeback-unlocked", Removes: "A lease is taken back from a Node process that has locked the job.",
		In: store, Edits: edit("Store.takeBack", `unlocked,`, ``),
		Tests: []string{"TestALeaseIsNotTakenBackFromSomebodyElse"},
	},
	{
		Name: "takeback-holder", Removes: "A lease is taken back from a peer that took the job over.",
		In: store, Edits: edit("Store.takeBack", `{Key: "leaseHolder", Value: lease.Holder},`, ``),
		Tests: []string{"TestALeaseIsNotTakenBackFromSomebodyElse"},
	},
	{
		Name: "takeback-due", Removes: "A lease is taken back from a later lease of the same worker.",
		In: store, Edits: edit("Store.takeBack", `{Key: "leaseDue", Value: job.Date(lease.Due)},`, ``),
		Tests: []string{"TestALeaseIsNotTakenBackFromSomebodyElse"},
	},
	{
		Name: "takeback-started", Removes: "A lease is taken back after a Node process began a run.",
		In: store, Edits: edit("Store.takeBack", `{Key: "lastRunAt", Value: bson.D{{Key: "$in", Value: started}}},`, `{Key: "lastRunAt", Value: bson.D{{Key: "$nin", Value: started[:0]}}},`),
		Tests: []string{"TestALeaseIsNotTakenBackFromSomebodyElse"},
	},
	{
		Name: "takeback-finished", Removes: "A lease is taken back after a Node process ended a run.",
		In: store, Edits: edit("Store.takeBack", `{Key: "lastFinishedAt", Value: bson.D{{Key: "$not", Value: bson.D{{Key: "$gte", Value: job.Date(lease.StartedAt)}}}}},`, ``),
		Tests: []string{"TestALeaseIsNotTakenBackFromSomebodyElse"},
	},
	{
		Name: "takeback-ahead", Removes: "A lease of a job that was leased ahead is not taken back.",
		In: store, Edits: edit("Store.takeBack", `started = append(started, job.Date(lease.Previous))`, ``),
		Tests: []string{"TestALockOfAJobThatWasLeasedAheadIsTakenBack"},
	},
	{
		Name: "cancel-met", Removes: "A cancel request does not reach the worker that runs the job.",
		In: store, Edits: edit("Store.CancelRequested", `if asked[lease.Job.ID] {`, `if false {`),
		Tests: port("cancelling a running job reaches its holder"),
	},
}
