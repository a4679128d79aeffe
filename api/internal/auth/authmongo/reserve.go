package authmongo

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/etrainer/backend/api/internal/auth"
	"github.com/etrainer/backend/pkg/schema"
)

// No unique index can keep phone numbers apart, or addresses that differ in case:
// accounts of the Node backend may share one. So a registration reserves both
// before it looks whether they are taken, and lets them go when its account is
// stored. A reservation is a document whose _id tells what is reserved, which any
// number of processes can insert only once; one whose process died expires as a
// claim does. The Node backend reserves nothing.

// reserve takes the address and the phone number of a new account, waiting for
// others that have them, and returns what lets them go.
func (s *Store) reserve(ctx context.Context, id bson.ObjectID, user auth.NewUser) (release func(), err error) {
	names := []string{"email:" + schema.EmailKeyOf(user.Email)}
	if user.Phone != "" {
		names = append(names, "phone:"+user.Phone) // always in this order, so that no two wait for each other
	}
	release = func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), auth.EndTimeout)
		defer cancel()
		for _, name := range names {
			if _, err := s.claims.DeleteOne(ctx, bson.D{{Key: "_id", Value: name}, {Key: "userId", Value: id}}); err != nil { // it expires
				s.log.WarnContext(ctx, "a reservation of a registration was not removed", slog.Any("error", err))
			}
		}
	}
	for _, name := range names {
		if err := s.reserveOne(ctx, name, id); err != nil {
			release()
			return nil, err
		}
	}
	return release, nil
}

func (s *Store) reserveOne(ctx context.Context, name string, id bson.ObjectID) error {
	poll := time.NewTicker(claimPoll)
	defer poll.Stop()
	for {
		now := s.now()
		_, err := s.claims.InsertOne(ctx, bson.D{{Key: "_id", Value: name}, {Key: "userId", Value: id}, {Key: "claimedAt", Value: now}})
		if !mongo.IsDuplicateKeyError(err) {
			return wrap(err, "reserve an address")
		}
		abandoned := bson.D{{Key: "_id", Value: name}, {Key: "claimedAt", Value: bson.D{{Key: "$lt", Value: now.Add(-claimExpiry)}}}}
		result, err := s.claims.UpdateOne(ctx, abandoned, set(bson.E{Key: "userId", Value: id}, bson.E{Key: "claimedAt", Value: now}))
		if err != nil {
			return fmt.Errorf("take over a reservation: %w", err)
		}
		if result.MatchedCount == 1 {
			return nil
		}
		select {
		case <-poll.C:
		case <-ctx.Done():
			return fmt.Errorf("wait for another registration with the same address: %w", ctx.Err())
		}
	}
}
