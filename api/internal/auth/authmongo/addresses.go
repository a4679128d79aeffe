package authmongo

import (
	"context"
	"fmt"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/etrainer/backend/api/internal/auth"
	"github.com/etrainer/backend/pkg/schema"
)

// Addresses are compared without case by the field emailKey, the address in small
// letters, since not every engine compares so by itself. The Node backend stores
// accounts without it: who looks for an address finds these as well, gives them
// their key, and looks again. So there are none most of the time, and nobody has
// to wait for a job that tidies up.
const emailKey = schema.EmailKey

// maxFound bounds one look: accounts with one address, which only the Node
// backend makes, and accounts without a key.
const maxFound = 64

// byAddress finds the account with an address. Of several that differ in case, it
// is the one that is written as asked, else in small letters, else the oldest.
func (s *Store) byAddress(ctx context.Context, address string) (bson.Raw, error) {
	ctx, cancel := context.WithTimeout(ctx, lookupTimeout)
	defer cancel()
	key := schema.EmailKeyOf(address)
	for {
		cursor, err := s.users.Find(ctx, bson.D{{Key: "$or", Value: bson.A{
			bson.D{{Key: "email", Value: address}},
			bson.D{{Key: emailKey, Value: key}},
			bson.D{{Key: emailKey, Value: nil}},
		}}}, options.Find().SetLimit(maxFound))
		if err != nil {
			return nil, fmt.Errorf("find a user: %w", err)
		}
		var found []bson.Raw
		if err := cursor.All(ctx, &found); err != nil {
			return nil, fmt.Errorf("find a user: %w", err)
		}
		adopted, err := s.adopt(ctx, found)
		if err != nil {
			return nil, err
		}
		if !adopted {
			return choose(found, address)
		}
	}
}

// adopt gives accounts their key that have none, and reports whether there were
// any.
func (s *Store) adopt(ctx context.Context, found []bson.Raw) (bool, error) {
	var writes []mongo.WriteModel
	for _, account := range found {
		if account.Lookup(emailKey).Type == bson.TypeString {
			continue
		}
		address, _ := account.Lookup("email").StringValueOK()
		writes = append(writes, mongo.NewUpdateOneModel().
			SetFilter(append(byID(account.Lookup("_id")), bson.E{Key: emailKey, Value: nil})).
			SetUpdate(set(bson.E{Key: emailKey, Value: schema.EmailKeyOf(address)})))
	}
	if len(writes) == 0 {
		return false, nil
	}
	_, err := s.users.BulkWrite(ctx, writes, options.BulkWrite().SetOrdered(false))
	return true, wrap(err, "give accounts the key of their address")
}

// choose returns the best of the accounts that were found for an address. One
// whose address the Node backend has changed since it got its key is none of
// them.
func choose(found []bson.Raw, address string) (bson.Raw, error) {
	var best bson.Raw
	bestRank := 0
	for _, account := range found {
		stored, _ := account.Lookup("email").StringValueOK()
		var rank int
		switch {
		case stored == address:
			rank = 3
		case schema.EmailKeyOf(stored) != schema.EmailKeyOf(address):
			continue
		case stored == strings.ToLower(address):
			rank = 2
		default:
			rank = 1
		}
		if rank > bestRank || rank == bestRank && older(account, best) {
			best, bestRank = account, rank
		}
	}
	if best == nil {
		return nil, auth.ErrNoUser
	}
	return best, nil
}

// older compares ids, which begin with the time.
func older(a, b bson.Raw) bool {
	left, _ := a.Lookup("_id").ObjectIDOK()
	right, _ := b.Lookup("_id").ObjectIDOK()
	return left.Hex() < right.Hex()
}
