package steps_test

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/etrainer/backend/pkg/job"
	"github.com/etrainer/backend/pkg/mongodb/mongotest"
	"github.com/etrainer/backend/pkg/schema"
)

// TestDocumentsOfEveryAgendaAreUnderstoodAndLeft takes the documents that real
// Agenda 4, 5 and 6 wrote, recorded for the queue's own wire test, as a
// collection of another service: nothing of it may change.
func TestDocumentsOfEveryAgendaAreUnderstoodAndLeft(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../../pkg/queue/mongoqueue/testdata/agenda-wire.json")
	if err != nil {
		t.Fatal(err)
	}
	var cases []struct {
		ID       string            `json:"id"`
		Given    []json.RawMessage `json:"given"`
		Expected []struct {
			Inserted json.RawMessage `json:"inserted"`
		} `json:"expected"`
	}
	if err := json.Unmarshal(text, &cases); err != nil {
		t.Fatal(err)
	}
	db := mongotest.Database(t)
	n := 0
	add := func(id string, document json.RawMessage) {
		t.Helper()
		if len(document) == 0 {
			return
		}
		var d bson.D
		document = json.RawMessage(strings.NewReplacer("<new>", bson.NewObjectID().Hex()).Replace(string(document)))
		if err := bson.UnmarshalExtJSON(document, false, &d); err != nil {
			t.Fatalf("%s: %v", id, err)
		}
		n++
		named := bson.D{{Key: "_id", Value: bson.NewObjectID()}}
		for _, e := range d {
			switch e.Key {
			case "_id":
			case "name":
				named = append(named, bson.E{Key: "name", Value: fmt.Sprintf("%v %d", e.Value, n)})
			default:
				named = append(named, e)
			}
		}
		if _, err := db.Collection(schema.Jobs).InsertOne(t.Context(), named); err != nil {
			t.Fatalf("%s: %v", id, err)
		}
		raw, err := bson.Marshal(named)
		if err != nil {
			t.Fatal(err)
		}
		if err := (&job.Document{}).UnmarshalBSON(raw); err != nil {
			t.Errorf("%s: not understood: %v", id, err)
		}
	}
	for _, c := range cases {
		for _, given := range c.Given {
			add(c.ID, given)
		}
		for _, expected := range c.Expected {
			add(c.ID, expected.Inserted)
		}
	}
	if n < 100 {
		t.Fatalf("only %d documents were found", n)
	}
	before := all(t, db, bson.D{})
	up(t, db)
	if after := all(t, db, bson.D{}); !equal(t, before, after) {
		t.Errorf("documents were changed: %d before, %d after", len(before), len(after))
	}
}
