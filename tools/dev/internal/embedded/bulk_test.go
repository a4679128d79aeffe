package embedded_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/etrainer/backend/tools/dev/internal/embedded"
)

func updateOne(filter, set bson.D) *mongo.UpdateOneModel {
	return mongo.NewUpdateOneModel().SetFilter(filter).SetUpdate(bson.D{{Key: "$set", Value: set}})
}

// things is a collection with one unique index and documents with _id 0 to n-1
// as strings "0", "1"….
func things(t *testing.T, n int) *mongo.Collection {
	t.Helper()

	c := connect(t, startMongoDB(t, embedded.MongoDBOptions{}).URI("")).Collection("things")

	if _, err := c.Indexes().CreateOne(t.Context(), mongo.IndexModel{
		Keys: bson.D{{Key: "code", Value: 1}}, Options: options.Index().SetUnique(true),
	}); err != nil {
		t.Fatal(err)
	}

	docs := make([]any, n)
	for i := range docs {
		docs[i] = bson.D{{Key: "_id", Value: name(i)}, {Key: "code", Value: i}, {Key: "state", Value: "free"}}
	}

	if _, err := c.InsertMany(t.Context(), docs); err != nil {
		t.Fatal(err)
	}

	return c
}

func name(i int) string { return string(rune('a'+i/26)) + string(rune('a'+i%26)) }

func TestBulkWritesOfMoreThanAHundredUpdatesEnd(t *testing.T) {
	t.Parallel()

	const n = 120

	c := things(t, n)
	models := make([]mongo.WriteModel, n)

	for i := range models {
		models[i] = updateOne(
			bson.D{{Key: "_id", Value: name(i)}, {Key: "state", Value: "free"}},
			bson.D{{Key: "state", Value: "taken"}},
		)
	}

	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()

	for _, want := range []int64{n, 0} { // the second time the fence fails everywhere
		r, err := c.BulkWrite(ctx, models, options.BulkWrite().SetOrdered(false))
		if err != nil {
			t.Fatal(err)
		}

		if r.MatchedCount != want || r.ModifiedCount != want {
			t.Errorf("matched %d and modified %d, want %d", r.MatchedCount, r.ModifiedCount, want)
		}
	}
}

func TestBulkWriteReportsEachStatement(t *testing.T) {
	t.Parallel()

	upsert := func(id string, code int) mongo.WriteModel {
		return updateOne(bson.D{{Key: "_id", Value: id}}, bson.D{{Key: "code", Value: code}}).SetUpsert(true)
	}
	models := []mongo.WriteModel{
		upsert("new1", 100), // inserted
		upsert("new2", 1),   // code 1 is taken
		updateOne(bson.D{{Key: "_id", Value: "aa"}}, bson.D{{Key: "state", Value: "taken"}}),
		upsert("new3", 101), // inserted
		updateOne(bson.D{{Key: "_id", Value: "aa"}}, bson.D{{Key: "_id", Value: "ab"}}), // no such thing
	}

	for _, tc := range []struct {
		ordered  bool
		failed   []int
		upserted map[int64]any
		taken    int64
	}{
		{ordered: false, failed: []int{1, 4}, upserted: map[int64]any{0: "new1", 3: "new3"}, taken: 1},
		{ordered: true, failed: []int{1}, upserted: map[int64]any{0: "new1"}, taken: 0},
	} {
		c := things(t, 3)

		r, err := c.BulkWrite(t.Context(), models, options.BulkWrite().SetOrdered(tc.ordered))

		var failures mongo.BulkWriteException
		if !errors.As(err, &failures) {
			t.Fatalf("ordered %t: error is %v, want a BulkWriteException", tc.ordered, err)
		}

		var failed []int
		for _, e := range failures.WriteErrors {
			failed = append(failed, e.Index)
		}

		if !mongo.IsDuplicateKeyError(failures.WriteErrors[0]) {
			t.Errorf("statement 1 failed with %v, want a duplicate key", failures.WriteErrors[0])
		}

		if diff := cmp.Diff(tc.failed, failed); diff != "" {
			t.Errorf("ordered %t: failed statements: %s", tc.ordered, diff)
		}

		if diff := cmp.Diff(tc.upserted, r.UpsertedIDs); diff != "" {
			t.Errorf("ordered %t: upserted: %s", tc.ordered, diff)
		}

		if n, err := c.CountDocuments(t.Context(), bson.D{{Key: "state", Value: "taken"}}); err != nil || n != tc.taken {
			t.Errorf("ordered %t: %d are taken (%v), want %d", tc.ordered, n, err, tc.taken)
		}
	}
}

func TestOrderedInsertStopsAtTheFirstDuplicate(t *testing.T) {
	t.Parallel()

	for _, tc := range []struct {
		ordered bool
		want    int64
	}{{ordered: true, want: 51}, {ordered: false, want: 250}} {
		c := things(t, 1)

		docs := make([]any, 250)
		for i := range docs {
			docs[i] = bson.D{{Key: "_id", Value: i}, {Key: "code", Value: 1000 + i}}
		}

		docs[50] = bson.D{{Key: "_id", Value: name(0)}, {Key: "code", Value: 2000}}

		_, err := c.InsertMany(t.Context(), docs, options.InsertMany().SetOrdered(tc.ordered))

		var failures mongo.BulkWriteException
		if !errors.As(err, &failures) || len(failures.WriteErrors) != 1 || failures.WriteErrors[0].Index != 50 {
			t.Errorf("ordered %t: error is %v, want one for document 50", tc.ordered, err)
		}

		if n, err := c.CountDocuments(t.Context(), bson.D{}); err != nil || n != tc.want {
			t.Errorf("ordered %t: %d documents (%v), want %d", tc.ordered, n, err, tc.want)
		}
	}
}

func TestFencedWritesMeanWhatTheySay(t *testing.T) {
	t.Parallel()

	c := things(t, 3)
	ctx := t.Context()
	holds := func(id, state string) bson.D { return bson.D{{Key: "_id", Value: id}, {Key: "state", Value: state}} }
	set := bson.D{{Key: "$set", Value: bson.D{{Key: "seen", Value: true}}}}

	for _, tc := range []struct {
		filter bson.D
		want   int64
	}{
		{holds("aa", "free"), 1},
		{holds("aa", "taken"), 0},
		{holds("zz", "free"), 0},
		{bson.D{{Key: "_id", Value: "ab"}, {Key: "code", Value: bson.D{{Key: "$gte", Value: 1}}}}, 1},
		{bson.D{{Key: "_id", Value: "ab"}, {Key: "missing", Value: nil}}, 1},
		{bson.D{{Key: "_id", Value: "ab"}, {Key: "$or", Value: bson.A{bson.D{{Key: "code", Value: 7}}}}}, 0},
	} {
		r, err := c.UpdateOne(ctx, tc.filter, set)
		if err != nil || r.MatchedCount != tc.want {
			t.Errorf("update %v matched %+v (%v), want %d", tc.filter, r, err, tc.want)
		}
	}

	var before bson.M
	if err := c.FindOneAndUpdate(ctx, holds("ac", "free"), set).Decode(&before); err != nil || before["_id"] != "ac" {
		t.Errorf("findAndModify found %v (%v), want ac", before, err)
	}

	if err := c.FindOneAndUpdate(ctx, holds("ac", "taken"), set).Err(); !errors.Is(err, mongo.ErrNoDocuments) {
		t.Errorf("findAndModify with a lost fence: %v, want no documents", err)
	}

	for _, state := range []string{"taken", "free"} {
		want := int64(0)
		if state == "free" {
			want = 1
		}

		if r, err := c.DeleteOne(ctx, holds("ac", state)); err != nil || r.DeletedCount != want {
			t.Errorf("delete of a %s thing deleted %+v (%v), want %d", state, r, err, want)
		}
	}

	r, err := c.UpdateOne(ctx, holds("new", "free"), set, options.UpdateOne().SetUpsert(true))
	if err != nil || r.UpsertedID != "new" {
		t.Errorf("upsert inserted %+v (%v), want new", r, err)
	}
}
