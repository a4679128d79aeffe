package authmongo

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/etrainer/backend/api/internal/auth"
	"github.com/etrainer/backend/pkg/mongodb"
	"github.com/etrainer/backend/pkg/schema"
)

// The collections.
const (
	UsersCollection  = schema.Users
	TokensCollection = schema.AuthTokens
	ClaimsCollection = schema.AuthClaims
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

// Prepare creates the indexes, for databases without the migrations. One that
// the engine or the stored data refuse is logged.
func (s *Store) Prepare(ctx context.Context) error {
	refusals, err := mongodb.CreateIndexes(ctx, s.users.Database(), schema.Accounts())
	if err != nil {
		return err
	}
	for _, refusal := range refusals {
		level := slog.LevelError
		if refusal.Index.Optional() {
			level = slog.LevelInfo
		}
		s.log.LogAttrs(ctx, level, "index not created", slog.String("collection", refusal.Collection),
			slog.String("index", refusal.Index.IndexName()), slog.Any("error", refusal.Err))
	}
	return s.RemoveExpired(ctx)
}

// RemoveExpired removes the sessions that have expired: an engine without TTL
// indexes does not do that by itself.
func (s *Store) RemoveExpired(ctx context.Context) error {
	past := bson.D{{Key: "expiresAt", Value: bson.D{{Key: "$lt", Value: s.now()}}}}
	if _, err := s.tokens.DeleteMany(ctx, past); err != nil {
		return fmt.Errorf("remove expired sessions: %w", err)
	}
	return nil
}

func byID(id any) bson.D { return bson.D{{Key: "_id", Value: id}} }

func set(fields ...bson.E) bson.D { return bson.D{{Key: "$set", Value: bson.D(fields)}} }

func wrap(err error, operation string) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", operation, err)
}
