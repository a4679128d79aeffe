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
	"github.com/etrainer/backend/pkg/schema"
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
		plan, err := explain(t.Context(), db, query)
		if err != nil {
			t.Fatalf("mongotest: explain %v: %v", query, err)
		}

		plans[i] = plan
	}

	return plans
}

func explain(ctx context.Context, db *mongo.Database, query bson.Raw) (Plan, error) {
	asked, err := question(query)
	if err != nil {
		return Plan{}, err
	}

	reply, err := db.RunCommand(ctx, bson.D{{Key: "explain", Value: asked}, {Key: "verbosity", Value: "queryPlanner"}}).Raw()
	if err != nil {
		return Plan{}, err
	}

	return Plan{Query: query, Stages: stages(bson.RawValue{Type: bson.TypeEmbeddedDocument, Value: reply})}, nil
}

// explained asks about a command whose collection has every declared index: many
// tests do without.
func explained(ctx context.Context, t testing.TB, db *mongo.Database, command bson.Raw) (Plan, bool) {
	t.Helper()

	name, _ := command.Index(0).Value().StringValueOK()
	collection, known := schema.Find(declared, name)
	if !known {
		return Plan{}, false
	}

	stored, err := mongodb.ListIndexes(ctx, db.Collection(name))
	if err != nil {
		t.Errorf("mongotest: %v", err)
	}

	if err != nil || len(mongodb.CompareIndexes(stored, collection.Indexes).Missing) > 0 {
		return Plan{}, false
	}

	plan, err := explain(ctx, db, command)
	if err != nil {
		t.Errorf("mongotest: explain %v: %v", command, err)
	}

	return plan, err == nil
}

// unexplained are what a driver adds to a command, and what cannot be explained.
var unexplained = []string{"lsid", "txnNumber", "readConcern", "writeConcern", "maxTimeMS", "startTransaction", "autocommit"}

// question is a command without those. The server explains one statement of a
// write at a time: the first stands for all.
func question(query bson.Raw) (bson.D, error) {
	var fields, asked bson.D
	if err := bson.Unmarshal(query, &fields); err != nil {
		return nil, err
	}

	for _, field := range fields {
		if statements, ok := field.Value.(bson.A); ok && (field.Key == "updates" || field.Key == "deletes") {
			field.Value = statements[:1]
		}

		if field.Key[0] != '$' && !slices.Contains(unexplained, field.Key) {
			asked = append(asked, field)
		}
	}

	return asked, nil
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
