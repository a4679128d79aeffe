// Package streaksmongo reads the history of users from ETrainer's MongoDB
// collections and keeps their streaks in the collection users.
//
// It uses plain finds and updates only, so every engine gives the same answers.
package streaksmongo

import (
	"context"
	"errors"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/etrainer/backend/pkg/schema"
	"github.com/etrainer/backend/worker/internal/handlers/streaks"
)

// batchSize is the number of history documents of one answer: some hundred
// kilobytes.
const batchSize = 5000

// Store implements streaks.Store.
type Store struct {
	users, journeys *mongo.Collection
	results         []*mongo.Collection // with endTime
}

var _ streaks.Store = (*Store)(nil)

// New returns a Store on a database. Exam results that were archived count on.
func New(db *mongo.Database) *Store {
	return &Store{
		users: db.Collection(schema.Users), journeys: db.Collection(schema.UserJourneys),
		results: []*mongo.Collection{
			db.Collection(schema.ExamHistories), db.Collection(schema.PracticeHistories), db.Collection(schema.ExamArchive),
		},
	}
}

// Count implements streaks.Store.
func (s *Store) Count(ctx context.Context) (int64, error) { return s.users.EstimatedDocumentCount(ctx) }

// Users implements streaks.Store.
func (s *Store) Users(ctx context.Context, after streaks.UserID) ([]streaks.User, error) {
	cursor, err := s.users.Find(ctx, between("_id", after, streaks.UserID{}), options.Find().
		SetSort(bson.D{{Key: "_id", Value: 1}}).SetLimit(streaks.PageSize).SetBatchSize(streaks.PageSize+1).
		SetProjection(bson.D{{Key: "streak", Value: 1}}))
	if err != nil {
		return nil, err
	}
	defer func() { _ = cursor.Close(ctx) }()
	users := make([]streaks.User, 0, streaks.PageSize)
	for cursor.Next(ctx) {
		id, _ := cursor.Current.Lookup("_id").ObjectIDOK() // the filter lets no other type pass
		users = append(users, streaks.User{ID: streaks.UserID(id), Streak: stored(cursor.Current.Lookup("streak"))})
	}
	return users, cursor.Err()
}

// stored reads a streak as it is found, of whatever type.
func stored(value bson.RawValue) streaks.Stored {
	object, ok := value.DocumentOK()
	if !ok {
		return streaks.Stored{}
	}
	count, hasCount := object.Lookup("count").AsInt64OK()
	longest, hasLongest := object.Lookup("longest").AsInt64OK()
	_, hasTime := object.Lookup("lastUpdated").TimeOK()
	day := object.Lookup("lastActiveDay")
	text, hasDay := day.StringValueOK()
	return streaks.Stored{
		Object: true, Count: int(count), Longest: max(int(longest), 0), LastActiveDay: text,
		Complete: hasCount && hasLongest && hasTime && (hasDay || day.Type == bson.TypeNull),
	}
}

// between matches ids behind one and up to another, both of which may be zero
// for no bound. Comparisons match within one BSON type: other types are out.
func between(field string, after, upTo streaks.UserID) bson.D {
	bounds := bson.D{{Key: "$gt", Value: bson.ObjectID(after)}}
	if upTo != (streaks.UserID{}) {
		bounds = append(bounds, bson.E{Key: "$lte", Value: bson.ObjectID(upTo)})
	}
	return bson.D{{Key: field, Value: bounds}}
}

// Activity implements streaks.Store. The index on user and endTime answers the
// finds on results alone.
func (s *Store) Activity(ctx context.Context, after, upTo streaks.UserID, each func(streaks.UserID, time.Time), skip func(string)) error {
	visit := visitor{each: each, skip: skip}
	for _, collection := range s.results {
		fields := bson.D{{Key: "_id", Value: 0}, {Key: "user", Value: 1}, {Key: "endTime", Value: 1}}
		err := scan(ctx, collection, between("user", after, upTo), fields, func(document bson.Raw) {
			user, _ := document.Lookup("user").ObjectIDOK()
			visit.required(user, document.Lookup("endTime"), collection.Name()+": endTime is not a date")
		})
		if err != nil {
			return err
		}
	}
	fields := bson.D{{Key: "_id", Value: 0}, {Key: "user", Value: 1}, {Key: "completedAt", Value: 1}, {Key: "stages", Value: 1}}
	return scan(ctx, s.journeys, between("user", after, upTo), fields, visit.journey)
}

func scan(ctx context.Context, collection *mongo.Collection, filter, fields bson.D, each func(bson.Raw)) error {
	cursor, err := collection.Find(ctx, filter, options.Find().SetProjection(fields).SetBatchSize(batchSize))
	if err != nil {
		return err
	}
	defer func() { _ = cursor.Close(ctx) }()
	for cursor.Next(ctx) {
		each(cursor.Current)
	}
	return cursor.Err()
}

// visitor tells of the times in documents.
type visitor struct {
	each func(streaks.UserID, time.Time)
	skip func(string)
}

func (v visitor) required(user bson.ObjectID, at bson.RawValue, reason string) {
	if t, ok := at.TimeOK(); ok {
		v.each(streaks.UserID(user), t)
		return
	}
	v.skip(reason)
}

// optional is for completedAt, which is null until then.
func (v visitor) optional(user bson.ObjectID, at bson.RawValue) {
	if at.Type != 0 && at.Type != bson.TypeNull && at.Type != bson.TypeUndefined {
		v.required(user, at, schema.UserJourneys+": completedAt is not a date")
	}
}

// journey tells of every completedAt: of the journey, its stages, their days and
// final tests.
func (v visitor) journey(document bson.Raw) {
	user, _ := document.Lookup("user").ObjectIDOK()
	v.optional(user, document.Lookup("completedAt"))
	for _, stage := range v.objects(document.Lookup("stages"), "stages") {
		v.optional(user, stage.Lookup("completedAt"))
		if test, ok := stage.Lookup("finalTest").DocumentOK(); ok {
			v.optional(user, test.Lookup("completedAt"))
		}
		for _, day := range v.objects(stage.Lookup("days"), "days") {
			v.optional(user, day.Lookup("completedAt"))
		}
	}
}

// objects are the elements of an array of objects; what is none is skipped.
func (v visitor) objects(value bson.RawValue, field string) []bson.Raw {
	if value.Type == 0 || value.Type == bson.TypeNull {
		return nil
	}
	array, ok := value.ArrayOK()
	elements, err := array.Values()
	if !ok || err != nil {
		v.skip(schema.UserJourneys + ": " + field + " is not an array")
		return nil
	}
	out := make([]bson.Raw, 0, len(elements))
	for _, element := range elements {
		object, ok := element.DocumentOK()
		if !ok {
			v.skip(schema.UserJourneys + ": an element of " + field + " is not an object")
			continue
		}
		out = append(out, object)
	}
	return out
}

// foreignID is every value that is no ObjectId. The types are listed, and not
// negated, so that an index answers.
func foreignID(field string) bson.D {
	return bson.D{{Key: "$or", Value: bson.A{
		bson.D{{Key: field, Value: nil}},
		bson.D{{Key: field, Value: bson.D{{Key: "$type", Value: bson.A{
			"double", "string", "object", "array", "binData", "bool", "date", "regex", "int", "timestamp", "long",
		}}}}},
	}}}
}

// Foreign implements streaks.Store.
func (s *Store) Foreign(ctx context.Context) (map[string]int64, error) {
	counts := map[string]int64{}
	for _, collection := range append([]*mongo.Collection{s.users, s.journeys}, s.results...) {
		field := "user"
		if collection == s.users {
			field = "_id"
		}
		n, err := collection.CountDocuments(ctx, foreignID(field))
		if err != nil {
			return nil, err
		}
		counts[collection.Name()+": "+field+" is not an id"] = n
	}
	return counts, nil
}

// Save implements streaks.Store.
func (s *Store) Save(ctx context.Context, updates []streaks.Update) (int64, map[string]int64, error) {
	models := make([]mongo.WriteModel, len(updates))
	for i, update := range updates {
		models[i] = mongo.NewUpdateOneModel().SetFilter(bson.D{{Key: "_id", Value: bson.ObjectID(update.ID)}}).SetUpdate(bson.D{{Key: "$set", Value: fields(update)}})
	}
	result, err := s.users.BulkWrite(ctx, models, options.BulkWrite().SetOrdered(false))
	refused := map[string]int64{}
	if partial, ok := errors.AsType[mongo.BulkWriteException](err); ok && partial.WriteConcernError == nil {
		for _, failure := range partial.WriteErrors {
			refused["the database refused the streak: "+failure.Message]++
		}
		err = nil
	}
	if err != nil || result == nil {
		return 0, refused, err
	}
	return result.ModifiedCount, refused, nil
}

// fields sets the keys of an object, or makes one in place of whatever is there.
func fields(update streaks.Update) bson.D {
	var day any
	if update.LastActiveDay != "" {
		day = update.LastActiveDay
	}
	streak := bson.D{
		{Key: "count", Value: int32(update.Count)},
		{Key: "lastUpdated", Value: update.LastUpdated},
		{Key: "longest", Value: int32(update.Longest)},
		{Key: "lastActiveDay", Value: day},
	}
	if !update.Object {
		return bson.D{{Key: "streak", Value: streak}}
	}
	for i := range streak {
		streak[i].Key = "streak." + streak[i].Key
	}
	return streak
}
