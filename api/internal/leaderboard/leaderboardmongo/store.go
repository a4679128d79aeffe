// Package leaderboardmongo computes the leaderboard from MongoDB, and keeps it
// there.
package leaderboardmongo

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/etrainer/backend/api/internal/leaderboard"
	"github.com/etrainer/backend/pkg/cache"
	"github.com/etrainer/backend/pkg/schema"
)

// documentID is that of the one snapshot in schema.Leaderboards.
const documentID = "practice"

// spare is how many more sums are looked at than rows are wanted: practices
// outlive the accounts of their users.
const spare = leaderboard.Size

// Store implements leaderboard.Store.
type Store struct {
	snapshots *mongo.Collection
	reports   *mongo.Database
	grouping  bool
}

var _ leaderboard.Store = (*Store)(nil)

// New returns a Store. reports is the database to sum up from, which may be a
// secondary. grouping tells whether the engine has $max in $group; one without
// it sends every practice, and they are summed up here.
func New(db, reports *mongo.Database, grouping bool) *Store {
	return &Store{snapshots: db.Collection(schema.Leaderboards), reports: reports, grouping: grouping}
}

var byID = bson.D{{Key: "_id", Value: documentID}}

// Read implements leaderboard.Store.
func (s *Store) Read(ctx context.Context) (leaderboard.Snapshot, error) {
	var snapshot leaderboard.Snapshot
	err := s.snapshots.FindOne(ctx, byID).Decode(&snapshot)
	switch {
	case errors.Is(err, mongo.ErrNoDocuments), err == nil && snapshot.At.IsZero():
		return snapshot, cache.ErrAbsent
	case err != nil:
		return snapshot, fmt.Errorf("read the leaderboard: %w", err)
	}
	return snapshot, nil
}

// Claim implements leaderboard.Store.
func (s *Store) Claim(ctx context.Context, now, until time.Time) (bool, error) {
	_, err := s.snapshots.UpdateOne(ctx,
		bson.D{{Key: "_id", Value: documentID}, {Key: "claimedUntil", Value: bson.D{{Key: "$not", Value: bson.D{{Key: "$gt", Value: now}}}}}},
		bson.D{{Key: "$set", Value: bson.D{{Key: "claimedUntil", Value: until}}}},
		options.UpdateOne().SetUpsert(true))
	if mongo.IsDuplicateKeyError(err) { // it is there, and claimed
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("claim the leaderboard: %w", err)
	}
	return true, nil
}

// Write implements leaderboard.Store.
func (s *Store) Write(ctx context.Context, snapshot leaderboard.Snapshot) error {
	if _, err := s.snapshots.ReplaceOne(ctx, byID, snapshot, options.Replace().SetUpsert(true)); err != nil {
		return fmt.Errorf("write the leaderboard: %w", err)
	}
	return nil
}

// sum is what one user's practices add up to.
type sum struct {
	User       bson.ObjectID
	Score      float64
	Rates      float64
	Practices  int64
	LastActive time.Time
}

// Compute implements leaderboard.Store.
func (s *Store) Compute(ctx context.Context) ([]leaderboard.Row, error) {
	best := s.streamed
	if s.grouping {
		best = s.grouped
	}
	sums, err := best(ctx)
	if err != nil {
		return nil, fmt.Errorf("sum practices up: %w", err)
	}
	people, err := s.people(ctx, sums)
	if err != nil {
		return nil, fmt.Errorf("read the people of the leaderboard: %w", err)
	}
	rows := make([]leaderboard.Row, 0, leaderboard.Size)
	for _, sum := range sums {
		who, known := people[sum.User]
		if !known || len(rows) == leaderboard.Size {
			continue
		}
		rows = append(rows, leaderboard.Row{
			User: sum.User.Hex(), Name: who.Name, AvatarURL: who.AvatarURL,
			TotalScore: finite(sum.Score), Practices: sum.Practices,
			AverageScore: finite(math.Round(sum.Rates/float64(sum.Practices)*100) / 100), LastActive: sum.LastActive,
		})
	}
	return rows, nil
}

// finite makes 0 of what JSON cannot say: one NaN that a client stored must not
// cost everybody the leaderboard.
func finite(value float64) float64 {
	if math.IsNaN(value) || math.IsInf(value, 0) {
		return 0
	}
	return value
}

// grouped lets the server sum up. The sort makes it read the index that has all
// of the fields, and none of the documents.
func (s *Store) grouped(ctx context.Context) ([]sum, error) {
	of := func(operator string, value any) bson.D { return bson.D{{Key: operator, Value: value}} }
	cursor, err := s.reports.Collection(schema.PracticeHistories).Aggregate(ctx, mongo.Pipeline{
		of("$sort", bson.D{{Key: "user", Value: 1}, {Key: "endTime", Value: -1}}),
		of("$group", bson.D{
			{Key: "_id", Value: "$user"},
			{Key: "score", Value: of("$sum", "$correctAnswers")},
			{Key: "rates", Value: of("$sum", "$accuracyRate")},
			{Key: "practices", Value: of("$sum", 1)},
			{Key: "lastActive", Value: of("$max", "$endTime")},
		}),
		of("$match", bson.D{{Key: "_id", Value: of("$type", "objectId")}}),
		of("$sort", bson.D{{Key: "score", Value: -1}, {Key: "practices", Value: 1}, {Key: "_id", Value: 1}}),
		of("$limit", leaderboard.Size+spare),
	}, options.Aggregate().SetAllowDiskUse(true))
	if err != nil {
		return nil, err
	}
	defer func() { _ = cursor.Close(ctx) }()
	var sums []sum
	for cursor.Next(ctx) {
		row := cursor.Current
		each := sum{Score: number(row.Lookup("score")), Rates: number(row.Lookup("rates")), Practices: int64(number(row.Lookup("practices")))}
		each.User, _ = row.Lookup("_id").ObjectIDOK()
		each.LastActive, _ = row.Lookup("lastActive").TimeOK() // other programs write there what is no time
		sums = append(sums, each)
	}
	return sums, cursor.Err()
}

// streamed reads the four fields of every practice and sums up here.
func (s *Store) streamed(ctx context.Context) ([]sum, error) {
	fields := bson.D{{Key: "_id", Value: 0}, {Key: "user", Value: 1}, {Key: "correctAnswers", Value: 1}, {Key: "accuracyRate", Value: 1}, {Key: "endTime", Value: 1}}
	cursor, err := s.reports.Collection(schema.PracticeHistories).Find(ctx, bson.D{}, options.Find().SetProjection(fields))
	if err != nil {
		return nil, err
	}
	defer func() { _ = cursor.Close(ctx) }()
	byUser := map[bson.ObjectID]*sum{}
	for cursor.Next(ctx) {
		user, ok := cursor.Current.Lookup("user").ObjectIDOK()
		if !ok {
			continue
		}
		of := byUser[user]
		if of == nil {
			of = &sum{User: user}
			byUser[user] = of
		}
		of.add(cursor.Current)
	}
	if err := cursor.Err(); err != nil {
		return nil, err
	}
	sums := make([]sum, 0, len(byUser))
	for _, each := range byUser {
		sums = append(sums, *each)
	}
	slices.SortFunc(sums, func(a, b sum) int {
		return cmp.Or(cmp.Compare(b.Score, a.Score), cmp.Compare(a.Practices, b.Practices), cmp.Compare(a.User.Hex(), b.User.Hex()))
	})
	return sums[:min(len(sums), leaderboard.Size+spare)], nil
}

// add adds a practice. As to $sum, what is not a number counts nothing.
func (s *sum) add(practice bson.Raw) {
	s.Score += number(practice.Lookup("correctAnswers"))
	s.Rates += number(practice.Lookup("accuracyRate"))
	s.Practices++
	if end, ok := practice.Lookup("endTime").TimeOK(); ok && end.After(s.LastActive) {
		s.LastActive = end
	}
}

// number is the value of any type of number, and 0 of all else. Other programs
// choose the types, and one decimal makes a decimal of a sum.
func number(value bson.RawValue) float64 {
	if decimal, ok := value.Decimal128OK(); ok {
		parsed, _ := strconv.ParseFloat(decimal.String(), 64) // beyond a float64 it is infinite
		return parsed
	}
	parsed, _ := value.AsFloat64OK()
	return parsed
}

// person is what is shown of a user.
type person struct{ Name, AvatarURL string }

func (s *Store) people(ctx context.Context, sums []sum) (map[bson.ObjectID]person, error) {
	ids := make([]bson.ObjectID, len(sums))
	for i, each := range sums {
		ids[i] = each.User
	}
	cursor, err := s.reports.Collection(schema.Users).Find(ctx,
		bson.D{{Key: "_id", Value: bson.D{{Key: "$in", Value: ids}}}},
		options.Find().SetProjection(bson.D{{Key: "name", Value: 1}, {Key: "avatarUrl", Value: 1}}))
	if err != nil {
		return nil, err
	}
	defer func() { _ = cursor.Close(ctx) }()
	people := make(map[bson.ObjectID]person, len(ids))
	for cursor.Next(ctx) {
		// Other programs write users too: what is not text is not shown.
		name, _ := cursor.Current.Lookup("name").StringValueOK()
		avatar, _ := cursor.Current.Lookup("avatarUrl").StringValueOK()
		people[cursor.Current.Lookup("_id").ObjectID()] = person{name, avatar}
	}
	return people, cursor.Err()
}
