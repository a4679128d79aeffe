package weeklyreportsmongo

import (
	"context"
	"fmt"
	"math"
	"slices"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/etrainer/backend/worker/internal/handlers/weeklyreports"
)

// counted is what is read of a result: its answers stay where they are.
var counted = bson.D{
	{Key: "user", Value: 1},
	{Key: "lessonType", Value: 1},
	{Key: "totalQuestions", Value: 1},
	{Key: "correctAnswers", Value: 1},
}

// Practices implements weeklyreports.Store.
func (s *Store) Practices(ctx context.Context, week weeklyreports.Week, each func(weeklyreports.Result), page func() error) error {
	return s.scan(ctx, s.practices, week, func(results []bson.Raw) error {
		visit(results, each)
		return page()
	})
}

// Exams implements weeklyreports.Store. A result that is being moved is in
// both collections for a moment, and counts once.
func (s *Store) Exams(ctx context.Context, week weeklyreports.Week, each func(weeklyreports.Result), page func() error) error {
	err := s.scan(ctx, s.exams, week, func(results []bson.Raw) error {
		visit(results, each)
		return page()
	})
	if err != nil {
		return err
	}
	return s.scan(ctx, s.archive, week, func(results []bson.Raw) error {
		left, err := s.notIn(ctx, s.exams, results)
		if err != nil {
			return err
		}
		visit(left, each)
		return page()
	})
}

func visit(results []bson.Raw, each func(weeklyreports.Result)) {
	for _, result := range results {
		each(read(result))
	}
}

// read takes a result as it is found, of whatever types.
func read(document bson.Raw) weeklyreports.Result {
	var r weeklyreports.Result
	r.LessonType, _ = document.Lookup("lessonType").StringValueOK()
	_, hasUser := document.Lookup("user").ObjectIDOK()
	r.Nobodys = !hasUser
	questions, known := whole(document.Lookup("totalQuestions"))
	correct, alsoKnown := whole(document.Lookup("correctAnswers"))
	if known && alsoKnown && correct <= questions {
		r.Questions, r.Correct, r.Readable = questions, correct, true
	}
	return r
}

// mostQuestions is far beyond any exam: a number above it was not counted.
const mostQuestions = 100_000

// whole reads a number of things, which JavaScript may have stored as a double.
func whole(value bson.RawValue) (int64, bool) {
	if double, ok := value.DoubleOK(); ok && double != math.Trunc(double) {
		return 0, false // NaN too: it equals nothing
	}
	n, ok := value.AsInt64OK()
	return n, ok && n >= 0 && n <= mostQuestions
}

// scan calls visit with pages of what was finished in a week.
func (s *Store) scan(ctx context.Context, in *mongo.Collection, week weeklyreports.Week, visit func([]bson.Raw) error) error {
	cursor, err := in.Find(ctx, within("endTime", week), options.Find().SetProjection(counted).SetBatchSize(pageSize))
	if err != nil {
		return fmt.Errorf("find results in %s: %w", in.Name(), err)
	}
	defer func() { _ = cursor.Close(ctx) }()
	page := make([]bson.Raw, 0, pageSize)
	for cursor.Next(ctx) {
		page = append(page, slices.Clone(cursor.Current))
		if cursor.RemainingBatchLength() > 0 {
			continue
		}
		if err := visit(page); err != nil {
			return err
		}
		page = page[:0]
	}
	if err := cursor.Err(); err != nil {
		return fmt.Errorf("read results of %s: %w", in.Name(), err)
	}
	return nil
}

// notIn are the results whose ids a collection does not have.
func (s *Store) notIn(ctx context.Context, collection *mongo.Collection, results []bson.Raw) ([]bson.Raw, error) {
	ids := make(bson.A, len(results))
	for i, result := range results {
		ids[i] = result.Lookup("_id")
	}
	cursor, err := collection.Find(ctx, bson.D{{Key: "_id", Value: bson.D{{Key: "$in", Value: ids}}}},
		options.Find().SetProjection(bson.D{{Key: "_id", Value: 1}}))
	if err != nil {
		return nil, fmt.Errorf("find results in %s: %w", collection.Name(), err)
	}
	var found []bson.Raw
	if err := cursor.All(ctx, &found); err != nil {
		return nil, fmt.Errorf("read results of %s: %w", collection.Name(), err)
	}
	there := make(map[string]bool, len(found))
	for _, document := range found {
		there[document.Lookup("_id").String()] = true
	}
	left := results[:0]
	for _, result := range results {
		if !there[result.Lookup("_id").String()] {
			left = append(left, result)
		}
	}
	return left, nil
}
