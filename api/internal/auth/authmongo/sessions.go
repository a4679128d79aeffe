package authmongo

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

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
	// fieldReplaced are the refresh tokens that were replaced not long ago, and
	// fieldAddress names where the session was opened or refreshed last.
	fieldReplaced = "replaced"
	fieldAddress  = "address"
)

// Open implements auth.Sessions.
func (s *Store) Open(ctx context.Context, session auth.Session) error {
	_, err := s.tokens.InsertOne(ctx, bson.D{
		{Key: "_id", Value: session.ID},
		{Key: fieldUser, Value: session.UserID},
		{Key: fieldRefresh, Value: session.Refresh},
		{Key: fieldCreated, Value: s.now()},
		{Key: fieldExpires, Value: session.Expires},
		{Key: fieldAddress, Value: session.Address},
	})
	return wrap(err, "open a session")
}

// sessionDocument is what a rotation reads.
type sessionDocument struct {
	Refresh  string        `bson:"refresh"`
	EndedAt  time.Time     `bson:"endedAt"`
	Replaced []replacement `bson:"replaced"`
}

// replacement is a refresh token that was replaced not long ago.
type replacement struct {
	Refresh string    `bson:"refresh"`
	By      string    `bson:"by"`
	At      time.Time `bson:"at"`
}

// maxReplaced bounds what a session keeps of them.
const maxReplaced = 16

// successor returns what replaced a refresh token less than the grace ago.
func (d sessionDocument) successor(used string, now time.Time) (replacement, bool) {
	at := slices.IndexFunc(d.Replaced, func(r replacement) bool { return r.Refresh == used && now.Sub(r.At) <= auth.RefreshGrace })
	if at < 0 {
		return replacement{}, false
	}
	return d.Replaced[at], true
}

// replacing is what is kept when used is replaced by next: those of the grace.
func (d sessionDocument) replacing(used string, next auth.Session) []replacement {
	kept := slices.DeleteFunc(d.Replaced, func(r replacement) bool { return next.Issued.Sub(r.At) > auth.RefreshGrace })
	kept = append(kept, replacement{used, next.Refresh, next.Issued})
	return kept[max(0, len(kept)-maxReplaced):]
}

// Rotate implements auth.Sessions. The update that replaces the token is its
// own check, so of two callers one matches nothing, and looks again.
func (s *Store) Rotate(ctx context.Context, used string, next auth.Session) (auth.Session, error) {
	for {
		var stored sessionDocument
		err := s.tokens.FindOne(ctx, byID(next.ID)).Decode(&stored)
		switch {
		case errors.Is(err, mongo.ErrNoDocuments):
			return auth.Session{}, auth.ErrNoSession
		case err != nil:
			return auth.Session{}, fmt.Errorf("look for a session: %w", err)
		case !stored.EndedAt.IsZero():
			return auth.Session{}, auth.ErrNoSession
		}
		if stored.Refresh != used {
			if found, ok := stored.successor(used, next.Issued); ok {
				next.Refresh, next.Issued = found.By, found.At
				return next, nil
			}
			return auth.Session{}, s.endReused(ctx, next.ID)
		}
		result, err := s.tokens.UpdateOne(ctx,
			bson.D{{Key: "_id", Value: next.ID}, {Key: fieldRefresh, Value: used}, {Key: fieldEnded, Value: nil}},
			set(
				bson.E{Key: fieldRefresh, Value: next.Refresh}, bson.E{Key: fieldExpires, Value: next.Expires},
				bson.E{Key: fieldReplaced, Value: stored.replacing(used, next)}, bson.E{Key: fieldAddress, Value: next.Address},
			))
		if err != nil {
			return auth.Session{}, fmt.Errorf("rotate a refresh token: %w", err)
		}
		if result.MatchedCount == 1 {
			return next, nil
		}
	}
}

// endReused ends a session whose refresh token came again. Who leaves after that
// token was read does not save the session.
func (s *Store) endReused(ctx context.Context, id string) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), auth.EndTimeout)
	defer cancel()
	result, err := s.tokens.UpdateOne(ctx,
		bson.D{{Key: "_id", Value: id}, {Key: fieldEnded, Value: nil}},
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

// Known implements auth.Sessions.
func (s *Store) Known(ctx context.Context, userID, address string) (bool, error) {
	known, err := s.exists(ctx, s.tokens, bson.D{
		{Key: fieldUser, Value: userID},
		{Key: fieldAddress, Value: address},
		{Key: fieldExpires, Value: bson.D{{Key: "$gt", Value: s.now()}}},
	})
	return known, wrap(err, "look for a session of an address")
}
