package authmongo

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/etrainer/backend/api/internal/auth"
)

// The collections.
const (
	UsersCollection  = "users"
	TokensCollection = "authTokens"
	ClaimsCollection = "authClaims"
)

// lookupTimeout bounds every read. Each request to /api begins with one, so
// it is also how soon a request fails while the database is away.
const lookupTimeout = 2 * time.Second

// Store implements auth.Users and auth.Sessions. It is safe for concurrent
// use.
type Store struct {
	users, tokens, claims *mongo.Collection
	now                   func() time.Time
	log                   *slog.Logger
}

var (
	_ auth.Users    = (*Store)(nil)
	_ auth.Sessions = (*Store)(nil)
)

// New returns a Store on a database. now is the server's clock.
func New(db *mongo.Database, now func() time.Time, log *slog.Logger) *Store {
	return &Store{
		users: db.Collection(UsersCollection), tokens: db.Collection(TokensCollection), claims: db.Collection(ClaimsCollection),
		now: now, log: log,
	}
}

// Prepare creates the indexes, and removes the sessions that have expired: an
// engine without TTL indexes does not do that by itself. An index that the
// engine or the stored data refuse is logged.
func (s *Store) Prepare(ctx context.Context) error {
	// Equal to what mongoose creates for the Node backend.
	email := mongo.IndexModel{Keys: bson.D{{Key: "email", Value: 1}}, Options: options.Index().SetUnique(true)}
	expiry := mongo.IndexModel{Keys: bson.D{{Key: "expiresAt", Value: 1}}, Options: options.Index().SetExpireAfterSeconds(0)}
	if err := s.createIndex(ctx, s.users, email, slog.LevelError); err != nil {
		return err
	}
	if err := s.createIndex(ctx, s.tokens, expiry, slog.LevelInfo); err != nil {
		return err
	}
	past := bson.D{{Key: "expiresAt", Value: bson.D{{Key: "$lt", Value: s.now()}}}}
	if _, err := s.tokens.DeleteMany(ctx, past); err != nil {
		return fmt.Errorf("remove expired sessions: %w", err)
	}
	return nil
}

func (s *Store) createIndex(ctx context.Context, collection *mongo.Collection, index mongo.IndexModel, level slog.Level) error {
	_, err := collection.Indexes().CreateOne(ctx, index)
	if refused, ok := errors.AsType[mongo.ServerError](err); ok && !mongo.IsNetworkError(err) {
		s.log.LogAttrs(ctx, level, "index not created", slog.String("collection", collection.Name()), slog.Any("error", refused))
		return nil
	}
	return wrap(err, "create an index of "+collection.Name())
}

func byID(id any) bson.D { return bson.D{{Key: "_id", Value: id}} }

func set(fields ...bson.E) bson.D { return bson.D{{Key: "$set", Value: bson.D(fields)}} }

func wrap(err error, operation string) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", operation, err)
}
