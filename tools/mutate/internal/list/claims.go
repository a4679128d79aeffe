package list

import "github.com/etrainer/backend/tools/mutate/internal/mutation"

// A job is leased to one worker, and only when it is due.
var claims = []mutation.Mutation{
	{
		Name: "claim-condition", Removes: "The claim takes what the search found, whatever became of it since.",
		In: store, Edits: edit("Store.claimModel", `append(search.lockCondition(namesOf(search.candidates), search.now), among(ids))`, `bson.D{among(ids)}`),
		Tests: []string{"TestAClaimMatchesWhatTheSearchDecided"},
	},
	{
		Name: "claim-unlocked", Removes: "A job that is locked is due all the same.",
		In: store, Edits: edit("search.lockCondition", `unlocked,`, ``),
		Tests: port("a recurring job is not leased again while it runs, though its next tick is due"),
	},
	{
		Name: "claim-due", Removes: "A job that has no planned time is due.",
		In: store, Edits: edit("search.lockCondition", `{Key: "nextRunAt", Value: upTo(until)},`, ``),
		Tests: port("cancelling a waiting job"),
	},
	{
		Name: "claim-enabled", Removes: "A disabled job is due.",
		In: store, Edits: edit("search.lockCondition", `{Key: "nextRunAt", Value: upTo(until)}, enabled,`, `{Key: "nextRunAt", Value: upTo(until)},`),
		Tests: []string{"TestAClaimMatchesWhatTheSearchDecided"},
	},
	{
		Name: "claim-lifetime", Removes: "A lock counts as expired at once.",
		In: store, Edits: edit("search.lockCondition", `upTo(s.now.Add(-lifetime))`, `upTo(s.now.Add(0 * lifetime))`),
		Tests: port("a lock past its lifetime is taken over, one millisecond earlier it is not"),
	},
	{
		Name: "claim-readback-stamp", Removes: "The read-back takes what this worker claimed earlier for claimed now.",
		In: store, Edits: edit("Store.readClaimed", `{Key: "lockedAt", Value: job.Date(stamp)},`, ``),
		Tests: []string{"TestAClaimReadsBackOnlyItsOwn"},
	},
	{
		Name: "claim-readback-holder", Removes: "The read-back takes what a peer claimed in the same millisecond for its own.",
		In: store, Edits: edit("Store.readClaimed", `{Key: "leaseHolder", Value: search.request.Holder},`, ``),
		Tests: []string{"TestAClaimReadsBackOnlyItsOwn"},
	},
	{
		Name: "claim-cancel-reset", Removes: "A cancel of an earlier planning reaches the new one.",
		In: store, Edits: edit("Store.claimModel", `if !search.request.Expired {`, `if false {`),
		Tests: port("a cancel of a run does not reach the plan that was made during it"),
	},
	{
		Name: "claim-alone", Removes: "A claim that is refused for one job is refused for all.",
		In: store, Edits: edit("Store.claim", `err = s.claimAlone(ctx, search, stamp)`, ``),
		Tests: []string{"TestAJobThatCannotBeClaimedCostsNoOther"},
	},
	{
		Name: "claim-misses", Removes: "A job that is found and never claimed stands before all others for ever.",
		In: store, Edits: edit("Store.claim", `s.noteMisses(ctx, search, claimed)`, ``),
		Tests: []string{"TestAJobThatIsNeverClaimedIsLeftOut"},
	},
	{
		Name: "start-check", Removes: "A lease counts as started though its start matched nothing.",
		In: store, Edits: edit("Store.start", `result == nil || int(result.MatchedCount) < len(models)`, `false && result == nil`),
		Tests: []string{"TestATickThatAPeerHasRunIsNotStartedAgain"},
	},
	{
		Name: "start-refused", Removes: "A lease whose start the database refused is run all the same.",
		In: store, Edits: edit("Store.start", `return slices.Contains(refused, lease)`, `return false && slices.Contains(refused, lease)`),
		Tests: []string{"TestAStartThatIsRefusedCostsNoOther"},
	},
}
