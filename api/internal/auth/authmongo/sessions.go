package authmongo

import (
	"context"
	"errors"
	"fmt"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/etrainer/backend/api/internal/auth"
)

// The fields of a session document; _id is the session's. endedAt is there
// when it ended before its time, and why says how.
const (
	fieldUser    = "userId"
	fieldRefresh = "refresh"
	fieldCreated = "createdAt"
	fieldExpires = "expiresAt"
	fieldEnded   = "endedAt"
	fieldWhy     = "why"
)

// Open implements auth.Sessions.
func (s *Store) Open(ctx context.Context, session auth.Session) error {
	_, err := s.tokens.InsertOne(ctx, bson.D{
		{Key: "_id", Value: session.ID},
		{Key: fieldUser, Value: session.UserID},
		{Key: fieldRefresh, Value: session.Refresh},
		{Key: fieldCreated, Value: s.now()},
		{Key: fieldExpires, Value: session.Expires},
	})
	return wrap(err, "open a session")
}

// Rotate implements auth.Sessions. The update that replaces the token is its
// own check, so of two callers one matches nothing. Who leaves after that does
// not save the session.
func (s *Store) Rotate(ctx context.Context, used string, next auth.Session) error {
	result, err := s.tokens.UpdateOne(ctx,
		bson.D{{Key: "_id", Value: next.ID}, {Key: fieldRefresh, Value: used}, {Key: fieldEnded, Value: nil}},
		set(bson.E{Key: fieldRefresh, Value: next.Refresh}, bson.E{Key: fieldExpires, Value: next.Expires}))
	if err != nil {
		return fmt.Errorf("rotate a refresh token: %w", err)
	}
	if result.MatchedCount == 1 {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), auth.EndTimeout)
	defer cancel()
	result, err = s.tokens.UpdateOne(ctx,
		bson.D{{Key: "_id", Value: next.ID}, {Key: fieldEnded, Value: nil}},
		set(bson.E{Key: fieldEnded, Value: s.now()}, bson.E{Key: fieldWhy, Value: "refresh token used twice"}))
	if err != nil {
		return fmt.Errorf("end a session: %w", err)
	}
	if result.MatchedCount == 1 {
		return auth.ErrReused
	}
	return auth.ErrNoSession
}

// End implements auth.Sessions.
func (s *Store) End(ctx context.Context, session auth.Session) error {
	_, err := s.tokens.UpdateOne(ctx, byID(session.ID), bson.D{
		{Key: "$set", Value: bson.D{{Key: fieldEnded, Value: s.now()}, {Key: fieldWhy, Value: "logout"}}},
		{Key: "$setOnInsert", Value: bson.D{
			{Key: fieldUser, Value: session.UserID}, {Key: fieldCreated, Value: s.now()}, {Key: fieldExpires, Value: session.Expires},
		}},
	}, options.UpdateOne().SetUpsert(true))
	return wrap(err, "end a session")
}

// Ended implements auth.Sessions.
func (s *Store) Ended(ctx context.Context, id string) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, lookupTimeout)
	defer cancel()
	var stored bson.Raw
	err := s.tokens.FindOne(ctx, byID(id)).Decode(&stored)
	if errors.Is(err, mongo.ErrNoDocuments) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("look for a session: %w", err)
	}
	_, err = stored.LookupErr(fieldEnded)
	return err == nil, nil
}
