package list

import "github.com/etrainer/backend/tools/mutate/internal/mutation"

// What is acknowledged is stored by a majority of the servers, and none who stands
// beside a refused document pays for it.
var durability = []mutation.Mutation{
	{
		Name: "majority", Removes: "The queue writes with the write concern of its client.",
		In: store, Edits: edit("New", `W: "majority", Journal: &journal`, `W: 1, Journal: &journal`),
		Tests: port("twenty unique callers make one job"),
	},
	{
		Name: "journal", Removes: "The queue does not wait for the journal.",
		In: store, Edits: edit("New", `journal := true`, `journal := false`),
		Tests: port("twenty unique callers make one job"),
	},
	{
		Name: "majority-client", Removes: "A client's writes wait for one server.",
		In: database, Edits: edit("Options.driver", `W: writeconcern.WCMajority`, `W: 1`),
		Tests: []string{"TestWritesAreForAMajorityAndReadsFromThePrimary"},
	},
	{
		Name: "majority-tick", Removes: "A tick of its own that no majority has counts as created.",
		In: store, Edits: edit("Store.spawn", `err != nil && !isOnlyDuplicate(err)`, `err != nil && mongo.IsTimeout(err)`),
		Tests: []string{"TestATickThatNoMajorityHasIsNotStarted"},
	},
	{
		Name: "majority-insert", Removes: "An insert that no majority has is acknowledged.",
		In: store, Edits: edit("Store.insert", `!errors.As(err, &partial) || partial.WriteConcernError != nil`, `!errors.As(err, &partial)`),
		Tests: []string{"TestADuplicateThatNoMajorityHasIsNotAcknowledged", "TestAWriteThatNoMajorityHasIsNotAcknowledged"},
	},
	{
		Name: "majority-duplicate", Removes: "A document that is there already counts as stored by a majority.",
		In: store, Edits: edit("isOnlyDuplicate", `ok && one.WriteConcernError != nil`, `ok && one.WriteErrors == nil`),
		Tests: []string{"TestATickThatNoMajorityHasIsNotStarted"},
	},
	{
		Name: "majority-duplicate-group", Removes: "The same for a document that was sent with others before.",
		In: store, Edits: edit("isOnlyDuplicate", `ok && bulk.WriteConcernError != nil`, `ok && bulk.WriteErrors == nil`),
		Tests: []string{"TestGroupCommitSharesNoFault"},
	},
	{
		Name: "majority-found", Removes: "An insert-only unique job that is found is acknowledged by a read.",
		In: store, Edits: edit("Store.replaceUnique", `return s.change(ctx, filter, set(bson.D{{Key: "name", Value: document.Name}}))`, `found := &job.Document{}
		return found, s.jobs.FindOne(ctx, filter).Decode(found)`),
		Tests: []string{"TestAFoundJobIsAcknowledgedByAWrite"},
	},
	{
		Name: "majority-outcome", Removes: "An outcome that no majority has counts as recorded.",
		In: store, Edits: edit("isForAll", `partial.WriteConcernError != nil`, `false`),
		Tests: []string{"TestAWriteThatNoMajorityHasIsNotAcknowledged"},
	},
	{
		Name: "majority-refusals", Removes: "A failed write concern beside a refused document is not seen.",
		In: store, Edits: edit("refusedStatements", `partial.WriteConcernError != nil || `, ``),
		Tests: []string{"TestARefusalHidesNoMissingMajority"},
	},
	{
		Name: "refused-alone", Removes: "Endings of one statement of which one is refused are not sent again.",
		In: store, Edits: edit("Store.writeRefused", `case len(each.members) > 1:`, `case false:`),
		Tests: []string{"TestAnOutcomeThatIsRefusedHoldsBackNoOther"},
	},
	{
		Name: "refused-halves", Removes: "A command that is refused as a whole is not divided.",
		In: store, Edits: edit("Store.writePart", `case len(part) > 1:`, `case false:`),
		Tests: []string{"TestAnOutcomeThatIsRefusedHoldsBackNoOther"},
	},
	{
		Name: "refused-reduced", Removes: "An ending that is refused is not written in a smaller form.",
		In: store, Edits: edit("Store.reduce", `if each.form == forms {`, `if true {`),
		Tests: []string{"TestAnOutcomeThatIsRefusedHoldsBackNoOther"},
	},
	{
		Name: "refused-history", Removes: "A refused record holds back those beside it.",
		In: store, Edits: edit("Store.writeRecords", `case len(refused) > 0:`, `case false:`),
		Tests: []string{"TestARecordThatIsRefusedHoldsBackNoOther"},
	},
	{
		Name: "refused-history-halves", Removes: "A command to the history that is refused as a whole is not divided.",
		In: store, Edits: edit("Store.writeRecords", `case len(records) > 1:`, `case false:`),
		Tests: []string{"TestARecordThatIsRefusedHoldsBackNoOther"},
	},
	{
		Name: "recorded-once", Removes: "An outcome whose answer was lost counts as lost when it is sent again.",
		In: store, Edits: edit("recorded", `return d.LastRunAt.Equal(ending.Lease.StartedAt) && d.LastFinishedAt.Equal(ending.FinishedAt)`, `return false`),
		Tests: port("recording twice is recording once"),
	},
	{
		Name: "group-deadline", Removes: "A group is stored by the deadline of who sends it.",
		In: store, Edits: edit("groupCommit.commit", `context.WithoutCancel(ctx)`, `ctx`),
		Tests: []string{"TestGroupCommitOfThoseWhoLeave"},
	},
	{
		Name: "group-alone", Removes: "A document that spoils a command spoils those of the others.",
		In: store, Edits: edit("resultOf", `case of > 1 && !mongodb.IsUnavailable(err) && partial.WriteConcernError == nil:`, `case false:`),
		Tests: []string{"TestGroupCommitSharesNoFault"},
	},
	{
		Name: "group-refused", Removes: "A document that is refused is refused for all.",
		In: store, Edits: edit("resultOf", `if failed.Index == i {`, `if true {`),
		Tests: []string{"TestGroupCommitSharesNoFault"},
	},
	{
		Name: "group-withdrawn", Removes: "Who leaves before its turn is stored all the same.",
		In: store, Edits: edit("groupCommit.withdraw", `from.members = slices.Delete(from.members, i, i+1)`, ``),
		Tests: []string{"TestGroupCommitOfThoseWhoLeave"},
	},
}
