package mongoqueue_test

import (
	"strings"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/etrainer/backend/pkg/mongodb/mongotest"
	"github.com/etrainer/backend/pkg/queue/mongoqueue"
)

// TestSettingsByHand: what can be read counts, and for all else there is a
// sentence. None of it reaches the settings of another name.
func TestSettingsByHand(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		fields   bson.D
		paused   bool
		limit    int
		problems []string
	}{
		{bson.D{{Key: "paused", Value: true}, {Key: "concurrency", Value: 3.0}}, true, 3, nil},
		{bson.D{{Key: "paused", Value: nil}, {Key: "concurrency", Value: nil}, {Key: "retry", Value: nil}, {Key: "schedule", Value: nil}}, false, 0, nil},
		{bson.D{{Key: "note", Value: "mine"}, {Key: "paused", Value: int32(1)}}, true, 0, nil},
		{bson.D{{Key: "paused", Value: "yes"}, {Key: "concurrency", Value: 2}}, true, 2, []string{`paused "yes" is neither true nor false; the name is held`}},
		{bson.D{{Key: "paused", Value: bson.A{}}}, true, 0, []string{"paused [] is neither"}},
		{bson.D{{Key: "concurrency", Value: "many"}, {Key: "paused", Value: true}}, true, 0, []string{`concurrency "many" cannot be read, and counts as not set`}},
		{bson.D{{Key: "concurrency", Value: -5}}, false, 0, []string{"is less than 0"}},
		{bson.D{{Key: "concurrency", Value: 1e300}}, false, 0, []string{"cannot be read"}},
		{bson.D{{Key: "missed", Value: "sometimes"}, {Key: "overlap", Value: "maybe"}}, false, 0, []string{"missed", "overlap"}},
		{bson.D{{Key: "missed", Value: 5}, {Key: "overlap", Value: bson.D{}}, {Key: "retry", Value: "often"}, {Key: "changedAt", Value: bson.A{1}}}, false, 0, []string{"missed", "overlap", "retry", "changedAt"}},
		{bson.D{{Key: "retry", Value: bson.D{{Key: "maxAttempts", Value: "x"}}}}, false, 0, []string{"retry"}},
		{bson.D{{Key: "paused", Value: strings.Repeat("x", 5000)}}, true, 0, []string{"…"}},
	} {
		db := mongotest.Database(t)
		store := mongoqueue.New(db, mongoqueue.Options{})
		for _, document := range []bson.D{append(bson.D{{Key: "_id", Value: "n"}}, c.fields...), {{Key: "_id", Value: "other"}, {Key: "concurrency", Value: 7}}} {
			if _, err := db.Collection(mongoqueue.SettingsCollection).InsertOne(t.Context(), document); err != nil {
				t.Fatal(err)
			}
		}
		all, err := store.Settings(t.Context())
		if err != nil {
			t.Fatalf("%v: %v", c.fields, err)
		}
		got := all["n"]
		if got.Paused != c.paused || got.Concurrency != c.limit || len(got.Problems) != len(c.problems) {
			t.Errorf("%v: %+v", c.fields, got)
		}
		for i, problem := range got.Problems {
			if i < len(c.problems) && !strings.Contains(problem, c.problems[i]) || len(problem) > 300 {
				t.Errorf("%v: the problem is %q, want one that says %q", c.fields, problem, c.problems[i])
			}
		}
		if other := all["other"]; other.Concurrency != 7 || len(other.Problems) > 0 {
			t.Errorf("%v: the other name has %+v", c.fields, other)
		}
	}
}

// TestSettingsOfNoName: a document whose _id is no name is shown, and counts for
// nothing.
func TestSettingsOfNoName(t *testing.T) {
	t.Parallel()
	db := mongotest.Database(t)
	for _, id := range []any{7, "", bson.NewObjectID(), bson.D{{Key: "name", Value: "n"}}} {
		if _, err := db.Collection(mongoqueue.SettingsCollection).InsertOne(t.Context(), bson.D{{Key: "_id", Value: id}, {Key: "paused", Value: true}}); err != nil {
			t.Fatal(err)
		}
	}
	all, err := mongoqueue.New(db, mongoqueue.Options{}).Settings(t.Context())
	if err != nil || len(all) != 4 {
		t.Fatalf("the settings are %+v, %v", all, err)
	}
	for name, settings := range all {
		if settings.Name != name || settings.Paused || len(settings.Problems) != 1 || !strings.Contains(settings.Problems[0], "is not the name of a job") {
			t.Errorf("%q: %+v", name, settings)
		}
	}
}
