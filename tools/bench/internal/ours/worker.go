package ours

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/etrainer/backend/pkg/config"
	"github.com/etrainer/backend/pkg/fleet/mongofleet"
	"github.com/etrainer/backend/pkg/job"
	"github.com/etrainer/backend/pkg/queue"
	"github.com/etrainer/backend/pkg/queue/mongoqueue"
	"github.com/etrainer/backend/pkg/redis"
	"github.com/etrainer/backend/pkg/runner"
	"github.com/etrainer/backend/pkg/wake/rediswake"
	"github.com/etrainer/backend/tools/bench/internal/engine"
)

// stopTime is how long a worker may take to stop.
const stopTime = 20 * time.Second

// Options tell how a Worker is to run.
type Options struct {
	Slots, PerName int
	Handler        runner.Handler
	// Others are handlers of further names.
	Others []runner.Handler
	// RedisURL turns wake-ups on; "" = polling alone.
	RedisURL string
	// Log receives the worker's warnings; nil = nothing is logged.
	Log *slog.Logger
}

// Worker is the product's worker on one database.
type Worker struct {
	runner     *runner.Runner
	redis      *redis.Client
	subscriber *rediswake.Subscriber
	recorded   *recorded
}

// NewStore returns the product's store, with its indexes made.
func NewStore(ctx context.Context, db *engine.Database) (*mongoqueue.Store, error) {
	store := mongoqueue.New(db.Database(), mongoqueue.Options{Now: db.Clock.Now})
	if err := store.Prepare(ctx); err != nil {
		return nil, fmt.Errorf("prepare the queue: %w", err)
	}
	return store, nil
}

// New returns a Worker that is not started.
func New(db *engine.Database, store *mongoqueue.Store, o Options) (*Worker, error) {
	w := &Worker{recorded: &recorded{Consumer: store, changed: make(chan struct{}, 1)}}
	options := runner.Options{
		Store: w.recorded, Settings: store, Registry: mongofleet.New(db.Database(), db.Clock.Now), Server: db.Clock,
		Handlers: append([]runner.Handler{o.Handler}, o.Others...), Slots: o.Slots, PerName: o.PerName,
		Host: "bench", PID: os.Getpid(), Version: "bench", Log: o.Log,
	}
	if o.RedisURL != "" {
		var err error
		if w.redis, err = OpenRedis(o.RedisURL); err != nil {
			return nil, err
		}
		log := o.Log
		if log == nil {
			log = slog.New(slog.DiscardHandler)
		}
		w.subscriber = rediswake.NewSubscriber(w.redis, db.Name, log)
		options.Subscriber, options.Publisher = w.subscriber, rediswake.NewPublisher(w.redis, db.Name)
	}
	w.runner = runner.New(options)
	return w, nil
}

// OpenRedis returns a client of the Redis at a URL.
func OpenRedis(url string) (*redis.Client, error) {
	return redis.Env{URL: config.Secret(url)}.Open()
}

// Start begins to lease.
func (w *Worker) Start(ctx context.Context) error {
	if w.subscriber != nil {
		if err := w.subscriber.Start(ctx); err != nil {
			return err
		}
	}
	return w.runner.Start(ctx)
}

// Connected reports whether wake-ups arrive.
func (w *Worker) Connected() bool { return w.subscriber != nil && w.subscriber.Connected() }

// Stop drains the worker.
func (w *Worker) Stop(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTime)
	defer cancel()
	errs := []error{w.runner.Stop(ctx)}
	if w.subscriber != nil {
		errs = append(errs, w.subscriber.Stop(ctx), w.redis.Close())
	}
	return errors.Join(errs...)
}

// AwaitRecorded waits until n outcomes are stored, history included, and
// returns when that was. If ctx ends first it returns its error; Recorded
// tells how far it came.
func (w *Worker) AwaitRecorded(ctx context.Context, n int) (time.Time, error) {
	for {
		count, at := w.recorded.state()
		if count >= n {
			return at, nil
		}
		select {
		case <-ctx.Done():
			return time.Time{}, context.Cause(ctx)
		case <-w.recorded.changed:
		}
	}
}

// Recorded is how many outcomes are stored.
func (w *Worker) Recorded() int {
	count, _ := w.recorded.state()
	return count
}

// recorded is a store that counts the outcomes that it has stored.
type recorded struct {
	queue.Consumer
	changed chan struct{}

	mu    sync.Mutex
	count int
	at    time.Time
}

// RecordRuns implements queue.Consumer. The history is what comes last.
func (r *recorded) RecordRuns(ctx context.Context, endings []queue.Ending) (int, error) {
	dropped, err := r.Consumer.RecordRuns(ctx, endings)
	if err != nil {
		return dropped, err
	}
	r.mu.Lock()
	for _, ending := range endings {
		if ending.Outcome != job.Lost {
			r.count++
		}
	}
	r.at = time.Now()
	r.mu.Unlock()
	select {
	case r.changed <- struct{}{}:
	default:
	}
	return dropped, nil
}

func (r *recorded) state() (int, time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.count, r.at
}
