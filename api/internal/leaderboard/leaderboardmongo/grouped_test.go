package leaderboardmongo_test

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/etrainer/backend/api/internal/leaderboard"
	"github.com/etrainer/backend/api/internal/leaderboard/leaderboardmongo"
	"github.com/etrainer/backend/pkg/mongodb/mongotest"
	"github.com/etrainer/backend/pkg/mongodb/wiretest"
	"github.com/etrainer/backend/pkg/schema"
)

// server is a MongoDB that sums up: it answers the aggregation with rows, and
// keeps its pipeline.
func server(t *testing.T, rows, users bson.A) (*mongo.Database, func() string) {
	t.Helper()
	pipeline := make(chan string, 1)
	batch := func(collection string, documents bson.A) bson.D {
		return bson.D{{Key: "cursor", Value: bson.D{{Key: "id", Value: int64(0)}, {Key: "ns", Value: "test." + collection}, {Key: "firstBatch", Value: documents}}}}
	}
	wire := wiretest.New(t, func(command bson.Raw) bson.D {
		switch wiretest.Name(command) {
		case "aggregate":
			pipeline <- command.Lookup("aggregate").StringValue() + " " + command.Lookup("pipeline").String()
			return batch(schema.PracticeHistories, rows)
		case "find":
			return batch(schema.Users, users)
		default:
			return wiretest.Greet(command, nil, nil)
		}
	})
	client, err := mongo.Connect(options.Client().ApplyURI("mongodb://" + wire.Host() + "/?directConnection=true"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := client.Disconnect(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})
	return client.Database("test"), func() string { return <-pipeline }
}

// TestComputeReadsEveryTypeOfSum: the type of a sum follows the types of what was
// stored, which other programs choose.
func TestComputeReadsEveryTypeOfSum(t *testing.T) {
	t.Parallel()
	decimal := func(text string) bson.Decimal128 {
		d, err := bson.ParseDecimal128(text)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	ids := make([]bson.ObjectID, 6)
	users := bson.A{}
	for i := range ids {
		ids[i] = bson.NewObjectID()
		users = append(users, user(ids[i], "Mai", nil))
	}
	row := func(id bson.ObjectID, score, rates, practices, last any) bson.D {
		return bson.D{{Key: "_id", Value: id}, {Key: "score", Value: score}, {Key: "rates", Value: rates}, {Key: "practices", Value: practices}, {Key: "lastActive", Value: last}}
	}
	db, _ := server(t, bson.A{
		row(ids[0], decimal("1E+3"), decimal("133.35"), int32(2), end),
		row(ids[1], int64(900), int32(150), int64(2), end.Add(time.Hour)),
		row(ids[2], int32(800), 99.99, 3.0, "yesterday"),
		row(ids[3], 700.5, int64(100), int32(1), bson.Timestamp{T: 7}),
		row(ids[4], decimal("NaN"), decimal("Infinity"), int32(1), nil),
		row(ids[5], nil, "odd", nil, nil),
		row(bson.NewObjectID(), 1, 1, 1, end), // of nobody
	}, users)
	rows, err := leaderboardmongo.New(db, db, true).Compute(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := []leaderboard.Row{
		{User: ids[0].Hex(), Name: "Mai", TotalScore: 1000, Practices: 2, AverageScore: 66.68, LastActive: end},
		{User: ids[1].Hex(), Name: "Mai", TotalScore: 900, Practices: 2, AverageScore: 75, LastActive: end.Add(time.Hour)},
		{User: ids[2].Hex(), Name: "Mai", TotalScore: 800, Practices: 3, AverageScore: 33.33},
		{User: ids[3].Hex(), Name: "Mai", TotalScore: 700.5, Practices: 1, AverageScore: 100},
		{User: ids[4].Hex(), Name: "Mai", Practices: 1},
		{User: ids[5].Hex(), Name: "Mai"},
	}
	if diff := cmp.Diff(want, rows); diff != "" {
		t.Errorf("rows (-want +got):\n%s", diff)
	}
}

// TestTheServerReadsNoPractice asks a MongoDB how it sums up.
func TestTheServerReadsNoPractice(t *testing.T) {
	t.Parallel()
	mongotest.NeedsPlans(t)
	var reads mongotest.Reads
	db := mongotest.Database(t, reads.Options())
	mongotest.Migrate(t, db)
	id := bson.NewObjectID()
	insert(t, db, schema.Users, user(id, "Mai", nil))
	insert(t, db, schema.PracticeHistories, practice(id, 3, 50.0, end))
	reads.Take()
	if rows, err := leaderboardmongo.New(db, db, true).Compute(t.Context()); err != nil || len(rows) != 1 {
		t.Fatalf("rows = %v, %v", rows, err)
	}
	for _, plan := range mongotest.Plans(t, db, reads.Take()) {
		if plan.Scans() {
			t.Errorf("a whole collection is read: %v", plan)
		}
	}
}

// TestTheServerSumsUpFromAnIndex holds the query against the index that is to
// answer it: the same order first, and no field that is not in it.
func TestTheServerSumsUpFromAnIndex(t *testing.T) {
	t.Parallel()
	db, pipeline := server(t, bson.A{}, bson.A{})
	if _, err := leaderboardmongo.New(db, db, true).Compute(t.Context()); err != nil {
		t.Fatal(err)
	}
	want := schema.PracticeHistories + ` [{"$sort": {"user": {"$numberInt":"1"},"endTime": {"$numberInt":"-1"}}},` +
		`{"$group": {"_id": "$user","score": {"$sum": "$correctAnswers"},"rates": {"$sum": "$accuracyRate"},"practices": {"$sum": {"$numberInt":"1"}},"lastActive": {"$max": "$endTime"}}},` +
		`{"$match": {"_id": {"$type": "objectId"}}},` +
		`{"$sort": {"score": {"$numberInt":"-1"},"practices": {"$numberInt":"1"},"_id": {"$numberInt":"1"}}},{"$limit": {"$numberInt":"200"}}]`
	if got := pipeline(); got != want {
		t.Errorf("the server was asked for\n%s\nwant\n%s", got, want)
	}
	collection, _ := schema.Find(schema.Learning(), schema.PracticeHistories)
	for _, index := range collection.Indexes {
		if index.String() == "{user: 1, endTime: -1, correctAnswers: 1, accuracyRate: 1}" {
			return
		}
	}
	t.Errorf("no index of %s has the order and all fields of the query", collection.Name)
}
