package list

import "github.com/etrainer/backend/tools/mutate/internal/mutation"

// What a run ended with is recorded once, by who has its lease, and what cannot be
// stored holds back nothing else.
var outcomes = []mutation.Mutation{
	{
		Name: "exclusion-record", Removes: "Outcomes are recorded while their leases are renewed.",
		In: worker, Edits: edit("recorder.recordFenced", `r.fence.RLock() defer r.fence.RUnlock()`, ``),
		Tests: []string{"TestRecordAndRenewExcludeEachOther"},
	},
	{
		Name: "exclusion-renew", Removes: "Leases are renewed while their outcomes are recorded.",
		In: worker, Edits: edit("keeper.renewGroup", `k.fence.Lock() defer k.fence.Unlock()`, ``),
		Tests: []string{"TestOutcomesWaitForARenewal"},
	},
	{
		Name: "exclusion-recorded", Removes: "A lease whose outcome was recorded meanwhile is renewed, and found lost.",
		In: worker, Edits: edit("keeper.renewGroup", `k.table.holds(t) && !t.isLost()`, `!t.isLost()`),
		Tests: []string{"TestRecordAndRenewExcludeEachOther"},
	},
	{
		Name: "record-again", Removes: "An outcome that was not stored is given up.",
		In: worker, Edits: edit("recorder.putAside", `if r.hopeless(b, now) {`, `if true {`),
		Tests: []string{"TestOutcomesOutliveAnOutage"},
	},
	{
		Name: "record-divided", Removes: "A batch in which one outcome cannot be stored is not divided.",
		In: worker, Edits: edit("recorder.write", `if b.tries == 0 || len(b.outcomes) == 1 {`, `if true {`),
		Tests: []string{"TestPoisonousOutcomeHoldsBackItselfAlone"},
	},
	{
		Name: "record-given-up", Removes: "An outcome that is never taken is tried for ever.",
		In: worker, Edits: edit("recorder.putAside", `if r.hopeless(b, now) {`, `if false {`),
		Tests: []string{"TestOutcomeThatIsNeverTakenIsGivenUp"},
	},
	{
		Name: "lost-told", Removes: "The handler of a run whose lease is lost goes on.",
		In: worker, Edits: edit("keeper.renewTasks", `k.lose(t)`, `_ = t`),
		Tests: []string{"TestLostLease"},
	},
	{
		Name: "doubt", Removes: "What a failed lease may have claimed stays locked.",
		In: worker, Edits: edit("fetcher.lease", `if err != nil { f.doubt(request.Holder)`, `if err != nil {`),
		Tests: []string{"TestLeaseWhoseAnswerWasLostIsHandedBack"},
	},
	{
		Name: "crash-dead", Removes: "A job whose workers died as often as it may be tried is run again.",
		In: worker, Edits: edit("Runner.overBefore", `case lease.Lost > 0 &&`, `case false &&`),
		Tests: []string{"TestJobThatKillsItsWorkersEndsDead"},
	},
	{
		Name: "crash-alone", Removes: "Jobs whose workers died run beside each other.",
		In: worker, Edits: edit("task.fragile", `t.lease.Lost >= queue.FragileAfter`, `t.lease.Lost >= 100*queue.FragileAfter`),
		Tests: []string{"TestJobsThatMayKillRunAlone"},
	},
}
