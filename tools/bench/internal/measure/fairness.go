package measure

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"github.com/etrainer/backend/pkg/catalog"
	"github.com/etrainer/backend/pkg/queue"
	"github.com/etrainer/backend/pkg/queue/mongoqueue"
	"github.com/etrainer/backend/pkg/runner"
	"github.com/etrainer/backend/pkg/wake/rediswake"
	"github.com/etrainer/backend/tools/bench/internal/engine"
	"github.com/etrainer/backend/tools/bench/internal/ours"
	"github.com/etrainer/backend/tools/bench/internal/report"
)

// Flood is how many jobs wait unless another number is asked for.
const Flood = 20_000

const (
	floodBatch = 1000
	floodLasts = 20 * time.Millisecond
	otherJobs  = 40 // one a second
	otherLimit = 200
	// floodBegins bounds the wait for the first jobs: an engine without indexes
	// reads the whole queue for each command.
	floodBegins = 5 * time.Minute
)

// Fairness measures how long a job waits for its handler while a worker is
// flooded with jobs of another name: a name has slots of its own, whatever
// others have waiting.
func (b *Bench) Fairness(ctx context.Context) ([]report.Row, error) {
	settings := fmt.Sprintf("%d jobs of %s queued, and one a second of another name; Redis wake-ups; slots %d, %d for a name",
		b.Flood, floodLasts, runner.DefaultSlots, runner.DefaultPerName)
	var waited report.Sample
	ran := report.Row{Section: "fairness", What: "jobs of the flood meanwhile", Unit: "jobs/s", Settings: settings}
	err := b.with(ctx, func(db *engine.Database) error {
		f, err := b.newFlood(ctx, db)
		if err != nil {
			return err
		}
		defer f.close()
		began, before := time.Now(), f.ran.Load()
		for n := range otherJobs {
			wait, err := f.other(ctx, n)
			if err != nil {
				return fmt.Errorf("job %d, after %d of the flood: %w", n, f.ran.Load(), err)
			}
			waited = append(waited, milliseconds(wait))
			if err := rest(ctx, max(time.Second-wait, 0)); err != nil {
				return err
			}
		}
		ran.Value = float64(f.ran.Load()-before) / time.Since(began).Seconds()
		if f.ran.Load() == int64(b.Flood) {
			return errors.New("the flood was over before the other jobs were")
		}
		return nil
	})
	rows := percentiles("enqueue call to handler start beside a flood", waited, otherLimit, settings)
	for i := range rows {
		rows[i].Section = "fairness"
	}
	return append(rows, ran), err
}

// flood is a worker with much to do, and a client for another name.
type flood struct {
	worker  *ours.Worker
	client  *queue.Client
	ran     atomic.Int64
	started chan time.Time
	closers []func()
}

// newFlood fills the queue, and waits until the worker is busy with it.
func (b *Bench) newFlood(ctx context.Context, db *engine.Database) (*flood, error) {
	f := &flood{started: make(chan time.Time, otherJobs)}
	store, err := ours.NewStore(ctx, db)
	if err != nil {
		return nil, err
	}
	for left := b.Flood; left > 0; left -= floodBatch {
		requests, err := ours.Requests(min(left, floodBatch))
		if err != nil {
			return nil, err
		}
		if _, err := store.Enqueue(ctx, requests...); err != nil {
			return nil, fmt.Errorf("fill the queue: %w", err)
		}
	}
	if f.worker, err = ours.New(db, store, ours.Options{
		RedisURL: b.Engine.RedisURL, // slots are those of the product
		Handler: ours.Handler(func(ctx context.Context, _ runner.Job[ours.Payload]) {
			f.ran.Add(1)
			_ = rest(ctx, floodLasts) // cut short at the end
		}),
		Others: []runner.Handler{ours.OtherHandler(func(context.Context, runner.Job[ours.Payload]) { f.started <- time.Now() })},
	}); err != nil {
		return nil, err
	}
	if err := f.worker.Start(ctx); err != nil {
		return nil, err
	}
	f.closers = append(f.closers, func() { _ = f.worker.Stop(ctx) })
	if err := b.connectFlood(ctx, db, f); err != nil {
		f.close()
		return nil, err
	}
	return f, within(ctx, floodBegins, func() bool { return f.ran.Load() > 100 })
}

func (b *Bench) connectFlood(ctx context.Context, db *engine.Database, f *flood) error {
	redis, err := ours.OpenRedis(b.Engine.RedisURL)
	if err != nil {
		return err
	}
	f.closers = append(f.closers, func() { _ = redis.Close() })
	apiSide, err := b.Engine.Connect(ctx, db.Name)
	if err != nil {
		return err
	}
	f.closers = append(f.closers, func() { _ = apiSide.Disconnect(ctx) })
	store := mongoqueue.New(apiSide.Database(), mongoqueue.Options{Now: apiSide.Clock.Now})
	f.client = queue.NewClient(store, catalog.New(ours.OtherKind.Definition), rediswake.NewPublisher(redis, db.Name), queue.ClientOptions{})
	if err := until(ctx, f.worker.Connected); err != nil {
		return fmt.Errorf("wait for wake-ups: %w", err)
	}
	return nil
}

// other enqueues one job of the other name, and returns how long it waited for
// its handler.
func (f *flood) other(ctx context.Context, n int) (time.Duration, error) {
	enqueued := time.Now()
	if _, err := f.client.Enqueue(ctx, ours.OtherName, ours.Payload{N: n}); err != nil {
		return 0, err
	}
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case at := <-f.started:
		return at.Sub(enqueued), nil
	case <-ctx.Done():
		return 0, context.Cause(ctx)
	case <-timer.C:
		return 0, fmt.Errorf("its handler was not called in %s", patience)
	}
}

// close stops everything, the last first.
func (f *flood) close() {
	for _, closer := range slices.Backward(f.closers) {
		closer()
	}
}
