package list

import "github.com/etrainer/backend/tools/mutate/internal/mutation"

// A cancel counts for the planning that it met, and a plan that somebody makes
// during a run stands.
var plans = []mutation.Mutation{
	{
		Name: "cancel-ends-attempts", Removes: "A run that is to be repeated is, though it was cancelled.",
		In: store, Edits: edit("onlyIf", `if plansAgain(ending) {`, `if false {`),
		Tests: port("a cancel ends the attempts of the run that it met"),
	},
	{
		Name: "cancel-ends-with-run", Removes: "A cancel that came too late for its run reaches the next tick.",
		In: store, Edits: edit("outcomeUpdate", `if ending.Outcome != job.Cancelled || document.Recurring() {`, `if false {`),
		Tests: port("a cancel that came too late for its run does not reach the next tick"),
	},
	{
		Name: "cancel-recurring", Removes: "The cancel of one run of a recurring job reaches the next tick.",
		In: store, Edits: edit("outcomeUpdate", `if ending.Outcome != job.Cancelled || document.Recurring() {`, `if ending.Outcome != job.Cancelled {`),
		Tests: port("a cancel that came too late for its run does not reach the next tick"),
	},
	{
		Name: "cancel-unique", Removes: "A job that is enqueued anew stays cancelled.",
		In: store, Edits: edit("Store.replaceUnique", `err == nil && !found.CancelledAt.IsZero() && found.LockedAt.IsZero()`, `false`),
		Tests: port("a unique job that was cancelled runs when it is enqueued anew"),
	},
	{
		Name: "cancel-start", Removes: "A cancel is made of a job that has begun to run meanwhile.",
		In: store, Edits: edit("Store.Cancel", `filter = append(filter, unlocked, bson.E{Key: "nextRunAt", Value: job.Date(found.NextRunAt)})`, ``),
		Tests: []string{"TestACancelThatMeetsAStartIsLookedAtAgain"},
	},
	{
		Name: "retry-fresh", Removes: "A retry by an operator continues the former attempts.",
		In: store, Edits: edit("Store.Retry", `{Key: "cancelledAt", Value: ""}, {Key: "resume", Value: ""}`, `{Key: "cancelledAt", Value: ""}`),
		Tests: port("a retry by an operator for the instant of a planned retry is new"),
	},
	{
		Name: "retry-cancel", Removes: "A retry by an operator leaves the cancel.",
		In: store, Edits: edit("Store.Retry", `{Key: "cancelledAt", Value: ""}, {Key: "resume", Value: ""}`, `{Key: "resume", Value: ""}`),
		Tests: port("a cancelled job that is retried by an operator is new"),
	},
	{
		Name: "plan-during-run", Removes: "The end of a run overwrites a plan that was made during it.",
		In: store, Edits: edit("onlyIf", `if plans {`, `if false {`),
		Tests: port("a plan that is made during a run outlives it"),
	},
	{
		Name: "plan-null", Removes: "The end of a one-off run removes a plan that was made during it.",
		In: store, Edits: edit("outcomeUpdate", `change = append(change, nullUnlessPlanned)`, `change = withSet(change, "nextRunAt", nil)`),
		Tests: port("a plan that is made during a run outlives it"),
	},
	{
		Name: "plan-release", Removes: "Handing a job back overwrites a plan that was made during the run.",
		In: store, Edits: edit("Store.statementOf", `plans = !ending.Lease.Job.Recurring()`, ``),
		Tests: port("a plan that is made during a run outlives it"),
	},
	{
		Name: "unique-keeps-lock", Removes: "A unique job that is enqueued during its run loses its lock.",
		In: store, Edits: edit("Store.replaceUnique", `replaced := bson.D{`, `replaced := bson.D{{Key: "lockedAt", Value: nil}, `),
		Tests: port("unique does not unlock a running job"),
	},
}
