package interop_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/etrainer/backend/pkg/mongodb/mongotest"
)

// TestIndexesDoNotCollide: each side creates its indexes at every start. An
// index of the same name with another key would keep a Node process from
// starting.
func TestIndexesDoNotCollide(t *testing.T) {
	t.Parallel()
	node := func(v version) func(*testing.T, *mongo.Database) {
		return func(t *testing.T, db *mongo.Database) {
			startNode(t, v, db).close() // startNode waits for the index
		}
	}
	ours := func(t *testing.T, db *mongo.Database) { newStore(t, db) }
	orders := map[string][]func(*testing.T, *mongo.Database){
		"ours, Agenda 5, ours, Agenda 6, ours": {ours, node(agenda5), ours, node(agenda6), ours},
		"Agenda 5, ours, Agenda 5, Agenda 6":   {node(agenda5), ours, node(agenda5), node(agenda6)},
		"Agenda 6, ours, Agenda 6, Agenda 5":   {node(agenda6), ours, node(agenda6), node(agenda5)},
	}
	for name, starts := range orders {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db := mongotest.Database(t)
			for _, start := range starts {
				start(t, db)
			}
			const want = `{"name": {"$numberInt":"1"},"nextRunAt": {"$numberInt":"1"},"priority": {"$numberInt":"-1"},"lockedAt": {"$numberInt":"1"},"disabled": {"$numberInt":"1"}}`
			if diff := cmp.Diff(want, indexKeys(t, db)["findAndLockNextJobIndex"].String()); diff != "" {
				t.Errorf("Agenda's index (-want +got):\n%s", diff)
			}

			// Both sides work on it.
			w := startWorker(t, db, named("ours"))
			n := startNode(t, agenda6, db)
			n.define(definition{Name: "theirs"})
			n.call("start")
			awaitFinished(t, db, n.id("now", "ours"), enqueueMany(t, newStore(t, db), "theirs", 1)[0])
			if w.runs.count() != 1 || n.runs.count() != 1 {
				t.Errorf("our worker ran %d jobs and Node %d, want 1 each", w.runs.count(), n.runs.count())
			}
		})
	}
}
