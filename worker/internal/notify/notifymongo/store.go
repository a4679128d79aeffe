package notifymongo

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/etrainer/backend/pkg/push"
	"github.com/etrainer/backend/pkg/schema"
	"github.com/etrainer/backend/worker/internal/notify"
)

// duplicateKey is MongoDB's error for an _id that is taken.
const duplicateKey = 11000

// Store implements notify.Store.
type Store struct {
	users, notifications, tickets *mongo.Collection
	now                           func() time.Time
}

var _ notify.Store = (*Store)(nil)

// New returns a Store on a database. now is the server's clock.
func New(db *mongo.Database, now func() time.Time) *Store {
	return &Store{
		users: db.Collection(schema.Users), notifications: db.Collection(schema.Notifications),
		tickets: db.Collection(TicketsCollection), now: now,
	}
}

// notification is a document as mongoose writes it.
type notification struct {
	ID        bson.ObjectID `bson:"_id"`
	Title     string        `bson:"title"`
	Message   string        `bson:"message"`
	User      bson.ObjectID `bson:"user"`
	IsRead    bool          `bson:"isRead"`
	CreatedAt time.Time     `bson:"createdAt"`
	UpdatedAt time.Time     `bson:"updatedAt"`
	Version   int32         `bson:"__v"`
}

// Notify implements notify.Store.
func (s *Store) Notify(ctx context.Context, notifications []notify.Notification) (int, error) {
	documents := make([]notification, len(notifications))
	for i, n := range notifications {
		user, err := bson.ObjectIDFromHex(n.User)
		if err != nil {
			return 0, fmt.Errorf("read the id %q: %w", n.User, err)
		}
		at := n.At.UTC()
		documents[i] = notification{
			ID: idOf(n.Key, n.Day), Title: n.Title, Message: n.Message, User: user, CreatedAt: at, UpdatedAt: at,
		}
	}
	return insertNew(ctx, s.notifications, documents)
}

// idOf derives an ObjectId: four bytes of time, as in every one, and eight of
// the key's hash.
func idOf(key string, day time.Time) bson.ObjectID {
	var id bson.ObjectID
	sum := sha256.Sum256([]byte(key))
	binary.BigEndian.PutUint32(id[:4], uint32(day.Unix())) // until 2106, as in every ObjectId
	copy(id[4:], sum[:8])
	return id
}

// insertNew inserts what is not there yet and returns how many that were.
func insertNew[D any](ctx context.Context, collection *mongo.Collection, documents []D) (int, error) {
	if len(documents) == 0 {
		return 0, nil
	}
	_, err := collection.InsertMany(ctx, documents, options.InsertMany().SetOrdered(false))
	if err == nil {
		return len(documents), nil
	}
	bulk, ok := errors.AsType[mongo.BulkWriteException](err)
	if !ok || bulk.WriteConcernError != nil {
		return 0, fmt.Errorf("insert into %s: %w", collection.Name(), err)
	}
	for _, e := range bulk.WriteErrors {
		if e.Code != duplicateKey {
			return 0, fmt.Errorf("insert into %s: %w", collection.Name(), err)
		}
	}
	return len(documents) - len(bulk.WriteErrors), nil
}

// Forget implements notify.Store.
func (s *Store) Forget(ctx context.Context, devices []notify.Device) (int, error) {
	writes := make([]mongo.WriteModel, 0, len(devices))
	now := s.now().UTC()
	for _, d := range devices {
		user, err := bson.ObjectIDFromHex(d.User)
		if err != nil {
			return 0, fmt.Errorf("read the id %q: %w", d.User, err)
		}
		field := "fcmToken"
		if d.Provider == push.Expo {
			field = "expoPushToken"
		}
		writes = append(writes, mongo.NewUpdateOneModel().
			SetFilter(bson.D{{Key: "_id", Value: user}, {Key: field, Value: d.Token}}).
			SetUpdate(bson.D{{Key: "$set", Value: bson.D{{Key: field, Value: nil}, {Key: "updatedAt", Value: now}}}}))
	}
	if len(writes) == 0 {
		return 0, nil
	}
	result, err := s.users.BulkWrite(ctx, writes, options.BulkWrite().SetOrdered(false))
	if err != nil {
		return 0, fmt.Errorf("remove tokens: %w", err)
	}
	return int(result.ModifiedCount), nil
}
