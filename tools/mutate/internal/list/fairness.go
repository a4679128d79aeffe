package list

import "github.com/etrainer/backend/tools/mutate/internal/mutation"

// No name and no document stands in the way of the others.
var fairness = []mutation.Mutation{
	{
		Name: "search-full-names", Removes: "A name that is full stays in the search, and its backlog hides the others.",
		In: store, Edits: edit("Store.look", `delete(search.open, name)`, `_ = name`),
		Tests: port("a backlog of one name hides no other"),
	},
	{
		Name: "search-at-limit", Removes: "A name at its limit stays in the search, which asks for its places again and again.",
		In: store, Edits: edit("Store.takePlaces", `delete(search.open, name)`, ``),
		Tests: port("a name at its limit is looked at once"),
	},
	{
		Name: "search-again", Removes: "One look has to do.",
		In: store, Edits: edit("Store.gather", `range maxLooks`, `range 1`),
		Tests: port("a backlog of one name hides no other"),
	},
	{
		Name: "search-slots", Removes: "More is started than there are slots.",
		In: store, Edits: edit("search.take", `s.slots--`, ``),
		Tests: port("idle slots bound what starts, and only what is leased ahead goes beyond"),
	},
	{
		Name: "bad-documents", Removes: "A document that cannot be used fails the search for all.",
		In: store, Edits: edit("Store.look", `s.leaveOut(ctx, cursor.Current, problem)
			continue`, `return false, errNotClaimed`),
		Tests: []string{"TestDocumentsThatCannotRunAreReported"},
	},
	{
		Name: "bad-documents-left-out", Removes: "A document that cannot be used is found again and again.",
		In: store, Edits: edit("Store.leaveOut", `s.leftOut.add(id, s.Now())`, `_ = id`),
		Tests: []string{"TestDocumentsThatCannotRunAreReported"},
	},
	{
		Name: "bad-settings", Removes: "Settings that cannot be used fail the lease for all names.",
		In: store, Edits: edit("Store.takeOf", `case err != nil && !mongodb.IsUnavailable(err) && !isForAll(err):`, `case false:`),
		Tests: []string{"TestPlacesThatCannotBeUsedCostTheirNameAlone"},
	},
	{
		Name: "bytes", Removes: "A batch is not bounded in bytes.",
		In: store, Edits: edit("Store.readClaimed", `search.request.Bytes > 0 && total > search.request.Bytes && len(claimed) > 0`, `false`),
		Tests: port("a batch is bounded in bytes"),
	},
	{
		Name: "bytes-back", Removes: "What had no room in a batch stays locked.",
		In: store, Edits: edit("Store.leasesOf", `s.handBack(ctx, excess)`, ``),
		Tests: port("a batch is bounded in bytes"),
	},
	{
		Name: "fewest-first", Removes: "A free slot goes to whichever name has the earliest job.",
		In: worker, Edits: edit("lane.goesBefore", `l.running != other.running`, `false`),
		Tests: []string{"TestWhatIsLeasedAheadSharesTheSlots"},
	},
	{
		Name: "others-first", Removes: "A name that has its share of the slots is not searched for after the others.",
		In: worker, Edits: edit("fetcher.search", `if f.table.contested() {`, `if false {`),
		Tests: []string{"TestNameThatTakesEverySlotShares/one slot for slow"},
	},
}
