package migrate_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/etrainer/backend/migrations/internal/migrate"
	"github.com/etrainer/backend/pkg/mongodb"
	"github.com/etrainer/backend/pkg/mongodb/mongotest"
	"github.com/etrainer/backend/pkg/schema"
)

func TestMain(m *testing.M) { mongotest.Main(m) }

func runner(db *mongo.Database, steps ...migrate.Step) *migrate.Runner {
	return migrate.New(migrate.Target{DB: db, Now: time.Now}, steps, migrate.Options{Holder: "test", Wait: time.Minute})
}

// inserting is a step that inserts one document for each id, if it is missing.
func inserting(number int, did func(id string) error, ids ...string) migrate.Step {
	step := migrate.Step{Number: number, Name: fmt.Sprint("step", number), Why: "a test"}
	step.Plan = func(ctx context.Context, t migrate.Target) ([]migrate.Action, error) {
		var actions []migrate.Action
		for _, id := range ids {
			n, err := t.DB.Collection("things").CountDocuments(ctx, bson.D{{Key: "_id", Value: id}})
			if err != nil {
				return nil, err
			}
			if n == 0 {
				actions = append(actions, migrate.Action{Text: "insert " + id, Makes: id, Do: func(ctx context.Context) error {
					if err := did(id); err != nil {
						return err
					}
					_, err := t.DB.Collection("things").InsertOne(ctx, bson.D{{Key: "_id", Value: id}})
					return err
				}})
			}
		}
		return actions, nil
	}
	step.Undo = func(_ context.Context, t migrate.Target, made []string) ([]migrate.Action, error) {
		return []migrate.Action{{Text: "remove", Do: func(ctx context.Context) error {
			_, err := t.DB.Collection("things").DeleteMany(ctx, bson.D{{Key: "_id", Value: bson.D{{Key: "$in", Value: made}}}})
			return err
		}}}, nil
	}
	return step
}

func count(t *testing.T, db *mongo.Database) int64 {
	t.Helper()
	n, err := db.Collection("things").CountDocuments(t.Context(), bson.D{})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func nothing(string) error { return nil }

func TestReplicasThatRaceApplyEachStepOnce(t *testing.T) {
	t.Parallel()
	db := mongotest.Database(t)
	var times, applied atomic.Int64
	once := func(string) error { times.Add(1); return nil }
	var all sync.WaitGroup
	for range 6 {
		all.Go(func() {
			n, err := runner(db, inserting(1, once, "a"), inserting(2, once, "b", "c")).Up(t.Context(), 0)
			if err != nil {
				t.Error(err)
			}
			applied.Add(int64(n))
		})
	}
	all.Wait()
	if times.Load() != 3 || applied.Load() != 2 || count(t, db) != 3 {
		t.Errorf("%d actions in %d steps made %d documents, want 3 in 2 and 3", times.Load(), applied.Load(), count(t, db))
	}
	state, err := mongodb.SchemaState(t.Context(), db)
	if err != nil || state.Version != 2 {
		t.Errorf("the schema version is %d (%v), want 2", state.Version, err)
	}
}

// TestAStepThatWasBrokenOffGoesOn is a kill between two actions.
func TestAStepThatWasBrokenOffGoesOn(t *testing.T) {
	t.Parallel()
	db := mongotest.Database(t)
	killed := errors.New("killed")
	broken := func(id string) error {
		if id == "b" {
			return killed
		}
		return nil
	}
	if _, err := runner(db, inserting(1, broken, "a", "b", "c")).Up(t.Context(), 0); !errors.Is(err, killed) {
		t.Fatalf("the error is %v, want %v", err, killed)
	}
	again := runner(db, inserting(1, nothing, "a", "b", "c"))
	plan, err := again.Plan(t.Context())
	if err != nil || len(plan) != 1 || !plan[0].Resumes || len(plan[0].Actions) != 2 {
		t.Fatalf("the plan is %+v (%v), want the two actions that are left", plan, err)
	}
	if _, err := again.Up(t.Context(), 0); err != nil || count(t, db) != 3 {
		t.Fatalf("%d documents (%v), want 3", count(t, db), err)
	}
	if n, err := again.Down(t.Context(), 0); err != nil || n != 1 || count(t, db) != 0 {
		t.Errorf("%d steps undone, %d documents left (%v): what the broken run made is undone as well", n, count(t, db), err)
	}
}

// TestALockOfADeadProcessExpires: its lock is there, and nobody renews it.
func TestALockOfADeadProcessExpires(t *testing.T) {
	t.Parallel()
	db := mongotest.Database(t)
	records := db.Collection(schema.MigrationsCollection)
	lockUntil := func(at time.Time) {
		t.Helper()
		_, _ = records.DeleteOne(t.Context(), bson.D{{Key: "_id", Value: schema.StateID}})
		if _, err := records.InsertOne(t.Context(), bson.D{
			{Key: "_id", Value: schema.StateID},
			{Key: "fence", Value: int64(7)},
			{Key: "lock", Value: bson.D{{Key: "token", Value: "x"}, {Key: "holder", Value: "the dead"}, {Key: "expiresAt", Value: at}}},
		}); err != nil {
			t.Fatal(err)
		}
	}
	lockUntil(time.Now().Add(time.Hour))
	impatient := migrate.New(migrate.Target{DB: db, Now: time.Now}, []migrate.Step{inserting(1, nothing, "a")}, migrate.Options{Wait: time.Nanosecond})
	if _, err := impatient.Up(t.Context(), 0); !errors.Is(err, migrate.ErrLocked) {
		t.Fatalf("the error is %v, want %v", err, migrate.ErrLocked)
	}
	lockUntil(time.Now().Add(-time.Second))
	if _, err := impatient.Up(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
}

// TestAHolderThatSleptWritesNothing: a later holder has written meanwhile.
func TestAHolderThatSleptWritesNothing(t *testing.T) {
	t.Parallel()
	db := mongotest.Database(t)
	records := db.Collection(schema.MigrationsCollection)
	step := inserting(1, func(string) error {
		_, err := records.UpdateOne(t.Context(), bson.D{{Key: "_id", Value: 1}}, bson.D{{Key: "$set", Value: bson.D{{Key: "fence", Value: int64(99)}}}})
		return err
	}, "a")
	if _, err := runner(db, step).Up(t.Context(), 0); !errors.Is(err, migrate.ErrLockLost) {
		t.Errorf("the error is %v, want %v", err, migrate.ErrLockLost)
	}
}

func TestAStepThatWasEditedIsRefused(t *testing.T) {
	t.Parallel()
	db := mongotest.Database(t)
	step := inserting(1, nothing, "a")
	if _, err := runner(db, step).Up(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	step.Revision++
	for name, refused := range map[string]func() error{
		"up":   func() error { _, err := runner(db, step).Up(t.Context(), 0); return err },
		"plan": func() error { _, err := runner(db, step).Plan(t.Context()); return err },
	} {
		if err := refused(); !errors.Is(err, migrate.ErrRefused) {
			t.Errorf("%s: the error is %v, want %v", name, err, migrate.ErrRefused)
		}
	}
	step.Repeats = true
	if n, err := runner(db, step).Up(t.Context(), 0); n != 1 || err != nil {
		t.Errorf("a step that repeats was applied %d times again (%v), want once", n, err)
	}
}

func TestWhatCannotBeUndoneIsRefusedBeforeAnythingIs(t *testing.T) {
	t.Parallel()
	db := mongotest.Database(t)
	final := inserting(1, nothing, "a")
	final.Undo, final.Irreversible = nil, "it is final"
	r := runner(db, final, inserting(2, nothing, "b"))
	if _, err := r.Up(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Down(t.Context(), 0); !errors.Is(err, migrate.ErrRefused) || count(t, db) != 2 {
		t.Fatalf("the error is %v with %d documents left, want a refusal and 2", err, count(t, db))
	}
	if n, err := r.Down(t.Context(), 1); n != 1 || err != nil || count(t, db) != 1 {
		t.Errorf("%d undone, %d documents (%v), want 1 and 1", n, count(t, db), err)
	}
}
