// Package weeklyreportsmongo counts weeks in ETrainer's MongoDB collections
// and keeps the reports in the collection weeklyReports.
package weeklyreportsmongo

import (
	"context"
	"fmt"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/etrainer/backend/pkg/schema"
	"github.com/etrainer/backend/worker/internal/handlers/weeklyreports"
)

// pageSize is the number of results, or of users, between two looks at
// whether the run may go on.
const pageSize = 2000

// Store implements weeklyreports.Store.
type Store struct {
	users, exams, archive, practices, reports *mongo.Collection
}

var _ weeklyreports.Store = (*Store)(nil)

// New returns a Store on a database. Exam results that were archived count on,
// so that an old week can be reported again.
func New(db *mongo.Database) *Store {
	return &Store{
		users: db.Collection(schema.Users), exams: db.Collection(schema.ExamHistories), archive: db.Collection(schema.ExamArchive),
		practices: db.Collection(schema.PracticeHistories), reports: db.Collection(schema.WeeklyReports),
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

// Undated implements weeklyreports.Store. The types are listed, and not
// negated, so that the indexes answer.
func (s *Store) Undated(ctx context.Context) (map[string]int64, error) {
	counts := map[string]int64{}
	for _, look := range []struct {
		in    *mongo.Collection
		field string
	}{{s.users, "createdAt"}, {s.exams, "endTime"}, {s.archive, "endTime"}, {s.practices, "endTime"}} {
		n, err := look.in.CountDocuments(ctx, bson.D{{Key: "$or", Value: bson.A{
			bson.D{{Key: look.field, Value: nil}},
			bson.D{{Key: look.field, Value: bson.D{{Key: "$type", Value: bson.A{
				"double", "string", "object", "array", "binData", "objectId", "bool", "regex", "int", "timestamp", "long",
			}}}}},
		}}})
		if err != nil {
			return nil, fmt.Errorf("count %s: %w", look.in.Name(), err)
		}
		counts[look.in.Name()+": "+look.field+" is not a date"] = n
	}
	return counts, nil
}

// Save implements weeklyreports.Store.
func (s *Store) Save(ctx context.Context, r weeklyreports.Report) error {
	types := bson.A{}
	for _, of := range r.LessonTypes {
		types = append(types, bson.D{
			{Key: "type", Value: of.Type},
			{Key: "practices", Value: of.Practices},
			{Key: "questions", Value: of.Questions},
			{Key: "correctAnswers", Value: of.CorrectAnswers},
			{Key: "accuracy", Value: of.Accuracy},
		})
	}
	_, err := s.reports.ReplaceOne(ctx, bson.D{{Key: "_id", Value: r.Week}}, bson.D{
		{Key: "_id", Value: r.Week},
		{Key: "week", Value: r.Week},
		{Key: "newUsers", Value: r.NewUsers},
		{Key: "examsCompleted", Value: r.ExamsCompleted},
		{Key: "activeUsers", Value: r.ActiveUsers},
		{Key: "practiceCompleted", Value: r.PracticeCompleted},
		{Key: "examAccuracy", Value: r.ExamAccuracy},
		{Key: "practiceAccuracy", Value: r.PracticeAccuracy},
		{Key: "lessonTypes", Value: types},
		{Key: "from", Value: r.From},
		{Key: "to", Value: r.To},
		{Key: "timezone", Value: r.Timezone},
		{Key: "generatedAt", Value: r.GeneratedAt},
		{Key: "skipped", Value: r.Skipped},
	}, options.Replace().SetUpsert(true))
	return err
}
