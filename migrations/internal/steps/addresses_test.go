package steps_test

import (
	"slices"
	"strings"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/etrainer/backend/pkg/mongodb/mongotest"
	"github.com/etrainer/backend/pkg/schema"
)

// TestAddressesGetTheirKeys, and accounts that share one are reported and stay.
func TestAddressesGetTheirKeys(t *testing.T) {
	t.Parallel()
	db := mongotest.Database(t)
	users := db.Collection(schema.Users)
	for i, account := range []bson.M{
		{"email": "An@Example.com", "phone": "0901"},
		{"email": "an@example.com", "phone": nil},
		{"email": "binh@example.com", "phone": "0901"},
		{"email": "chi@example.com", "phone": ""},
		{"email": "dung@example.com"},
		{"name": "without an address"},
	} {
		account["_id"] = oid(t, byte(i+1))
		if _, err := users.InsertOne(t.Context(), account); err != nil {
			t.Fatal(err)
		}
	}
	plan, err := runner(db).Plan(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var said []string
	for _, step := range plan {
		for _, action := range step.Actions {
			if action.Collection == schema.Users && !strings.Contains(action.Text, "index") {
				said = append(said, action.Text)
			}
		}
	}
	want := []string{
		"these accounts have the same mail address but for capitals and go on as they are; merge or change them: 000000000000000000000001, 000000000000000000000002",
		"these accounts have the same phone number and go on as they are; merge or change them: 000000000000000000000001, 000000000000000000000003",
		"give 6 accounts the key of the address",
	}
	if !slices.Equal(said, want) {
		t.Errorf("the plan says %q, want %q", said, want)
	}
	for range 2 { // it repeats
		up(t, db)
	}
	for id, key := range map[byte]string{1: "an@example.com", 2: "an@example.com", 3: "binh@example.com", 6: ""} {
		var stored bson.M
		if err := users.FindOne(t.Context(), bson.M{"_id": oid(t, id)}).Decode(&stored); err != nil || stored[schema.EmailKey] != key {
			t.Errorf("account %d is %v, %v, want the key %q", id, stored, err, key)
		}
	}
	if n, err := users.CountDocuments(t.Context(), bson.M{}); n != 6 || err != nil {
		t.Errorf("%d accounts, %v, want all six", n, err)
	}
}
