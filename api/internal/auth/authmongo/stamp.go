package authmongo

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/etrainer/backend/api/internal/auth"
)

// The fields that we add to the accounts for their sessions and addresses.
// mongoose keeps what it does not know.
const (
	sessionStamp = "sessionStamp"
	verifiedAt   = "emailVerifiedAt"
)

// stamp is the field sessionStamp. Without one the stamp of an account is made
// from its password hash, so that a password that the Node backend changes ends
// the sessions. One that is stored counts while the account has the hash that it
// was stored for: it changes what a hash stands for, when all sessions end and
// the password stays, and keeps it, when the same password is hashed anew.
type stamp struct {
	Of         string    `bson:"of"` // fingerprint of the hash
	Stamp      string    `bson:"stamp"`
	AllEndedAt time.Time `bson:"allEndedAt,omitempty"`
}

// decodeStamp takes what it cannot read for nothing.
func decodeStamp(value bson.RawValue) stamp {
	var s stamp
	if err := value.Unmarshal(&s); err != nil {
		return stamp{}
	}
	return s
}

// of returns the stamp of an account with a password hash; "" = none.
func (s stamp) of(hash string) string {
	if s.Stamp != "" && s.Of == fingerprint(hash) {
		return s.Stamp
	}
	return fingerprint(hash)
}

// fingerprint tells hashes apart. Nobody can guess a password by it, since the
// salt of the hash is part of what it is made from.
func fingerprint(hash string) string {
	sum := sha256.Sum256([]byte("password hash " + hash))
	return base64.RawURLEncoding.EncodeToString(sum[:12])
}

// change makes a change that is worked out from the stored account, anew when
// somebody else changed the password or the stamp in between. A nil change is
// none.
func (s *Store) change(ctx context.Context, id string, workOut func(account bson.Raw) bson.D) error {
	oid, err := bson.ObjectIDFromHex(id)
	if err != nil {
		return auth.ErrNoUser
	}
	for {
		raw, err := s.users.FindOne(ctx, byID(oid)).Raw()
		if errors.Is(err, mongo.ErrNoDocuments) {
			return auth.ErrNoUser
		}
		if err != nil {
			return wrap(err, "find a user")
		}
		change := workOut(raw)
		if change == nil {
			return nil
		}
		filter := append(byID(oid),
			bson.E{Key: fieldPassword, Value: valueOrNull(raw, fieldPassword)},
			bson.E{Key: sessionStamp + ".stamp", Value: valueOrNull(raw, sessionStamp, "stamp")})
		result, err := s.users.UpdateOne(ctx, filter, change)
		if err != nil || result.MatchedCount == 1 {
			return wrap(err, "change an account")
		}
	}
}

// Rehash implements auth.Users.
func (s *Store) Rehash(ctx context.Context, user auth.User, dearer string) error {
	return s.change(ctx, user.ID, func(account bson.Raw) bson.D {
		hash := passwordOf(account)
		if hash != user.PasswordHash {
			return nil
		}
		kept := decodeStamp(account.Lookup(sessionStamp))
		kept.Of, kept.Stamp = fingerprint(dearer), kept.of(hash)
		return set(bson.E{Key: fieldPassword, Value: dearer}, bson.E{Key: sessionStamp, Value: kept})
	})
}

// EndSessions implements auth.Users.
func (s *Store) EndSessions(ctx context.Context, id string, at time.Time) error {
	return s.change(ctx, id, func(account bson.Raw) bson.D {
		return set(bson.E{Key: sessionStamp, Value: newStamp(passwordOf(account), at)})
	})
}

// Verify implements auth.Users. Without a password the account is one of Google's:
// mongoose would refuse to save it as another.
func (s *Store) Verify(ctx context.Context, id string, at time.Time) (auth.User, error) {
	err := s.change(ctx, id, func(account bson.Raw) bson.D {
		if _, verified := account.Lookup(verifiedAt).TimeOK(); verified {
			return nil
		}
		noted := set(bson.E{Key: verifiedAt, Value: at})
		if method, _ := account.Lookup("registrationMethod").StringValueOK(); method == methodGoogle || passwordOf(account) == "" {
			return noted
		}
		return append(set(
			bson.E{Key: verifiedAt, Value: at},
			bson.E{Key: "registrationMethod", Value: methodGoogle},
			bson.E{Key: sessionStamp, Value: newStamp("", at)},
		), bson.E{Key: "$unset", Value: bson.D{{Key: fieldPassword, Value: ""}}})
	})
	if err != nil {
		return auth.User{}, err
	}
	return s.ByID(ctx, id)
}

// newStamp is one that no token has.
func newStamp(hash string, at time.Time) stamp {
	return stamp{Of: fingerprint(hash), Stamp: rand.Text(), AllEndedAt: at}
}

func passwordOf(account bson.Raw) string {
	hash, _ := account.Lookup(fieldPassword).StringValueOK()
	return hash
}
