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

// ByID implements auth.Users. Text that is no ObjectId is nobody's.
func (s *Store) ByID(ctx context.Context, id string) (auth.User, error) {
	oid, err := bson.ObjectIDFromHex(id)
	if err != nil {
		return auth.User{}, auth.ErrNoUser
	}
	return s.find(ctx, byID(oid))
}

// ByEmail implements auth.Users.
func (s *Store) ByEmail(ctx context.Context, email string) (auth.User, error) {
	return s.find(ctx, bson.D{{Key: "email", Value: email}})
}

func (s *Store) find(ctx context.Context, filter bson.D) (auth.User, error) {
	ctx, cancel := context.WithTimeout(ctx, lookupTimeout)
	defer cancel()
	raw, err := s.users.FindOne(ctx, filter).Raw()
	if errors.Is(err, mongo.ErrNoDocuments) {
		return auth.User{}, auth.ErrNoUser
	}
	if err != nil {
		return auth.User{}, fmt.Errorf("find a user: %w", err)
	}
	return decodeUser(raw)
}

// Taken implements auth.Users.
func (s *Store) Taken(ctx context.Context, email, phone string) (bool, error) {
	filter := bson.D{{Key: "email", Value: email}}
	if phone != "" {
		filter = bson.D{{Key: "$or", Value: bson.A{filter, bson.D{{Key: "phone", Value: phone}}}}}
	}
	taken, err := s.exists(ctx, s.users, filter)
	return taken, wrap(err, "look for an account with the same address")
}

func (s *Store) exists(ctx context.Context, collection *mongo.Collection, filter bson.D) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, lookupTimeout)
	defer cancel()
	err := collection.FindOne(ctx, filter, options.FindOne().SetProjection(byID(1))).Err()
	if errors.Is(err, mongo.ErrNoDocuments) {
		return false, nil
	}
	return err == nil, err
}

// Create implements auth.Users.
func (s *Store) Create(ctx context.Context, user auth.NewUser) (auth.User, error) {
	id := bson.NewObjectID()
	first, err := s.claimFirst(ctx, id)
	if err != nil {
		return auth.User{}, err
	}
	role := auth.RoleUser
	if first {
		role = auth.RoleAdmin
	}
	raw, err := bson.Marshal(newUserDocument(id, user, role, s.now()))
	if err != nil {
		return auth.User{}, fmt.Errorf("encode a user: %w", err)
	}
	_, err = s.users.InsertOne(ctx, raw)
	taken := mongo.IsDuplicateKeyError(err)
	if first {
		s.settleFirst(ctx, id, err == nil, taken)
	}
	switch {
	case taken:
		return auth.User{}, auth.ErrTaken
	case err != nil:
		return auth.User{}, fmt.Errorf("store a user: %w", err)
	}
	return decodeUser(raw)
}

// Rehash implements auth.Users.
func (s *Store) Rehash(ctx context.Context, id, hash, dearer string) error {
	oid, err := bson.ObjectIDFromHex(id)
	if err != nil {
		return auth.ErrNoUser
	}
	_, err = s.users.UpdateOne(ctx, append(byID(oid), bson.E{Key: fieldPassword, Value: hash}), set(bson.E{Key: fieldPassword, Value: dearer}))
	return wrap(err, "replace a password hash")
}
