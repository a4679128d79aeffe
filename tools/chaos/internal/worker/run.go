package worker

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"sync/atomic"
	"time"

	"github.com/etrainer/backend/pkg/config"
	"github.com/etrainer/backend/pkg/fleet"
	"github.com/etrainer/backend/pkg/fleet/mongofleet"
	"github.com/etrainer/backend/pkg/lifecycle"
	"github.com/etrainer/backend/pkg/mongodb"
	"github.com/etrainer/backend/pkg/queue"
	"github.com/etrainer/backend/pkg/queue/mongoqueue"
	"github.com/etrainer/backend/pkg/redis"
	"github.com/etrainer/backend/pkg/runner"
	"github.com/etrainer/backend/pkg/wake/rediswake"
	"github.com/etrainer/backend/tools/chaos/internal/history"
	"github.com/etrainer/backend/tools/chaos/internal/kinds"
)

const (
	// grace is how long a stop may take.
	grace = 10 * time.Second
	// armEvery is how often the recurring jobs are looked at.
	armEvery = 3 * time.Second
)

// Options tell a worker where it is. They travel as the argument of its
// program, in JSON.
type Options struct {
	Process  string // one life of one process
	History  string // folder
	URI      string // with the name of the database
	RedisURL string
}

// Run is the program of a worker: it works until its input, from which it
// takes traps, ends.
func Run(ctx context.Context, o Options, input io.Reader) error {
	var clock atomic.Pointer[mongodb.ServerClock]
	log, err := history.Open(o.History, o.Process, func() int64 {
		if c := clock.Load(); c != nil {
			return c.Now().UnixMilli()
		}
		return 0
	})
	if err != nil {
		return err
	}
	defer log.Close()
	w := &program{Options: o, history: log, traps: newTraps(log), clock: &clock, log: slog.New(slog.NewTextHandler(os.Stderr, nil))}
	stopping := make(chan error, 1)
	go func() { stopping <- w.traps.obey(input) }() // ends with the process
	return w.run(ctx, stopping)
}

type program struct {
	Options
	history *history.Log
	log     *slog.Logger
	traps   *traps
	clock   *atomic.Pointer[mongodb.ServerClock]
	runner  atomic.Pointer[runner.Runner]
}

func (w *program) run(ctx context.Context, stopping <-chan error) error {
	w.history.Write(history.Line{Event: history.Life, Note: history.Newer})
	client, err := mongodb.Connect(ctx, mongodb.Options{URI: w.URI, AppName: w.Process, Monitor: w.traps.monitor(), Log: w.log})
	if err != nil {
		return err
	}
	wakes, err := redis.Env{URL: config.Secret(w.RedisURL)}.Open()
	if err != nil {
		return err
	}
	parts := w.assemble(client, wakes)
	if err := parts.Start(ctx); err != nil {
		return err
	}
	var failure error
	select {
	case failure = <-stopping:
	case failure = <-parts.Failed():
	}
	ctx, cancel := context.WithTimeout(ctx, grace)
	defer cancel()
	return errors.Join(failure, parts.Stop(ctx), client.Close(ctx), wakes.Close())
}

// assemble is cmd/worker's wiring, with handlers, store and fleet of ours
// around the real ones.
func (w *program) assemble(client *mongodb.Client, wakes *redis.Client) *lifecycle.Group {
	clock := mongodb.NewServerClock(client, w.log)
	w.clock.Store(clock)
	db := client.Database()
	problems := queue.NewProblems(clock.Now, w.log)
	store := newStore(mongoqueue.New(db, mongoqueue.Options{Now: clock.Now, Log: w.log, Problems: problems}), w.history, w.traps)
	subscriber := rediswake.NewSubscriber(wakes, client.Namespace(), w.log)
	handler := &handler{log: w.history, traps: w.traps, holder: w.holder}
	options := runner.Options{
		Store: store, Settings: store, Server: clock, Problems: problems,
		Registry:   patient{&registry{mongofleet.New(db, clock.Now), w.history, w.traps}, w.log},
		Subscriber: subscriber, Publisher: rediswake.NewPublisher(wakes, client.Namespace()),
		PollInterval: time.Second, IdleInterval: 3 * time.Second, Host: "chaos", PID: os.Getpid(), Log: w.log,
	}
	for _, kind := range kinds.All() {
		options.Handlers = append(options.Handlers, runner.Handle(kind, handler.run))
	}
	w.runner.Store(runner.New(options))
	parts := lifecycle.NewGroup(w.log)
	parts.Add("clock", clock)
	parts.Add("wake", subscriber)
	parts.Add("runner", w.runner.Load())
	parts.Add("scheduler", lifecycle.NewLoop("scheduler", func(ctx context.Context) error { return w.schedule(ctx, store) }))
	return parts
}

func (w *program) holder() string { return w.runner.Load().Instance() }

// schedule keeps the recurring jobs armed, as worker/internal/scheduler does,
// but so often that its steps can be hit.
func (w *program) schedule(ctx context.Context, store *store) error {
	ticker := time.NewTicker(armEvery)
	defer ticker.Stop()
	for {
		if err := arm(ctx, store); err != nil {
			w.log.WarnContext(ctx, "not armed", slog.Any("error", err))
		}
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
	}
}

func arm(ctx context.Context, store *store) error {
	var wanted []queue.Recurring
	for _, d := range kinds.Catalog().Recurring() {
		wanted = append(wanted, queue.Recurring{Name: d.Name, Priority: &d.Priority, Repeat: d.Repeat})
	}
	unarmed, err := store.Unarmed(ctx, wanted...)
	for _, recurring := range unarmed {
		_, failure := store.Arm(ctx, recurring)
		err = errors.Join(err, failure)
	}
	return err
}

// patient waits for a database that is away when the worker enters the fleet.
type patient struct {
	*registry
	log *slog.Logger
}

func (p patient) Register(ctx context.Context, self fleet.Instance) error {
	return mongodb.Persist(ctx, p.log, func(ctx context.Context) error { return p.registry.Register(ctx, self) })
}
