package leaderboardmongo_test

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/etrainer/backend/api/internal/leaderboard"
	"github.com/etrainer/backend/api/internal/leaderboard/leaderboardmongo"
	"github.com/etrainer/backend/pkg/cache"
	"github.com/etrainer/backend/pkg/mongodb/mongotest"
	"github.com/etrainer/backend/pkg/schema"
)

var end = time.Date(2025, 8, 4, 10, 0, 0, 0, time.UTC)

func insert(t *testing.T, db *mongo.Database, collection string, documents ...any) {
	t.Helper()
	if _, err := db.Collection(collection).InsertMany(t.Context(), documents); err != nil {
		t.Fatal(err)
	}
}

func user(id bson.ObjectID, name, avatar any) bson.D {
	return bson.D{{Key: "_id", Value: id}, {Key: "name", Value: name}, {Key: "email", Value: id.Hex() + "@example.com"}, {Key: "avatarUrl", Value: avatar}}
}

func practice(of, right, rate, at any) bson.D {
	return bson.D{{Key: "user", Value: of}, {Key: "correctAnswers", Value: right}, {Key: "accuracyRate", Value: rate}, {Key: "endTime", Value: at}}
}

// bothWays runs a test with the sums of the server, which every MongoDB can, and
// with our own.
func bothWays(t *testing.T, test func(t *testing.T, grouping bool)) {
	t.Helper()
	for name, grouping := range map[string]bool{"grouped": true, "streamed": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if can := mongotest.Capabilities(t); grouping && !can.AggregationAvg {
				t.Skipf("the engine %s %s has no $max in $group", can.Engine, can.Version)
			}
			test(t, grouping)
		})
	}
}

// One odd document of the many that other programs have written must not cost
// everybody the leaderboard.
func TestComputeWithForeignTypes(t *testing.T) {
	t.Parallel()
	bothWays(t, computeWithForeignTypes)
}

func computeWithForeignTypes(t *testing.T, grouping bool) {
	t.Helper()
	db := mongotest.Database(t)
	mai, an, odd := bson.NewObjectID(), bson.NewObjectID(), bson.NewObjectID()
	insert(t, db, schema.Users, user(mai, "Mai", nil), user(an, "An", "https://x/a.png"), user(odd, 42, bson.D{}))
	insert(t, db, schema.PracticeHistories,
		practice(mai, 3, 30.0, end), practice(mai, int64(4), 66.67, end.Add(-time.Hour)), practice(mai, "odd", nil, "yesterday"),
		practice(an, 9, 90, end), practice(an, 0, 80, end.Add(time.Hour)),
		practice(odd, 1, bson.A{50}, 7),
		practice(bson.NewObjectID(), 99, 99, end), practice("nobody", 99, 99, end), bson.D{{Key: "user", Value: nil}})
	rows, err := leaderboardmongo.New(db, db, grouping).Compute(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := []leaderboard.Row{
		{User: an.Hex(), Name: "An", AvatarURL: "https://x/a.png", TotalScore: 9, Practices: 2, AverageScore: 85, LastActive: end.Add(time.Hour)},
		{User: mai.Hex(), Name: "Mai", TotalScore: 7, Practices: 3, AverageScore: 32.22, LastActive: end},
		{User: odd.Hex(), TotalScore: 1, Practices: 1},
	}
	if diff := cmp.Diff(want, rows); diff != "" {
		t.Errorf("rows (-want +got):\n%s", diff)
	}
}

func TestComputeKeepsTheBest(t *testing.T) {
	t.Parallel()
	bothWays(t, computeKeepsTheBest)
}

func computeKeepsTheBest(t *testing.T, grouping bool) {
	t.Helper()
	db := mongotest.Database(t)
	var users, practices []any
	for score := range leaderboard.Size + 20 {
		id := bson.NewObjectID()
		users = append(users, user(id, "someone", nil))
		practices = append(practices, practice(id, score, 50, end))
	}
	insert(t, db, schema.Users, users...)
	insert(t, db, schema.PracticeHistories, practices...)
	rows, err := leaderboardmongo.New(db, db, grouping).Compute(t.Context())
	if err != nil || len(rows) != leaderboard.Size {
		t.Fatalf("%d rows, %v; want %d", len(rows), err, leaderboard.Size)
	}
	for i, row := range rows {
		if want := float64(leaderboard.Size + 19 - i); row.TotalScore != want {
			t.Fatalf("row %d has score %v, want %v", i, row.TotalScore, want)
		}
	}
}

// One process computes; the others may once its time has passed.
func TestClaim(t *testing.T) {
	t.Parallel()
	db := mongotest.Database(t)
	store := leaderboardmongo.New(db, db, false)
	claim := func(now time.Time, want bool) {
		t.Helper()
		if got, err := store.Claim(t.Context(), now, now.Add(time.Minute)); got != want || err != nil {
			t.Errorf("Claim = %t, %v; want %t", got, err, want)
		}
	}
	claim(end, true)
	claim(end.Add(59*time.Second), false)
	if _, err := store.Read(t.Context()); !errors.Is(err, cache.ErrAbsent) {
		t.Errorf("Read of what is only claimed = %v, want ErrAbsent", err)
	}
	claim(end.Add(time.Minute), true)
	snapshot := leaderboard.Snapshot{At: end, Rows: []leaderboard.Row{{User: "u", Name: "Mai", TotalScore: 3, Practices: 1, LastActive: end}}}
	if err := store.Write(t.Context(), snapshot); err != nil {
		t.Fatal(err)
	}
	got, err := store.Read(t.Context())
	if diff := cmp.Diff(snapshot, got); diff != "" || err != nil {
		t.Errorf("Read: %v (-want +got):\n%s", err, diff)
	}
	claim(end.Add(61*time.Second), true)
}
