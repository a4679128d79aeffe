package authmongo_test

import (
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/etrainer/backend/pkg/mongodb/mongotest"
	"github.com/etrainer/backend/pkg/schema"
)

// lookups returns the queries of a registration and of a login.
func lookups(t *testing.T) (*mongo.Database, []bson.Raw) {
	t.Helper()
	var reads mongotest.Reads
	db := mongotest.Database(t, reads.Options())
	store := newStore(t, db)
	create(t, store, "a@example.com")
	reads.Take()
	if taken, err := store.Taken(t.Context(), "b@example.com", "0901"); taken || err != nil {
		t.Fatalf("Taken = %t, %v", taken, err)
	}
	if _, err := store.ByEmail(t.Context(), "a@example.com"); err != nil {
		t.Fatal(err)
	}
	queries := reads.Take()
	if len(queries) != 2 {
		t.Fatalf("queries = %v, want two", queries)
	}
	return db, queries
}

// TestAccountsAreLookedForByIndexedFields: everybody may register, so that may
// not read all accounts.
func TestAccountsAreLookedForByIndexedFields(t *testing.T) {
	t.Parallel()
	_, queries := lookups(t)
	accounts, _ := schema.Find(schema.Accounts(), schema.Users)
	alternatives, err := bson.Raw(queries[0].Lookup("filter", "$or").Array()).Values()
	if err != nil || len(alternatives) != 3 {
		t.Fatalf("%v asks for %v, %v; want the address, its key and the phone number", queries[0], alternatives, err)
	}
	for _, alternative := range alternatives {
		field, begins := alternative.Document().Index(0).Key(), false
		for _, index := range accounts.Indexes {
			begins = begins || index.Keys[0].Key == field && index.Partial == nil
		}
		if !begins {
			t.Errorf("accounts are looked for by %s, and no index begins with it", field)
		}
	}
}

// TestAccountsAreFoundByIndexes asks a MongoDB itself.
func TestAccountsAreFoundByIndexes(t *testing.T) {
	t.Parallel()
	mongotest.NeedsPlans(t)
	db, queries := lookups(t)
	for _, plan := range mongotest.Plans(t, db, queries) {
		if plan.Scans() {
			t.Errorf("all accounts are read: %v", plan)
		}
	}
}
