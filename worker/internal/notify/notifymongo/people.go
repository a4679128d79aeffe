// Package notifymongo reads users, and stores notifications, in ETrainer's
// MongoDB collections.
package notifymongo

import (
	"context"
	"fmt"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/etrainer/backend/pkg/schema"
	"github.com/etrainer/backend/worker/internal/notify"
)

// People reads users. Values of a foreign type become faults, and stop
// nothing.
type People struct{ users *mongo.Collection }

// NewPeople returns People on a database.
func NewPeople(db *mongo.Database) *People { return &People{users: db.Collection(schema.Users)} }

// projection is what is read of a user: the rest, with the password's hash,
// stays where it is.
var projection = bson.D{
	{Key: "fcmToken", Value: 1},
	{Key: "expoPushToken", Value: 1},
	{Key: "timezone", Value: 1},
	{Key: "notificationsEnabled", Value: 1},
	{Key: "dailyNotifications", Value: 1},
}

// Count returns about how many users there are, without reading them.
func (p *People) Count(ctx context.Context) (int64, error) {
	n, err := p.users.EstimatedDocumentCount(ctx)
	if err != nil {
		return 0, fmt.Errorf("count users: %w", err)
	}
	return n, nil
}

// Foreign counts the users that Page never returns, because their _id is no
// ObjectId.
func (p *People) Foreign(ctx context.Context) (int, error) {
	n, err := p.users.CountDocuments(ctx, bson.D{{Key: "_id", Value: bson.D{{Key: "$not", Value: bson.D{{Key: "$type", Value: "objectId"}}}}}})
	if err != nil {
		return 0, fmt.Errorf("count users with foreign ids: %w", err)
	}
	return int(n), nil
}

// Page returns the next users by id, after one ("" = from the start).
func (p *People) Page(ctx context.Context, after string, limit int) ([]notify.Person, error) {
	from := bson.NilObjectID
	if after != "" {
		var err error
		if from, err = bson.ObjectIDFromHex(after); err != nil {
			return nil, fmt.Errorf("read the id %q: %w", after, err)
		}
	}
	filter := bson.D{{Key: "_id", Value: bson.D{{Key: "$gt", Value: from}}}}
	return p.find(ctx, filter, options.Find().SetSort(bson.D{{Key: "_id", Value: 1}}).SetLimit(int64(limit)).SetBatchSize(int32(limit)+1))
}

// ByID returns the users of some ids that exist.
func (p *People) ByID(ctx context.Context, ids []string) (map[string]notify.Person, error) {
	in, err := idsOf(ids)
	if err != nil {
		return nil, err
	}
	found, err := p.find(ctx, bson.D{{Key: "_id", Value: bson.D{{Key: "$in", Value: in}}}}, options.Find())
	if err != nil {
		return nil, err
	}
	people := make(map[string]notify.Person, len(found))
	for _, person := range found {
		people[person.ID] = person
	}
	return people, nil
}

// Timezones returns the different time zones that users have of their own.
func (p *People) Timezones(ctx context.Context) ([]string, error) {
	cursor, err := p.users.Aggregate(ctx, mongo.Pipeline{
		{{Key: "$match", Value: bson.D{{Key: "timezone", Value: bson.D{{Key: "$type", Value: "string"}}}}}},
		{{Key: "$group", Value: bson.D{{Key: "_id", Value: "$timezone"}}}},
	})
	if err != nil {
		return nil, fmt.Errorf("list time zones of users: %w", err)
	}
	var rows []struct {
		Zone string `bson:"_id"`
	}
	if err := cursor.All(ctx, &rows); err != nil {
		return nil, fmt.Errorf("list time zones of users: %w", err)
	}
	zones := make([]string, len(rows))
	for i, row := range rows {
		zones[i] = row.Zone
	}
	return zones, nil
}

func (p *People) find(ctx context.Context, filter bson.D, find *options.FindOptionsBuilder) ([]notify.Person, error) {
	cursor, err := p.users.Find(ctx, filter, find.SetProjection(projection))
	if err != nil {
		return nil, fmt.Errorf("read users: %w", err)
	}
	var rows []bson.Raw
	if err := cursor.All(ctx, &rows); err != nil {
		return nil, fmt.Errorf("read users: %w", err)
	}
	people := make([]notify.Person, len(rows))
	for i, row := range rows {
		people[i] = person(row)
	}
	return people, nil
}

// person reads a row field by field, so that one bad field spoils no other.
func person(row bson.Raw) notify.Person {
	id, _ := row.Lookup("_id").ObjectIDOK()
	p := notify.Person{ID: id.Hex()}
	p.FCMToken = text(row, "fcmToken", notify.UnreadableToken, &p.Faults)
	p.ExpoToken = text(row, "expoPushToken", notify.UnreadableToken, &p.Faults)
	p.Timezone = text(row, "timezone", notify.UnreadableZone, &p.Faults)
	p.Quiet = off(row, "notificationsEnabled", &p.Faults)
	p.NoDaily = off(row, "dailyNotifications", &p.Faults)
	return p
}

func text(row bson.Raw, field, fault string, faults *[]string) string {
	value := row.Lookup(field)
	if absent(value) {
		return ""
	}
	s, ok := value.StringValueOK()
	if !ok {
		*faults = append(*faults, fault)
	}
	return s
}

// off reports whether a flag is switched off, which one that is missing is
// not.
func off(row bson.Raw, field string, faults *[]string) bool {
	value := row.Lookup(field)
	if absent(value) {
		return false
	}
	on, ok := value.BooleanOK()
	if !ok {
		*faults = append(*faults, notify.UnreadableFlag)
	}
	return !on
}

func absent(value bson.RawValue) bool {
	return value.IsZero() || value.Type == bson.TypeNull || value.Type == bson.TypeUndefined
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
