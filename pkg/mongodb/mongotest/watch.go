package mongotest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/event"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/etrainer/backend/pkg/mongodb"
	"github.com/etrainer/backend/pkg/mongodb/internal/observed"
	"github.com/etrainer/backend/pkg/mongodb/plantest"
	"github.com/etrainer/backend/pkg/schema"
)

// watch holds every command that the product sends through a client against the
// declared indexes, and every write of the queue against what it promises. What
// tests send themselves is their own affair.
type watch struct {
	mu     sync.Mutex
	faults map[string]string   // one of each kind
	served map[string]bson.Raw // one command of each shape that an index serves
}

// others sees the clients that package mongodb makes; Main reports on them.
var others watch

func init() { observed.By(others.monitor()) }

func (w *watch) monitor() *event.CommandMonitor {
	return &event.CommandMonitor{Started: func(_ context.Context, e *event.CommandStartedEvent) {
		if slices.Contains([]string{"admin", "config", "local"}, e.DatabaseName) {
			return
		}

		if who, ok := sender(); ok {
			w.see(who, e.Command)
		}
	}}
}

// beside is the option of a client that others have given a monitor.
func (w *watch) beside(opts []*options.ClientOptions) *options.ClientOptions {
	own := w.monitor()

	for _, o := range opts {
		if theirs := o.Monitor; theirs != nil {
			own = &event.CommandMonitor{Succeeded: theirs.Succeeded, Failed: theirs.Failed, Started: func(ctx context.Context, e *event.CommandStartedEvent) {
				w.monitor().Started(ctx, e)

				if theirs.Started != nil {
					theirs.Started(ctx, e)
				}
			}}
		}
	}

	return options.Client().SetMonitor(own)
}

func (w *watch) see(who origin, command bson.Raw) {
	plans, err := plantest.Check(collectionsOf(who, command), command)
	if err != nil && !excused(who, command) {
		kind := err.Error()
		if problem, ok := errors.AsType[*plantest.Problem](err); ok {
			kind = problem.Why
		}

		w.blame(who, kind, err.Error())
	}

	if fault := acknowledgement(who, command); fault != "" {
		w.blame(who, fault, fault)
	}

	w.mu.Lock()
	defer w.mu.Unlock()

	for _, plan := range plans {
		if plan.Index == "" {
			continue
		}

		if w.served == nil {
			w.served = map[string]bson.Raw{}
		}

		shape := fmt.Sprintf("%s %s by %s", who.function, plan.Query.Command, plan.Index)
		if _, seen := w.served[shape]; !seen {
			w.served[shape] = slices.Clone(command)
		}
	}
}

func (w *watch) blame(who origin, kind, fault string) {
	w.mu.Lock()
	defer w.mu.Unlock()

	if w.faults == nil {
		w.faults = map[string]string{}
	}

	if kind = who.place + kind; w.faults[kind] == "" {
		w.faults[kind] = fmt.Sprintf("%s (%s) sends %s", who.function, who.place, fault)
	}
}

// found lists the faults, each once.
func (w *watch) found() []string {
	w.mu.Lock()
	defer w.mu.Unlock()

	return slices.Sorted(maps.Values(w.faults))
}

// report fails the test for each fault, and asks a MongoDB that has the indexes
// whether it uses them.
func (w *watch) report(ctx context.Context, t testing.TB, db *mongo.Database) {
	t.Helper()

	for _, fault := range w.found() {
		t.Errorf("mongotest: %s", fault)
	}

	if Capabilities(t).Engine != mongodb.EngineMongoDB {
		return
	}

	for shape, command := range w.served {
		if plan, ok := explained(ctx, t, db, command); ok && plan.Scans() {
			t.Errorf("mongotest: %s reads a whole collection: %v", shape, plan)
		}
	}
}

// declared are the collections of the product, with those that the migrations
// keep their own state in.
var declared = append(schema.Collections(""), schema.Collection{Name: schema.MigrationsCollection, Few: "one document for each step"})

// collectionsOf are the declared collections. A queue in a collection of another
// name is a queue all the same.
func collectionsOf(who origin, command bson.Raw) []schema.Collection {
	name, _ := command.Index(0).Value().StringValueOK()
	if _, known := schema.Find(declared, name); known || !strings.HasPrefix(who.function, queueStore) {
		return declared
	}

	return schema.Queue(name)
}

// queueStore begins the functions that promise durable writes.
const queueStore = "pkg/queue/mongoqueue."

// acknowledgement tells of a write of the queue that is not acknowledged by a
// majority with its journal. Within a transaction the commit says it for all.
func acknowledgement(who origin, command bson.Raw) string {
	name := command.Index(0).Key()
	inTransaction := command.Lookup("autocommit").Type != 0
	if !slices.Contains([]string{"insert", "update", "delete", "findAndModify"}, name) || inTransaction || !strings.HasPrefix(who.function, queueStore) {
		return ""
	}

	w, _ := command.Lookup("writeConcern", "w").StringValueOK()
	j, _ := command.Lookup("writeConcern", "j").BooleanOK()
	if w == "majority" && j {
		return ""
	}

	return fmt.Sprintf("%s with the write concern %s, and promises {w: \"majority\", j: true}", name, command.Lookup("writeConcern"))
}

// origin is the function of the product that sends a command.
type origin struct {
	function string // such as pkg/queue/mongoqueue.(*Store).List
	place    string // file and line
}

const (
	module = "github.com/etrainer/backend/"
	driver = "go.mongodb.org/mongo-driver/"
)

// sender finds who sends the command that a monitor sees: the driver calls its
// monitor in the goroutine of the caller. It is false for tests, and for what
// only tests use.
func sender() (origin, bool) {
	counters := make([]uintptr, 96)
	frames := runtime.CallersFrames(counters[:runtime.Callers(2, counters)])
	driven := false

	for {
		frame, more := frames.Next()
		driven = driven || strings.HasPrefix(frame.Function, driver)

		if function, ours := strings.CutPrefix(frame.Function, module); ours && driven {
			place := fmt.Sprintf("%s:%d", path.Base(frame.File), frame.Line)
			return origin{function, place}, !ofTests(function, frame.File)
		}

		if !more {
			return origin{}, false
		}
	}
}

func ofTests(function, file string) bool {
	folder, rest := path.Split(function)
	name, _, _ := strings.Cut(rest, ".")

	return strings.HasSuffix(file, "_test.go") || strings.HasSuffix(name, "test") || strings.HasPrefix(folder, "tools/")
}
