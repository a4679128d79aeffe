package list

import "github.com/etrainer/backend/tools/mutate/internal/mutation"

// A limit over all workers holds, and none of its places is lost.
var places = []mutation.Mutation{
	{
		Name: "places-limit", Removes: "More places of a limit are taken than there are.",
		In: store, Edits: edit("Store.takeOf", `{Key: "slots." + strconv.Itoa(limit-n), Value: bson.D{{Key: "$exists", Value: false}}}`, `{Key: "slots.9999", Value: bson.D{{Key: "$exists", Value: false}}}`),
		Tests: port("a global limit holds over all workers"),
	},
	{
		Name: "places-record", Removes: "A run that ended keeps its place.",
		In: store, Edits: edit("Store.Record", `s.freeSlots(ctx, slotsOf(endings))`, ``),
		Tests: port("a global limit holds over all workers"),
	},
	{
		Name: "places-unused", Removes: "A place that was taken for a job which a peer leased first is lost.",
		In: store, Edits: edit("Store.Lease", `s.freeSlots(ctx, search.places.unused())`, ``),
		Tests: []string{"TestPlacesOfALostRaceComeFree"},
	},
	{
		Name: "places-dead", Removes: "A dead worker keeps its places.",
		In: store, Edits: edit("Store.Rescue", `return rescued, wrap(s.freeSlotsOf(ctx, request.Instance, request.Keep), "free the places of "+request.Instance)`, `return rescued, nil`),
		Tests: port("a global limit holds over all workers"),
	},
	{
		Name: "places-owed", Removes: "A place that could not be freed is lost.",
		In: store, Edits: edit("Store.freeSlots", `s.owed.keep(byName)`, ``),
		Tests: []string{"TestPlacesThatWereNotFreedAreNotForgotten"},
	},
	{
		Name: "places-leaked", Removes: "Reconcile frees no place.",
		In: store, Edits: edit("Store.rightPlaces", `!fresh && count[each.Holder] >= held[each.Holder]`, `false`),
		Tests: port("a place that leaked comes free"),
	},
	{
		Name: "places-missing", Removes: "Reconcile adds no place for a run that began before the limit.",
		In: store, Edits: edit("Store.rightPlaces", `right = append(right, place{Token: bson.NewObjectIDFromTimestamp(now.Add(-freshPlace)), Holder: holder})`, ``),
		Tests: port("a limit counts the runs that began before it was set"),
	},
	{
		Name: "places-race", Removes: "Reconcile overwrites what a lease took meanwhile.",
		In: store, Edits: edit("Store.Reconcile", `_, err = s.settings.UpdateOne(ctx, bson.D{{Key: "_id", Value: name}, still},`,
			`_ = still; _, err = s.settings.UpdateOne(ctx, bson.D{{Key: "_id", Value: name}},`),
		Tests: []string{"TestReconcileKeepsAPlaceThatIsTakenMeanwhile"},
	},
	{
		Name: "places-counted", Removes: "Runs that began before the limit are not counted.",
		In: worker, Edits: edit("places.ready", `known := p.table.placed(name) && !l.reconciledAt.IsZero()`, `known := true`),
		Tests: []string{"TestLimitCountsWhatRunsAlready"},
	},
}
