package poison_test

import (
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/etrainer/backend/tools/chaos/internal/poison"
)

// Every document can be encoded, has an _id of its own, and is known by it.
func TestDocuments(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	kinds := map[bson.Type]bool{}
	collections := map[string]int{}
	for number := range 3 {
		documents := append(poison.Documents("quick", 1000*number, time.Now()), poison.Big("quick", time.Now()))
		for _, document := range documents {
			raw, err := bson.Marshal(document.Fields)
			if err != nil {
				t.Fatalf("%v: %v", document.Fields, err)
			}
			id := bson.Raw(raw).Lookup("_id")
			if key := document.Collection + poison.ID(id); seen[key] && id.Type != bson.TypeBoolean {
				t.Errorf("%s is there twice", key)
			} else {
				seen[key] = true
			}
			kinds[id.Type] = true
			collections[document.Collection]++
		}
	}
	if len(kinds) < 8 {
		t.Errorf("ids are of %d types, want eight at least", len(kinds))
	}
	for _, name := range []string{"agendaJobs", "agendaRuns", "agendaInstances", "agendaSettings"} {
		if collections[name] == 0 {
			t.Errorf("%s has no damaged document", name)
		}
	}
}

func TestID(t *testing.T) {
	t.Parallel()
	id := bson.NewObjectID()
	raw, err := bson.Marshal(bson.D{{Key: "id", Value: id}, {Key: "n", Value: 7}, {Key: "text", Value: "7"}})
	if err != nil {
		t.Fatal(err)
	}
	lookup := func(key string) string { return poison.ID(bson.Raw(raw).Lookup(key)) }
	if lookup("id") != id.Hex() || lookup("n") == lookup("text") {
		t.Errorf("%s, %s, %s", lookup("id"), lookup("n"), lookup("text"))
	}
}
