package migrate

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/etrainer/backend/pkg/schema"
)

// The lock is part of the document that holds the schema's state. It expires
// unless its holder renews it, so a killed process blocks the next one for
// lockLifetime at the most. Each holder gets a higher fence, and every record
// that it writes carries it: a holder that only slept changes nothing more.
const (
	lockLifetime = 30 * time.Second
	renewEvery   = lockLifetime / 3
	pollEvery    = 500 * time.Millisecond
)

// ErrLocked means that another process was still migrating when the time to
// wait was over.
var ErrLocked = errors.New("another process is migrating this database")

// ErrLockLost means that the lock expired while it was held: this process
// slept, or could not reach the database. What it had done is recorded.
var ErrLockLost = errors.New("the lock was lost to another process; run the command again")

type lock struct {
	token string
	fence int64
	stop  func() // ends the renewal
}

// storedLock is the lock as it is stored.
type storedLock struct {
	Fence int64 `bson:"fence"`
	Lock  *struct {
		Token     string    `bson:"token"`
		Holder    string    `bson:"holder"`
		ExpiresAt time.Time `bson:"expiresAt"`
	} `bson:"lock"`
}

func (r *Runner) readLock(ctx context.Context) (storedLock, error) {
	var stored storedLock
	err := r.records.FindOne(ctx, bson.D{{Key: "_id", Value: schema.StateID}}).Decode(&stored)
	if errors.Is(err, mongo.ErrNoDocuments) {
		err = nil
	}
	return stored, err
}

// acquire waits for the lock, and returns a context that ends when it is lost.
func (r *Runner) acquire(ctx context.Context) (*lock, context.Context, error) {
	deadline, told := r.clock.Now().Add(r.wait), false
	for {
		l, err := r.tryLock(ctx)
		if err != nil {
			return nil, nil, fmt.Errorf("take the lock: %w", err)
		}
		if l != nil {
			held, cancel := context.WithCancelCause(ctx)
			done := make(chan struct{})
			go func() { defer close(done); r.renew(held, l, cancel) }()
			l.stop = func() { cancel(context.Canceled); <-done }
			return l, held, nil
		}
		stored, err := r.readLock(ctx)
		if err != nil {
			return nil, nil, fmt.Errorf("read the lock: %w", err)
		}
		if stored.Lock != nil && !told {
			r.log.InfoContext(ctx, "waiting for another process that is migrating", slog.String("holder", stored.Lock.Holder))
			told = true
		}
		if !r.clock.Now().Before(deadline) {
			if stored.Lock == nil {
				return nil, nil, ErrLocked
			}
			return nil, nil, fmt.Errorf("%w: %s holds the lock until %s unless it renews it",
				ErrLocked, stored.Lock.Holder, stored.Lock.ExpiresAt.UTC().Format(time.RFC3339))
		}
		select {
		case <-ctx.Done():
			return nil, nil, ctx.Err()
		case <-r.clock.After(pollEvery):
		}
	}
}

// tryLock returns nil when somebody else holds the lock: the filter matches
// nothing then, and the insert that the upsert becomes meets the _id.
func (r *Runner) tryLock(ctx context.Context) (*lock, error) {
	now := r.target.Now()
	l := &lock{token: rand.Text()}
	_, err := r.records.UpdateOne(ctx,
		bson.D{{Key: "_id", Value: schema.StateID}, {Key: "$or", Value: bson.A{
			bson.D{{Key: "lock", Value: nil}},
			bson.D{{Key: "lock.expiresAt", Value: bson.D{{Key: "$lte", Value: now}}}},
		}}},
		bson.D{
			{Key: "$set", Value: bson.D{{Key: "lock", Value: bson.D{
				{Key: "token", Value: l.token},
				{Key: "holder", Value: r.holder},
				{Key: "since", Value: now},
				{Key: "expiresAt", Value: now.Add(lockLifetime)},
			}}}},
			{Key: "$inc", Value: bson.D{{Key: "fence", Value: int64(1)}}},
		}, options.UpdateOne().SetUpsert(true))
	if mongo.IsDuplicateKeyError(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	stored, err := r.readLock(ctx)
	if err != nil || stored.Lock == nil || stored.Lock.Token != l.token {
		return nil, err // an engine that let two updates through: the later one has it
	}
	l.fence = stored.Fence
	return l, nil
}

// renew moves the expiry on until ctx ends, and ends ctx when the lock is lost.
func (r *Runner) renew(ctx context.Context, l *lock, cancel context.CancelCauseFunc) {
	last := r.clock.Now()
	ticker := r.clock.NewTicker(renewEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.Chan():
		}
		result, err := r.records.UpdateOne(ctx, r.held(l),
			bson.D{{Key: "$set", Value: bson.D{{Key: "lock.expiresAt", Value: r.target.Now().Add(lockLifetime)}}}})
		switch {
		case err == nil && result.MatchedCount == 1:
			last = r.clock.Now()
		case err == nil, r.clock.Since(last) >= lockLifetime:
			cancel(ErrLockLost)
			return
		case ctx.Err() == nil:
			r.log.WarnContext(ctx, "lock not renewed; trying again", slog.Any("error", err))
		}
	}
}

func (r *Runner) held(l *lock) bson.D {
	return bson.D{{Key: "_id", Value: schema.StateID}, {Key: "lock.token", Value: l.token}}
}

// release gives the lock back. It expires by itself if that fails.
func (r *Runner) release(ctx context.Context, l *lock) {
	l.stop()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), renewEvery)
	defer cancel()
	_, err := r.records.UpdateOne(ctx, r.held(l), bson.D{{Key: "$set", Value: bson.D{{Key: "lock", Value: nil}}}})
	if err != nil {
		r.log.WarnContext(ctx, "lock not given back; it expires by itself", slog.Duration("within", lockLifetime), slog.Any("error", err))
	}
}

// setState records the schema's state, if the lock is still ours.
func (r *Runner) setState(ctx context.Context, l *lock, state schema.State) error {
	result, err := r.records.UpdateOne(ctx, r.held(l), bson.D{{Key: "$set", Value: bson.D{
		{Key: "version", Value: state.Version},
		{Key: "readableFrom", Value: state.ReadableFrom},
		{Key: "indexes", Value: state.Indexes},
	}}})
	if err != nil {
		return fmt.Errorf("record the schema version: %w", err)
	}
	if result.MatchedCount == 0 {
		return ErrLockLost
	}
	return nil
}
