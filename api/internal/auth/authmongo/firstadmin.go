package authmongo

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/etrainer/backend/api/internal/auth"
)

// administrators is the filter of their accounts.
var administrators = bson.D{{Key: "role", Value: string(auth.RoleAdmin)}}

// mayAdminister reports whether a new account becomes an administrator because
// there is nobody yet who its right waits for.
func (s *Store) mayAdminister(ctx context.Context, id bson.ObjectID, right auth.Right) (bool, error) {
	switch right {
	case auth.FirstAccount:
		return s.claimFirst(ctx, id, bson.D{})
	case auth.FirstAdmin:
		first, err := s.claimFirst(ctx, id, administrators)
		if err == nil && !first {
			err = auth.ErrHasAdmin
		}
		return first, err
	default:
		return false, nil
	}
}

// The first account of an empty collection becomes an administrator. Counting
// and then inserting lets several through, so the right is claimed first: one
// document with a fixed _id, which any number of processes can insert only
// once. The claim is settled when the account is stored; until then, other new
// accounts wait, so that none of them is the first one after all. A claim whose
// process died is taken over, by a compare-and-set on the account that it names.
const firstAdminClaim = "firstAdmin"

const (
	// claimExpiry is when an unsettled claim counts as abandoned. It is well
	// above auth.CreateTimeout, so its holder can no longer store an account.
	claimExpiry = 4 * auth.CreateTimeout
	// claimPoll is how often those who wait look at the claim. It is unsettled
	// for the time of one insert, once in the life of a database.
	claimPoll = 20 * time.Millisecond
)

type claim struct {
	UserID    bson.ObjectID `bson:"userId"`
	ClaimedAt time.Time     `bson:"claimedAt"`
	Settled   bool          `bson:"settled"`
}

// claimFirst reports whether the new account with this id is the first one; rivals
// are the accounts that were first.
func (s *Store) claimFirst(ctx context.Context, id bson.ObjectID, rivals bson.D) (bool, error) {
	poll := time.NewTicker(claimPoll)
	defer poll.Stop()
	for {
		first, wait, err := s.tryClaim(ctx, id, rivals)
		if err != nil || !wait {
			return first, err
		}
		select {
		case <-poll.C:
		case <-ctx.Done():
			return false, fmt.Errorf("wait for the first administrator's account: %w", ctx.Err())
		}
	}
}

// tryClaim claims the right if it is free. wait means that it is not known yet
// whether another account will be the first one.
func (s *Store) tryClaim(ctx context.Context, id bson.ObjectID, rivals bson.D) (first, wait bool, err error) {
	var current claim
	err = s.claims.FindOne(ctx, byID(firstAdminClaim)).Decode(&current)
	switch {
	case errors.Is(err, mongo.ErrNoDocuments):
		return s.claimIfNone(ctx, rivals, func() (bool, error) { return s.newClaim(ctx, id) })
	case err != nil:
		return false, false, fmt.Errorf("read the claim of the first administrator: %w", err)
	case current.Settled: // and all accounts may have been removed since
		return s.claimIfNone(ctx, rivals, func() (bool, error) { return s.takeOver(ctx, current, id) })
	}
	stored, err := s.exists(ctx, s.users, byID(current.UserID))
	switch {
	case err != nil:
		return false, false, fmt.Errorf("look for the first administrator: %w", err)
	case stored:
		s.settleFirst(ctx, current.UserID, true, false)
		return false, false, nil
	case s.now().Sub(current.ClaimedAt) < claimExpiry:
		return false, true, nil
	default:
		first, err = s.takeOver(ctx, current, id)
		return first, !first, err
	}
}

// claimIfNone claims the right if there are no rivals.
func (s *Store) claimIfNone(ctx context.Context, rivals bson.D, claim func() (bool, error)) (first, wait bool, err error) {
	used, err := s.exists(ctx, s.users, rivals)
	if err != nil || used {
		return false, false, wrap(err, "look for accounts")
	}
	first, err = claim()
	return first, !first, err
}

// newClaim reports false when another process was faster.
func (s *Store) newClaim(ctx context.Context, id bson.ObjectID) (bool, error) {
	_, err := s.claims.InsertOne(ctx, bson.D{
		{Key: "_id", Value: firstAdminClaim},
		{Key: "userId", Value: id},
		{Key: "claimedAt", Value: s.now()},
		{Key: "settled", Value: false},
	})
	if mongo.IsDuplicateKeyError(err) {
		return false, nil
	}
	return err == nil, wrap(err, "claim to be the first administrator")
}

// takeOver reports false when another process was faster.
func (s *Store) takeOver(ctx context.Context, current claim, id bson.ObjectID) (bool, error) {
	result, err := s.claims.UpdateOne(ctx,
		bson.D{{Key: "_id", Value: firstAdminClaim}, {Key: "userId", Value: current.UserID}},
		set(bson.E{Key: "userId", Value: id}, bson.E{Key: "claimedAt", Value: s.now()}, bson.E{Key: "settled", Value: false}))
	if err != nil {
		return false, fmt.Errorf("take over the claim of the first administrator: %w", err)
	}
	return result.ModifiedCount == 1, nil
}

// settleFirst records what became of a claim: the account is stored, or its
// address was taken and the claim is given back. After any other failure
// nobody knows, and the claim expires.
func (s *Store) settleFirst(ctx context.Context, id bson.ObjectID, stored, taken bool) {
	mine := bson.D{{Key: "_id", Value: firstAdminClaim}, {Key: "userId", Value: id}}
	var err error
	switch {
	case stored:
		_, err = s.claims.UpdateOne(ctx, mine, set(bson.E{Key: "settled", Value: true}))
	case taken:
		_, err = s.claims.DeleteOne(ctx, mine)
	}
	if err != nil { // the next new account settles it
		s.log.WarnContext(ctx, "claim of the first administrator not settled", slog.Any("error", err))
	}
}
