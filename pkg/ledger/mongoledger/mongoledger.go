// Package mongoledger keeps a ledger in the MongoDB collection effectLedger.
//
// A batch takes one insert, and two more commands only when some of its keys
// are there already; settling it takes one update, and one delete more when
// claims are given back. Entries carry expiresAt, which a TTL index or Purge
// acts on.
package mongoledger

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/etrainer/backend/pkg/ledger"
	"github.com/etrainer/backend/pkg/schema"
)

// Collection is the name of the collection.
const Collection = schema.EffectLedger

// duplicateKey is MongoDB's error for an _id that is taken.
const duplicateKey = 11000

// Ledger implements ledger.Ledger. It is safe for concurrent use.
type Ledger struct {
	entries *mongo.Collection
	now     func() time.Time
}

var _ ledger.Ledger = (*Ledger)(nil)

// New returns a Ledger on a database. now is the server's clock.
func New(db *mongo.Database, now func() time.Time) *Ledger {
	return &Ledger{entries: db.Collection(Collection), now: now}
}

// entry is one key as it is stored.
type entry struct {
	Key       string       `bson:"_id"`
	State     ledger.State `bson:"state"`
	Holder    string       `bson:"holder"`
	ClaimedAt time.Time    `bson:"claimedAt"`
	SettledAt *time.Time   `bson:"settledAt,omitempty"`
	Reason    string       `bson:"reason,omitempty"`
	ExpiresAt time.Time    `bson:"expiresAt"`
}

// Claim implements ledger.Ledger.
func (l *Ledger) Claim(ctx context.Context, claim ledger.Claim) ([]ledger.State, error) {
	now := l.now().UTC()
	documents := make([]entry, len(claim.Keys))
	states := make([]ledger.State, len(claim.Keys))
	for i, key := range claim.Keys {
		documents[i] = entry{Key: key, State: ledger.Claimed, Holder: claim.Holder, ClaimedAt: now, ExpiresAt: now.Add(claim.Keep)}
		states[i] = ledger.Mine
	}
	_, err := l.entries.InsertMany(ctx, documents, options.InsertMany().SetOrdered(false))
	taken, err := duplicates(err)
	if err != nil || len(taken) == 0 {
		return states, wrap(err, "claim keys")
	}
	keys := make([]string, len(taken))
	for i, place := range taken {
		keys[i] = claim.Keys[place]
	}
	if err := l.takeOver(ctx, claim, keys, now); err != nil {
		return nil, err
	}
	known, err := l.read(ctx, claim.Holder, keys)
	if err != nil {
		return nil, err
	}
	for i, place := range taken {
		state, found := known[keys[i]]
		if !found { // removed in between; the caller claims again
			return nil, fmt.Errorf("claim keys: %q vanished", keys[i])
		}
		states[place] = state
	}
	return states, nil
}

// duplicates returns the places of the documents that were there already.
func duplicates(err error) ([]int, error) {
	bulk, ok := errors.AsType[mongo.BulkWriteException](err)
	if !ok {
		return nil, err
	}
	var places []int
	for _, e := range bulk.WriteErrors {
		if e.Code != duplicateKey {
			return nil, err
		}
		places = append(places, e.Index)
	}
	if bulk.WriteConcernError != nil {
		return nil, err
	}
	return places, nil
}

// takeOver makes old claims of others this holder's, if the policy says so.
func (l *Ledger) takeOver(ctx context.Context, claim ledger.Claim, keys []string, now time.Time) error {
	after := claim.Policy.TakeOverAfter()
	if after == 0 {
		return nil
	}
	_, err := l.entries.UpdateMany(ctx, bson.D{
		{Key: "_id", Value: bson.D{{Key: "$in", Value: keys}}},
		{Key: "state", Value: ledger.Claimed},
		{Key: "claimedAt", Value: bson.D{{Key: "$lte", Value: now.Add(-after)}}},
	}, bson.D{{Key: "$set", Value: bson.D{
		{Key: "holder", Value: claim.Holder}, {Key: "claimedAt", Value: now}, {Key: "expiresAt", Value: now.Add(claim.Keep)},
	}}})
	return wrap(err, "take claims over")
}

// read returns how keys stand for a holder.
func (l *Ledger) read(ctx context.Context, holder string, keys []string) (map[string]ledger.State, error) {
	cursor, err := l.entries.Find(ctx, bson.D{{Key: "_id", Value: bson.D{{Key: "$in", Value: keys}}}},
		options.Find().SetProjection(bson.D{{Key: "state", Value: 1}, {Key: "holder", Value: 1}}))
	if err != nil {
		return nil, fmt.Errorf("read claims: %w", err)
	}
	var found []entry
	if err := cursor.All(ctx, &found); err != nil {
		return nil, fmt.Errorf("read claims: %w", err)
	}
	states := make(map[string]ledger.State, len(found))
	for _, e := range found {
		states[e.Key] = e.State
		if e.State == ledger.Claimed && e.Holder == holder {
			states[e.Key] = ledger.Mine
		}
	}
	return states, nil
}

// Settle implements ledger.Ledger.
func (l *Ledger) Settle(ctx context.Context, holder string, settlements []ledger.Settlement) error {
	type ending struct {
		state  ledger.State
		reason string
	}
	groups := map[ending][]string{}
	for _, s := range settlements {
		e := ending{s.State, s.Reason}
		groups[e] = append(groups[e], s.Key)
	}
	now := l.now().UTC()
	var writes []mongo.WriteModel
	for e, keys := range groups {
		own := bson.D{
			{Key: "_id", Value: bson.D{{Key: "$in", Value: keys}}}, {Key: "holder", Value: holder}, {Key: "state", Value: ledger.Claimed},
		}
		if e.state == ledger.Free {
			writes = append(writes, mongo.NewDeleteManyModel().SetFilter(own))
			continue
		}
		set := bson.D{{Key: "state", Value: e.state}, {Key: "settledAt", Value: now}}
		if e.reason != "" {
			set = append(set, bson.E{Key: "reason", Value: e.reason})
		}
		writes = append(writes, mongo.NewUpdateManyModel().SetFilter(own).SetUpdate(bson.D{{Key: "$set", Value: set}}))
	}
	if len(writes) == 0 {
		return nil
	}
	_, err := l.entries.BulkWrite(ctx, writes, options.BulkWrite().SetOrdered(false))
	return wrap(err, "settle claims")
}

// Purge implements ledger.Ledger.
func (l *Ledger) Purge(ctx context.Context) (int64, error) {
	result, err := l.entries.DeleteMany(ctx, bson.D{{Key: "expiresAt", Value: bson.D{{Key: "$lte", Value: l.now()}}}})
	if err != nil {
		return 0, fmt.Errorf("remove old entries: %w", err)
	}
	return result.DeletedCount, nil
}

func wrap(err error, operation string) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", operation, err)
}
