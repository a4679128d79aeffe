package list

import "github.com/etrainer/backend/tools/mutate/internal/mutation"

// What several processes make at the same time has one id, so it is there once.
var ids = []mutation.Mutation{
	{
		Name: "id-arm", Removes: "Each scheduler makes a recurring job of its own.",
		In: store, Edits: edit("Store.insertRecurring", `derivedID("single", r.Name)`, `bson.NewObjectID()`),
		Tests: port("five schedulers make one job"),
	},
	{
		Name: "id-unique", Removes: "Each caller makes a unique job of its own.",
		In: store, Edits: edit("Store.upsertUnique", `document.ID = derivedID("unique", string(text))`, `_ = text`),
		Tests: port("twenty unique callers make one job"),
	},
	{
		Name: "id-key", Removes: "Each request with one idempotency key makes a job of its own.",
		In: store, Edits: edit("Store.newJob", `document.ID = derivedID("idempotency key", request.IdempotencyKey)`, ``),
		Tests: port("twenty callers with one idempotency key make one job"),
	},
	{
		Name: "id-tick", Removes: "The job of a tick is made again after a crash.",
		In: store, Edits: edit("Store.spawn", `derivedID("tick", lease.Job.ID.Hex()+lease.Tick.UTC().Format(time.RFC3339Nano))`, `bson.NewObjectID()`),
		Tests: []string{"TestATickOfItsOwnIsCreatedOnce"},
	},
	{
		Name: "id-run", Removes: "Each who writes down a run makes a record of its own.",
		In: store, Edits: edit("runID", `binary.BigEndian.PutUint32(id[:4], uint32(tick.Unix()))`, `id = bson.NewObjectID()`),
		Tests: port("a rescued job runs again at once, and its former holder records nothing"),
	},
}
