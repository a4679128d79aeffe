// Package leaderboard tells who has answered most questions right.
//
// The scores are the sums of a whole collection, so no request computes them.
// They are a snapshot in the database: a request reads that one document, or the
// cache before it. One that finds the snapshot old asks for a new one, which one
// process of all makes in the background; meanwhile the old one is served.
package leaderboard

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/jonboulle/clockwork"

	"github.com/etrainer/backend/pkg/cache"
	"github.com/etrainer/backend/pkg/lifecycle"
)

// Size is how many learners a snapshot holds.
const Size = 100

const (
	// computeTimeout bounds one computation, and how long a process that died
	// over it keeps the others waiting.
	computeTimeout = 2 * time.Minute
	// retryAfter is the pause after a computation that failed, or that another
	// process is about to make.
	retryAfter = 5 * time.Second
	// askAgain is how often the first snapshot is looked for while another
	// process makes it.
	askAgain = 250 * time.Millisecond
)

// key is where the snapshot is in the cache.
const key = "leaderboard"

// Row is one learner, best first in a Snapshot.
type Row struct {
	User         string    `bson:"user" json:"user"` // id, 24 hex digits
	Name         string    `bson:"name" json:"name"`
	AvatarURL    string    `bson:"avatarUrl" json:"avatarUrl"`       // "" = none
	TotalScore   float64   `bson:"totalScore" json:"totalScore"`     // right answers in all practices
	Practices    int64     `bson:"practices" json:"practices"`       // how many
	AverageScore float64   `bson:"averageScore" json:"averageScore"` // mean accuracy in percent, two decimals
	LastActive   time.Time `bson:"lastActive" json:"lastActive"`     // end of the last practice
}

// Snapshot is the leaderboard at one time.
type Snapshot struct {
	At   time.Time `bson:"at" json:"at"`
	Rows []Row     `bson:"rows" json:"rows"`
}

// Store keeps the snapshot and can compute it.
type Store interface {
	// Read returns the last snapshot, or cache.ErrAbsent. It reads one document.
	Read(ctx context.Context) (Snapshot, error)
	// Claim reports whether this process is to make the next snapshot: one of all
	// that ask is, until the time has passed or a Write.
	Claim(ctx context.Context, now, until time.Time) (bool, error)
	// Compute sums the practices of all users up.
	Compute(ctx context.Context) ([]Row, error)
	// Write replaces the snapshot.
	Write(ctx context.Context, snapshot Snapshot) error
}

// Options are the parts of a Board.
type Options struct {
	Store Store
	Cache cache.Cache
	// TTL is how long a snapshot is taken for new.
	TTL time.Duration
	// Now is the database server's clock, Clock times the waits. Clock nil = the
	// real one.
	Now   func() time.Time
	Clock clockwork.Clock
	Log   *slog.Logger
}

// Board serves the leaderboard. It is a lifecycle.Service.
type Board struct {
	*lifecycle.Loop
	options Options
	cached  *cache.Through[Snapshot]
	wanted  chan struct{}
}

// New returns a Board that is not started.
func New(o Options) *Board {
	if o.Clock == nil {
		o.Clock = clockwork.NewRealClock()
	}
	b := &Board{options: o, wanted: make(chan struct{}, 1)}
	b.cached = cache.NewThrough[Snapshot](o.Cache, cache.Policy{Fresh: o.TTL}, o.Now, o.Log)
	b.Loop = lifecycle.NewLoop("leaderboard", b.run)
	return b
}

// Stop ends what is being computed.
func (b *Board) Stop(ctx context.Context) error {
	return errors.Join(b.Loop.Stop(ctx), b.cached.Stop(ctx))
}

// Start implements lifecycle.Service.
func (b *Board) Start(ctx context.Context) error {
	if err := b.cached.Start(ctx); err != nil {
		return err
	}
	return b.Loop.Start(ctx)
}

// Top returns the snapshot. Only where there has never been one does it wait for
// the first to be made.
func (b *Board) Top(ctx context.Context) (cache.Found[Snapshot], error) {
	for {
		found, err := b.cached.Get(ctx, key, b.options.Store.Read)
		if err == nil {
			if b.options.Now().Sub(found.Value.At) >= b.options.TTL {
				b.want()
			}
			return found, nil
		}
		if !errors.Is(err, cache.ErrAbsent) {
			return cache.Found[Snapshot]{}, err
		}
		b.want()
		select {
		case <-ctx.Done():
			return cache.Found[Snapshot]{}, ctx.Err()
		case <-b.options.Clock.After(askAgain):
		}
	}
}

// Drop does what a cache.Notice asks for with what is being read for the cache.
func (b *Board) Drop(notice cache.Notice) { b.cached.Drop(notice) }

// want asks for a new snapshot; asking twice is asking once.
func (b *Board) want() {
	select {
	case b.wanted <- struct{}{}:
	default:
	}
}

func (b *Board) run(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-b.wanted:
		}
		if b.renew(ctx) {
			continue
		}
		select {
		case <-ctx.Done():
			return nil
		case <-b.options.Clock.After(retryAfter):
		}
	}
}

// renew makes a new snapshot if no other process does, and reports whether it
// did.
func (b *Board) renew(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, computeTimeout)
	defer cancel()
	err := b.make(ctx)
	if err != nil && !errors.Is(err, errOthers) && ctx.Err() == nil {
		b.options.Log.WarnContext(ctx, "leaderboard not computed; the last one is served", slog.Any("error", err))
	}
	return err == nil
}

var errOthers = errors.New("another process makes it, or has just done so")

func (b *Board) make(ctx context.Context) error {
	now := b.options.Now()
	last, err := b.options.Store.Read(ctx)
	if err == nil && now.Sub(last.At) < b.options.TTL {
		return b.cached.Forget(ctx, key) // ours is older than that
	}
	if err != nil && !errors.Is(err, cache.ErrAbsent) {
		return err
	}
	mine, err := b.options.Store.Claim(ctx, now, now.Add(computeTimeout))
	if err != nil {
		return err
	}
	if !mine {
		return errOthers
	}
	rows, err := b.options.Store.Compute(ctx)
	if err != nil {
		return err
	}
	if err := b.options.Store.Write(ctx, Snapshot{At: now, Rows: rows}); err != nil {
		return err
	}
	b.options.Log.InfoContext(ctx, "leaderboard computed", slog.Int("rows", len(rows)), slog.Duration("took", b.options.Now().Sub(now)))
	return b.cached.Forget(ctx, key)
}
