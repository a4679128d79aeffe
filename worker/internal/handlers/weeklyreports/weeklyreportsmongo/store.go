// Package weeklyreportsmongo counts weeks in ETrainer's MongoDB collections
// and keeps the reports in the collection weeklyReports.
package weeklyreportsmongo

import (
	"context"
	"errors"
	"fmt"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/etrainer/backend/worker/internal/handlers/weeklyreports"
)

// Collection keeps one document per week; _id is the date of its Monday.
const Collection = "weeklyReports"

// Store implements weeklyreports.Store.
type Store struct {
	users, exams, practices, reports *mongo.Collection
}

var _ weeklyreports.Store = (*Store)(nil)

// New returns a Store on a database. Collections are named as mongoose does.
func New(db *mongo.Database) *Store {
	return &Store{
		users: db.Collection("users"), exams: db.Collection("examhistories"),
		practices: db.Collection("practicehistories"), reports: db.Collection(Collection),
	}
}

// within matches documents whose date lies in the week. Comparisons match
// within one BSON type, so rows with a missing or foreign value are out.
func within(field string, week weeklyreports.Week) bson.D {
	return bson.D{{Key: field, Value: bson.D{{Key: "$gte", Value: week.From}, {Key: "$lt", Value: week.To}}}}
}

// NewUsers implements weeklyreports.Store.
func (s *Store) NewUsers(ctx context.Context, week weeklyreports.Week) (int64, error) {
	return s.users.CountDocuments(ctx, within("createdAt", week))
}

// ExamsCompleted implements weeklyreports.Store.
func (s *Store) ExamsCompleted(ctx context.Context, week weeklyreports.Week) (int64, error) {
	return s.exams.CountDocuments(ctx, within("endTime", week))
}

// PracticeCompleted implements weeklyreports.Store.
func (s *Store) PracticeCompleted(ctx context.Context, week weeklyreports.Week) (int64, error) {
	return s.practices.CountDocuments(ctx, within("endTime", week))
}

// ActiveUsers implements weeklyreports.Store. Both collections hand out their
// users in order, and merging the two needs the memory of one page.
func (s *Store) ActiveUsers(ctx context.Context, week weeklyreports.Week) (int64, error) {
	exams, err := usersOf(ctx, s.exams, week)
	if err != nil {
		return 0, err
	}
	defer exams.close(ctx)
	practices, err := usersOf(ctx, s.practices, week)
	if err != nil {
		return 0, err
	}
	defer practices.close(ctx)
	var count int64
	for exams.more || practices.more {
		count++
		user := exams.user
		if !exams.more || practices.more && practices.user.Hex() < user.Hex() {
			user = practices.user
		}
		exams.pass(ctx, user)
		practices.pass(ctx, user)
	}
	return count, errors.Join(exams.err, practices.err)
}

// userStream is the distinct users of a collection in ascending order.
type userStream struct {
	cursor *mongo.Cursor
	user   bson.ObjectID
	more   bool
	err    error
}

func usersOf(ctx context.Context, collection *mongo.Collection, week weeklyreports.Week) (*userStream, error) {
	isID := bson.E{Key: "user", Value: bson.D{{Key: "$type", Value: "objectId"}}}
	cursor, err := collection.Aggregate(ctx, mongo.Pipeline{
		{{Key: "$match", Value: append(within("endTime", week), isID)}},
		{{Key: "$group", Value: bson.D{{Key: "_id", Value: "$user"}}}},
		{{Key: "$sort", Value: bson.D{{Key: "_id", Value: 1}}}},
	}, options.Aggregate().SetAllowDiskUse(true))
	if err != nil {
		return nil, fmt.Errorf("group %s by user: %w", collection.Name(), err)
	}
	stream := &userStream{cursor: cursor}
	stream.advance(ctx)
	return stream, nil
}

func (u *userStream) advance(ctx context.Context) {
	u.more = u.cursor.Next(ctx)
	if !u.more {
		u.err = u.cursor.Err()
		return
	}
	u.user, _ = u.cursor.Current.Lookup("_id").ObjectIDOK()
}

func (u *userStream) pass(ctx context.Context, user bson.ObjectID) {
	if u.more && u.user == user {
		u.advance(ctx)
	}
}

func (u *userStream) close(ctx context.Context) { _ = u.cursor.Close(ctx) }

// Save implements weeklyreports.Store.
func (s *Store) Save(ctx context.Context, r weeklyreports.Report) error {
	_, err := s.reports.ReplaceOne(ctx, bson.D{{Key: "_id", Value: r.Week}}, bson.D{
		{Key: "_id", Value: r.Week},
		{Key: "week", Value: r.Week},
		{Key: "newUsers", Value: r.NewUsers},
		{Key: "examsCompleted", Value: r.ExamsCompleted},
		{Key: "activeUsers", Value: r.ActiveUsers},
		{Key: "practiceCompleted", Value: r.PracticeCompleted},
		{Key: "from", Value: r.From},
		{Key: "to", Value: r.To},
		{Key: "timezone", Value: r.Timezone},
		{Key: "generatedAt", Value: r.GeneratedAt},
	}, options.Replace().SetUpsert(true))
	return err
}
