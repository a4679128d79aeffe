package interop_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/etrainer/backend/pkg/mongodb/mongotest"
	"github.com/etrainer/backend/pkg/queue"
	"github.com/etrainer/backend/pkg/queue/mongoqueue"
	"github.com/etrainer/backend/pkg/schedule"
)

// TestArmAndEveryMakeOneJob: a recurring job that our worker keeps armed and a
// Node service sets up by every() is one document, whoever comes first.
func TestArmAndEveryMakeOneJob(t *testing.T) {
	t.Parallel()
	eachVersion(t, func(t *testing.T, v version) {
		for name, interval := range map[string]string{"interval": "1 hour", "cron": "0 8 * * 1"} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				db := mongotest.Database(t)
				store, n := newStore(t, db), startNode(t, v, db)

				arm(t, store, "ours first", interval, queue.ArmedCreated)
				planned := onlyJob(t, db, "ours first")
				id := n.id("every", interval, "ours first")
				if id != planned {
					t.Errorf("every() made job %s beside %s", id, planned)
				}
				id = n.id("every", interval, "node first")
				arm(t, store, "node first", interval, queue.ArmedUnchanged)
				for _, name := range []string{"ours first", "node first"} {
					onlyJob(t, db, name)
				}
				if next := load(t, db, id).NextRunAt; next.IsZero() {
					t.Error("the job has no next run")
				}

				// From here on nothing is left to change.
				before := load(t, db, id).NextRunAt
				arm(t, store, "node first", interval, queue.ArmedUnchanged)
				if after := load(t, db, id).NextRunAt; !after.Equal(before) {
					t.Errorf("Arm moved the next run from %s to %s", before, after)
				}
			})
		}
	})
}

// TestArmKeepsWhatNodeGave: the payload of every(), and what Agenda 5 stores where
// none is given.
func TestArmKeepsWhatNodeGave(t *testing.T) {
	t.Parallel()
	eachVersion(t, func(t *testing.T, v version) {
		db := mongotest.Database(t)
		store, n := newStore(t, db), startNode(t, v, db)
		given := n.id("every", "1 hour", "given", bson.D{{Key: "dryRun", Value: true}})
		nothing := n.id("every", "1 hour", "nothing")
		for name, id := range map[string]string{"given": given, "nothing": nothing} {
			before := loadRaw(t, db, id).Lookup("data")
			arm(t, store, name, "2 hours", queue.ArmedMoved)
			if after := loadRaw(t, db, id).Lookup("data"); !after.Equal(before) {
				t.Errorf("the payload of %q was %s and is %s", name, before, after)
			}
		}
	})
}

// TestArmAndEveryAtOnce calls both at the same moment. The unique index on
// single jobs makes them one; it is MongoDB's choice whether every() then
// finds our document or is told of the duplicate, and finds it the next time.
// An engine without partial indexes has nothing that could: there the loser
// of the race is a second document, as two Node processes make it too.
func TestArmAndEveryAtOnce(t *testing.T) {
	t.Parallel()
	eachVersion(t, func(t *testing.T, v version) {
		const rounds = 20
		db := mongotest.Database(t)
		store, n := newStore(t, db), startNode(t, v, db)
		_, guarded := indexKeys(t, db)["oneSinglePerName"]

		doubled, refused := 0, 0
		for round := range rounds {
			name := fmt.Sprintf("round %d", round)
			var calls sync.WaitGroup
			calls.Go(func() {
				_, err := n.try("every", "1 hour", name)
				if guarded && err != nil && strings.Contains(err.Error(), "E11000") {
					refused++
					_, err = n.try("every", "1 hour", name)
				}
				if err != nil {
					t.Error(err)
				}
			})
			calls.Go(func() {
				if _, err := store.Arm(t.Context(), recurring(name, "1 hour")); err != nil {
					t.Error(err)
				}
			})
			calls.Wait()
			switch documents := documentsOf(t, db, name); {
			case documents == 2 && !guarded:
				doubled++
			case documents != 1:
				t.Errorf("%d documents", documents)
			}
		}
		t.Logf("unique index on single jobs: %t; of %d rounds %d made two documents, %d refused every() once", guarded, rounds, doubled, refused)
	})
}

func recurring(name, interval string) queue.Recurring {
	return queue.Recurring{Name: name, Repeat: schedule.Spec{Interval: interval}}
}

// arm fails unless Arm did one of the things wanted.
func arm(t *testing.T, store *mongoqueue.Store, name, interval string, want ...queue.Armed) {
	t.Helper()
	got, err := store.Arm(t.Context(), recurring(name, interval))
	if err != nil {
		t.Fatal(err)
	}
	if slices.Contains(want, got) {
		return
	}
	t.Errorf("Arm answered %s, want %v", got, want)
}

// onlyJob returns the id of the one job of a name.
func onlyJob(t *testing.T, db *mongo.Database, name string) string {
	t.Helper()
	page, err := mongoqueue.New(db, mongoqueue.Options{}).List(t.Context(), queue.Filter{Names: []string{name}})
	if err != nil {
		t.Fatal(err)
	}
	if len(page.Jobs) != 1 {
		t.Fatalf("%d jobs are called %q, want 1", len(page.Jobs), name)
	}
	return page.Jobs[0].ID.Hex()
}
