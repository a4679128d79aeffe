package mongotest

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/event"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/etrainer/backend/pkg/mongodb"
)

// Reads keeps the queries that a client sends, as the server gets them: a test
// asks about them without repeating them.
//
//	var reads mongotest.Reads
//	db := mongotest.Database(t, reads.Options())
type Reads struct {
	mu       sync.Mutex
	commands []bson.Raw
}

// Options make a client whose queries are kept.
func (r *Reads) Options() *options.ClientOptions {
	return options.Client().SetMonitor(&event.CommandMonitor{Started: func(_ context.Context, e *event.CommandStartedEvent) {
		if !slices.Contains([]string{"find", "aggregate", "count", "distinct"}, e.CommandName) {
			return
		}

		r.mu.Lock()
		defer r.mu.Unlock()

		r.commands = append(r.commands, slices.Clone(e.Command))
	}})
}

// Take returns what was kept, oldest first, and forgets it.
func (r *Reads) Take() []bson.Raw {
	r.mu.Lock()
	defer r.mu.Unlock()

	commands := r.commands
	r.commands = nil

	return commands
}

// Plan is how a server carries a query out.
type Plan struct {
	Query  bson.Raw
	Stages []string // of the winning plan, such as IXSCAN
}

// Scans reports whether it reads a whole collection, or has no plan to tell by.
func (p Plan) Scans() bool {
	return len(p.Stages) == 0 || slices.Contains(p.Stages, "COLLSCAN") || slices.Contains(p.Stages, "EOF")
}

// String names the query and the stages.
func (p Plan) String() string { return fmt.Sprintf("%v by %v", p.Query, p.Stages) }

// NeedsPlans skips a test on engines that do not tell how they read.
func NeedsPlans(t testing.TB) {
	t.Helper()

	if can := Capabilities(t); can.Engine != mongodb.EngineMongoDB {
		t.Skipf("the engine %s does not tell its plans; set %s to a MongoDB", can.Engine, uriVariable)
	}
}

// Plans asks how the queries are carried out.
func Plans(t testing.TB, db *mongo.Database, queries []bson.Raw) []Plan {
	t.Helper()

	plans := make([]Plan, len(queries))
	for i, query := range queries {
		explain := bson.D{{Key: "explain", Value: question(t, query)}, {Key: "verbosity", Value: "queryPlanner"}}

		reply, err := db.RunCommand(t.Context(), explain).Raw()
		if err != nil {
			t.Fatalf("mongotest: explain %v: %v", query, err)
		}

		plans[i] = Plan{Query: query, Stages: stages(bson.RawValue{Type: bson.TypeEmbeddedDocument, Value: reply})}
	}

	return plans
}

// question is a query without what a driver adds to it, which cannot be
// explained.
func question(t testing.TB, query bson.Raw) bson.D {
	t.Helper()

	var fields, asked bson.D
	if err := bson.Unmarshal(query, &fields); err != nil {
		t.Fatalf("mongotest: %v", err)
	}

	for _, field := range fields {
		if field.Key[0] != '$' && !slices.Contains([]string{"lsid", "txnNumber", "readConcern", "maxTimeMS"}, field.Key) {
			asked = append(asked, field)
		}
	}

	return asked
}

// stages finds those of the winning plan, wherever this kind of query and
// server has it.
func stages(value bson.RawValue) []string {
	var elements []bson.RawElement
	if document, ok := value.DocumentOK(); ok {
		elements, _ = document.Elements()
	} else if array, ok := value.ArrayOK(); ok {
		elements, _ = bson.Raw(array).Elements()
	}

	var found []string
	for _, element := range elements {
		switch name, isText := element.Value().StringValueOK(); {
		case element.Key() == "rejectedPlans":
		case element.Key() == "stage" && isText:
			found = append(found, name)
		default:
			found = append(found, stages(element.Value())...)
		}
	}

	return found
}
