// Package nudgeinactivemongo asks ETrainer's MongoDB collections who has
// practised lately, a page of users at a time. Whether somebody did is all that
// is asked, so no latest date is computed: every engine can group, and an
// index on {user, endTime} answers without reading a history.
package nudgeinactivemongo

import (
	"context"
	"fmt"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/etrainer/backend/pkg/schema"
	"github.com/etrainer/backend/worker/internal/handlers/nudgeinactive"
)

// Store implements nudgeinactive.Store.
type Store struct{ users, exams, practices, notifications *mongo.Collection }

var _ nudgeinactive.Store = (*Store)(nil)

// New returns a Store on a database.
func New(db *mongo.Database) *Store {
	return &Store{
		users: db.Collection(schema.Users), exams: db.Collection(schema.ExamHistories),
		practices: db.Collection(schema.PracticeHistories), notifications: db.Collection(schema.Notifications),
	}
}

// Active implements nudgeinactive.Store. Dates of a foreign type match
// nothing; a user who has no date of registration is as old as the id.
func (s *Store) Active(ctx context.Context, users []string, since time.Time) (nudgeinactive.Set, error) {
	ids, err := idsOf(users)
	if err != nil {
		return nil, err
	}
	found := nudgeinactive.Set{}
	for _, id := range ids {
		if !id.Timestamp().Before(since) {
			found[id.Hex()] = true
		}
	}
	for _, look := range []struct {
		in         *mongo.Collection
		user, date string
	}{{s.practices, "user", "endTime"}, {s.exams, "user", "endTime"}, {s.users, "_id", "createdAt"}} {
		if err := collect(ctx, look.in, look.user, bson.D{
			{Key: look.user, Value: bson.D{{Key: "$in", Value: ids}}}, {Key: look.date, Value: bson.D{{Key: "$gte", Value: since}}},
		}, found); err != nil {
			return nil, err
		}
	}
	return found, nil
}

// Told implements nudgeinactive.Store.
func (s *Store) Told(ctx context.Context, users []string, title string, since time.Time) (nudgeinactive.Set, error) {
	ids, err := idsOf(users)
	if err != nil {
		return nil, err
	}
	found := nudgeinactive.Set{}
	return found, collect(ctx, s.notifications, "user", bson.D{
		{Key: "user", Value: bson.D{{Key: "$in", Value: ids}}},
		{Key: "title", Value: title},
		{Key: "createdAt", Value: bson.D{{Key: "$gte", Value: since}}},
	}, found)
}

// collect adds the different users of the documents that match.
func collect(ctx context.Context, in *mongo.Collection, user string, match bson.D, found nudgeinactive.Set) error {
	cursor, err := in.Aggregate(ctx, mongo.Pipeline{
		{{Key: "$match", Value: match}},
		{{Key: "$group", Value: bson.D{{Key: "_id", Value: "$" + user}}}},
	})
	if err != nil {
		return fmt.Errorf("group %s by user: %w", in.Name(), err)
	}
	defer func() { _ = cursor.Close(ctx) }()
	for cursor.Next(ctx) {
		if id, ok := cursor.Current.Lookup("_id").ObjectIDOK(); ok {
			found[id.Hex()] = true
		}
	}
	if err := cursor.Err(); err != nil {
		return fmt.Errorf("group %s by user: %w", in.Name(), err)
	}
	return nil
}

// idsOf reads hexadecimal ids.
func idsOf(hex []string) ([]bson.ObjectID, error) {
	ids := make([]bson.ObjectID, len(hex))
	for i, text := range hex {
		id, err := bson.ObjectIDFromHex(text)
		if err != nil {
			return nil, fmt.Errorf("read the id %q: %w", text, err)
		}
		ids[i] = id
	}
	return ids, nil
}
