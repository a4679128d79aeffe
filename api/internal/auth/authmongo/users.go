package authmongo

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/etrainer/backend/api/internal/auth"
	"github.com/etrainer/backend/pkg/schema"
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
	raw, err := s.byAddress(ctx, email)
	if err != nil {
		return auth.User{}, err
	}
	return decodeUser(raw)
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
	same := bson.A{bson.D{{Key: "email", Value: email}}, bson.D{{Key: emailKey, Value: schema.EmailKeyOf(email)}}}
	if phone != "" {
		same = append(same, bson.D{{Key: "phone", Value: phone}})
	}
	taken, err := s.exists(ctx, s.users, bson.D{{Key: "$or", Value: same}})
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
	release, err := s.reserve(ctx, id, user)
	if err != nil {
		return auth.User{}, err
	}
	defer release()
	if err := s.free(ctx, user); err != nil {
		return auth.User{}, err
	}
	return s.insert(ctx, id, user)
}

// free returns ErrTaken when another account has the address or the phone number.
func (s *Store) free(ctx context.Context, user auth.NewUser) error {
	// Accounts that Node made may have no key yet: this look gives it to them.
	if _, err := s.byAddress(ctx, user.Email); !errors.Is(err, auth.ErrNoUser) {
		return cmp.Or(err, auth.ErrTaken)
	}
	taken, err := s.Taken(ctx, user.Email, user.Phone)
	if taken {
		return auth.ErrTaken
	}
	return err
}

// insert stores an account that nobody else has.
func (s *Store) insert(ctx context.Context, id bson.ObjectID, user auth.NewUser) (auth.User, error) {
	first, err := s.mayAdminister(ctx, id, user.Right)
	if err != nil {
		return auth.User{}, err
	}
	role := auth.RoleUser
	if first || user.Right == auth.Operator {
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

// HasAdmin implements auth.Users.
func (s *Store) HasAdmin(ctx context.Context) (bool, error) {
	there, err := s.exists(ctx, s.users, administrators)
	return there, wrap(err, "look for an administrator")
}

// Grant implements auth.Users.
func (s *Store) Grant(ctx context.Context, id string) error {
	oid, err := bson.ObjectIDFromHex(id)
	if err != nil {
		return auth.ErrNoUser
	}
	result, err := s.users.UpdateOne(ctx, byID(oid), set(bson.E{Key: "role", Value: string(auth.RoleAdmin)}))
	if err == nil && result.MatchedCount == 0 {
		return auth.ErrNoUser
	}
	return wrap(err, "make an account an administrator")
}
