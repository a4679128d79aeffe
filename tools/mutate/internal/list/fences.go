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
	{
		Name: "fence-batch-stamp", Removes: "A fenced write of several leases does not look at their lock.",
		In: store, Edits: edit("held", `{Key: "lockedAt", Value: job.Date(leases[0].Stamp)},`, ``),
		Tests: port("two claims of one worker are told apart, also where whole batches are lost"),
	},
	{
		Name: "fence-batch-holder", Removes: "A fenced write of several leases does not look at the holder.",
		In: store, Edits: edit("held", `{Key: "leaseHolder", Value: leases[0].Holder},`, ``),
		Tests: port("two workers that claim in one millisecond are told apart"),
	},
	{
		Name: "fence-record-claims", Removes: "Endings of different claims share a statement, which is fenced by the first of them.",
		In: store, Edits: edit("Store.statements", `lease.Stamp.UnixMilli()`, `0`),
		Tests: port("a lost lease records nothing in the shadow of a neighbour"),
	},
	{
		Name: "fence-renew-claims", Removes: "Leases of different claims are renewed by one statement.",
		In: store, Edits: edit("byStamp", `lease.Stamp.UnixMilli()`, `0`),
		Tests: port("a lost lease is not renewed, whatever is in its batch"),
	},
	{
		Name: "fence-renew-holders", Removes: "Leases of different holders are renewed by one statement.",
		In: store, Edits: edit("byStamp", `lease.Holder}`, `""}`),
		Tests: port("leases of two processes that are renewed and recorded together stay whose they are"),
	},
	{
		Name: "fence-renew-twice", Removes: "Two leases of one job are renewed together, and one of them is read back for both.",
		In: store, Edits: edit("oncePerJob", `n := count[lease.Job.ID]`, `n := 0`),
		Tests: port("a lost lease is not renewed, whatever is in its batch"),
	},
	{
		Name: "fence-readback-renewed", Removes: "Who looks for lost leases takes a lock of somebody else for a renewed one.",
		In: store, Edits: edit("Store.without", `holders[lease.Job.ID] != lease.Holder`, `holders[lease.Job.ID] == ""`),
		Tests: port("a renewal in the millisecond of a claim of a peer takes nothing from it"),
	},
	{
		Name: "fence-progress", Removes: "Progress is written to a job without looking at its lock.",
		In: store, Edits: edit("Store.Report", `fenced(report.Lease, set(`, `mongo.NewUpdateOneModel().SetFilter(bson.D{{Key: "_id", Value: report.Lease.Job.ID}}).SetUpdate(set(`),
		Tests: port("a lost lease reports no progress"),
	},
	{
		Name: "fence-record", Removes: "Outcomes, and jobs that are handed back, are written without a fence.",
		In: store, Edits: edit("statement.model", `append(held(leases), each.only...)`, `append(bson.D{among(jobIDs(leases))}, each.only...)`),
		Tests: port("a lost lease records nothing, whatever is in its batch"),
	},
	{
		Name: "fence-renew", Removes: "Leases are renewed without a fence.",
		In: store, Edits: edit("Store.renew", `SetFilter(held(group))`, `SetFilter(bson.D{among(jobIDs(group))})`),
		Tests: port("a lost lease is not renewed, whatever is in its batch"),
	},
	{
		Name: "fence-start", Removes: "A run is started without a fence.",
		In: store, Edits: edit("Store.start", `fenced(lease, startUpdate(search, lease, decision))`,
			`mongo.NewUpdateOneModel().SetFilter(bson.D{{Key: "_id", Value: lease.Job.ID}}).SetUpdate(startUpdate(search, lease, decision))`),
		Tests: []string{"TestATickThatAPeerHasRunIsNotStartedAgain"},
	},
	{
		Name: "fence-open", Removes: "A job that was leased ahead is marked as begun without a fence.",
		In: store, Edits: edit("Store.Open", `fenced(lease, set(bson.D{{Key: "lastRunAt", Value: job.Date(lease.StartedAt)}}))`,
			`mongo.NewUpdateOneModel().SetFilter(bson.D{{Key: "_id", Value: lease.Job.ID}}).SetUpdate(set(bson.D{{Key: "lastRunAt", Value: job.Date(lease.StartedAt)}}))`),
		Tests: port("a lost lease that was leased ahead does not begin the run of another"),
	},
	{
		Name: "fence-close", Removes: "The end of a run in the history is overwritten by a late one.",
		In: store, Edits: edit("runRecord.update", `{Key: "outcome", Value: in([]job.Outcome{job.Open, job.Lost})},`, ``),
		Tests: port("a run that has ended keeps its end, and one of another worker goes on"),
	},
	{
		Name: "fence-close-ended", Removes: "The runs of a dead worker that had ended are closed as lost.",
		In: store, Edits: edit("Store.closeRuns", `{Key: "outcome", Value: job.Open}`, `{Key: "outcome", Value: bson.D{{Key: "$ne", Value: nil}}}`),
		Tests: port("a run that has ended keeps its end, and one of another worker goes on"),
	},
	{
		Name: "fence-close-worker", Removes: "With the runs of a dead worker those of the living are closed.",
		In: store, Edits: edit("Store.closeRuns", `{Key: "worker", Value: instance}`, `{Key: "worker", Value: bson.D{{Key: "$ne", Value: nil}}}`),
		Tests: port("a run that has ended keeps its end, and one of another worker goes on"),
	},
	{
		Name: "stamp-unique", Removes: "Two claims of one millisecond get the same stamp.",
		In: store, Edits: edit("Store.stamp", `t = s.lastStamp.Add(time.Millisecond)`, ``),
		Tests: port("two leases of one millisecond are two"),
	},
}
