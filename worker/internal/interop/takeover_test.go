package interop_test

import (
	"log/slog"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/etrainer/backend/pkg/catalog"
	"github.com/etrainer/backend/pkg/mongodb/mongotest"
	"github.com/etrainer/backend/pkg/programtest"
	"github.com/etrainer/backend/pkg/queue/mongoqueue"
	"github.com/etrainer/backend/worker/internal/scheduler"
)

// The jobs that change hands. Their ticks are ten seconds apart, which is the
// closest that we take: Agenda plans an interval from the run, cron by the clock.
const (
	byInterval = "generate weekly reports"
	byCron     = "update user streaks"
	oneOff     = "send mail"
	cron       = "*/10 * * * * *"
)

// TestTakeover: a collection that a live Agenda wrote, with recurring jobs, a
// duplicate of one, one-off jobs that ended and that are planned, is migrated;
// our worker runs it; and the way back, to the live Agenda. Whoever has it runs
// every planned tick, and no tick is run by both.
func TestTakeover(t *testing.T) {
	t.Parallel()
	eachVersion(t, func(t *testing.T, v version) {
		db := mongotest.Database(t)

		// Node runs each once, and leaves what comes next to others.
		first := startNode(t, v, db)
		first.define(definition{Name: byInterval}, definition{Name: byCron}, definition{Name: oneOff})
		ids := map[string]string{byInterval: first.id("every", "10 seconds", byInterval), byCron: first.id("every", cron, byCron)}
		ended := first.id("now", oneOff, bson.M{"to": "an"})
		first.call("start")
		await(t, "Node to run each once", func() bool {
			return len(first.runs.of(ids[byInterval])) > 0 && len(first.runs.of(ids[byCron])) > 0 && len(first.runs.of(ended)) > 0
		})
		awaitFinished(t, db, ids[byInterval], ids[byCron], ended)
		first.call("stop")
		planned := first.id("schedule", time.Now().Add(15*time.Second), oneOff, bson.M{"to": "binh"})
		forNode := first.id("schedule", time.Now().Add(24*time.Hour), oneOff, bson.M{"to": "chi"})
		first.close()
		duplicate(t, db, ids[byCron])
		next := pending(t, db, ids)
		before := contents(t, db)

		plan := migrateTo(t, db, "plan", "--node-zone", "UTC")
		for _, want := range []string{`merge 2 documents of "update user streaks"`, `hand "generate weekly reports" over`, "2 one-off jobs that are planned are kept"} {
			if !strings.Contains(plan, want) {
				t.Errorf("the plan lacks %q:\n%s", want, plan)
			}
		}
		if !slices.Equal(before, contents(t, db)) {
			t.Error("the plan changed the collection")
		}
		migrateTo(t, db, "up", "--node-zone", "UTC")
		if got := pending(t, db, ids); !maps.EqualFunc(got, next, time.Time.Equal) {
			t.Errorf("the pending ticks were %v and are %v", next, got)
		}

		// Our worker, with its scheduler, goes on from there.
		w := startWorker(t, db, named(byInterval), named(byCron), named(oneOff))
		arms := scheduler.New(scheduler.Options{
			Store: mongoqueue.New(db, mongoqueue.Options{Zone: time.UTC}), Jobs: catalog.ETrainer("UTC"), Log: slog.New(slog.DiscardHandler),
		})
		if err := arms.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		await(t, "our worker to run the ticks that were planned, and more", func() bool {
			return len(w.runs.of(ids[byInterval])) > 1 && len(w.runs.of(ids[byCron])) > 1 && len(w.runs.of(planned)) > 0
		})
		awaitFinished(t, db, ids[byInterval], ids[byCron], planned)
		if err := arms.Stop(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := w.Stop(t.Context()); err != nil {
			t.Fatal(err)
		}
		for name, id := range ids {
			if documentsOf(t, db, name) != 1 {
				t.Errorf("%q has %d documents", name, documentsOf(t, db, name))
			}
			checkTicks(t, name, w.runs.of(id), next[name])
		}
		if n := len(w.runs.of(planned)); n != 1 || len(w.runs.of(ended)) != 0 || len(w.runs.of(forNode)) != 0 {
			t.Errorf("the planned one-off ran %d times; the ended one %d, the later one %d", n, len(w.runs.of(ended)), len(w.runs.of(forNode)))
		}

		// And back.
		next = pending(t, db, ids)
		migrateTo(t, db, "down", "--to", "1", "--node-zone", "UTC")
		if got := pending(t, db, ids); !maps.EqualFunc(got, next, time.Time.Equal) {
			t.Errorf("on the way back the pending ticks were %v and are %v", next, got)
		}
		second := startNode(t, v, db)
		second.define(definition{Name: byInterval}, definition{Name: byCron}, definition{Name: oneOff})
		second.call("start")
		await(t, "Node to run the ticks that were planned", func() bool {
			return len(second.runs.of(ids[byInterval])) > 0 && len(second.runs.of(ids[byCron])) > 0
		})
		for name, id := range ids {
			if at, due := second.runs.of(id)[0].At, next[name]; at.Before(due) {
				t.Errorf("Node ran %q at %s, before its tick at %s", name, at, due)
			}
		}
		if load(t, db, forNode).NextRunAt.IsZero() {
			t.Error("the one-off job that was planned for tomorrow is not planned any more")
		}
		second.call("stop")
	})
}

// checkTicks checks that the first tick is the one that was pending, and that
// none came twice.
func checkTicks(t *testing.T, name string, of []run, first time.Time) {
	t.Helper()
	for i, r := range of {
		if i == 0 && !r.Tick.Equal(first) {
			t.Errorf("%q: the first tick is %s, and %s was pending", name, r.Tick, first)
		}
		if i > 0 && !r.Tick.After(of[i-1].Tick) {
			t.Errorf("%q: the tick %s comes after %s", name, r.Tick, of[i-1].Tick)
		}
		if name == byCron && r.Tick.Second()%10 != 0 {
			t.Errorf("%q: the tick %s is none of its schedule", name, r.Tick)
		}
	}
}

// pending is when each job runs next, by name.
func pending(t *testing.T, db *mongo.Database, ids map[string]string) map[string]time.Time {
	t.Helper()
	next := map[string]time.Time{}
	for name, id := range ids {
		next[name] = load(t, db, id).NextRunAt
	}
	return next
}

// duplicate copies a recurring job, as two Node processes make it that start at
// the same moment. The copy has run nothing.
func duplicate(t *testing.T, db *mongo.Database, id string) {
	t.Helper()
	var d bson.D
	if err := bson.Unmarshal(loadRaw(t, db, id), &d); err != nil {
		t.Fatal(err)
	}
	d = slices.DeleteFunc(d, func(e bson.E) bool { return e.Key == "lastRunAt" || e.Key == "lastFinishedAt" })
	for i := range d {
		switch d[i].Key {
		case "_id":
			d[i].Value = bson.NewObjectID()
		case "nextRunAt":
			d[i].Value = time.Now().Add(-time.Hour) // a tick that the other has run
		}
	}
	if _, err := collection(db).InsertOne(t.Context(), d); err != nil {
		t.Fatal(err)
	}
}

// contents is every document of the collection.
func contents(t *testing.T, db *mongo.Database) []string {
	t.Helper()
	cursor, err := collection(db).Find(t.Context(), bson.D{})
	if err != nil {
		t.Fatal(err)
	}
	var documents []bson.Raw
	if err := cursor.All(t.Context(), &documents); err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, d := range documents {
		out = append(out, d.String())
	}
	slices.Sort(out)
	return out
}

// migrateTo runs the real program on a database, with every zone UTC, and returns what it says.
func migrateTo(t *testing.T, db *mongo.Database, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), programtest.Path(t, "migrate"), args...)
	cmd.Env = append(os.Environ(), "MONGODB_URI="+withDatabase(mongotest.URI(t), db.Name()), "JOBS_TIMEZONE=UTC")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("migrate %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}
