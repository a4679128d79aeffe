package main

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"sync/atomic"
	"time"

	"github.com/etrainer/backend/pkg/catalog"
	"github.com/etrainer/backend/pkg/fleet"
	"github.com/etrainer/backend/pkg/fleet/mongofleet"
	"github.com/etrainer/backend/pkg/lifecycle"
	"github.com/etrainer/backend/pkg/metrics"
	"github.com/etrainer/backend/pkg/mongodb"
	"github.com/etrainer/backend/pkg/queue"
	"github.com/etrainer/backend/pkg/queue/mongoqueue"
	"github.com/etrainer/backend/pkg/redis"
	"github.com/etrainer/backend/pkg/runner"
	"github.com/etrainer/backend/pkg/supervise"
	"github.com/etrainer/backend/pkg/version"
	"github.com/etrainer/backend/pkg/wake"
	"github.com/etrainer/backend/pkg/wake/rediswake"
	"github.com/etrainer/backend/worker/internal/backlog"
	"github.com/etrainer/backend/worker/internal/backupwatch"
	"github.com/etrainer/backend/worker/internal/config"
	"github.com/etrainer/backend/worker/internal/scheduler"
)

// program is everything that needs the database, as one lifecycle.Service: it
// waits for the database, then starts the parts, and stops them the other way
// round.
type program struct {
	cfg     *config.Config
	log     *slog.Logger
	metrics *metrics.Registry
	child   *supervise.Child // nil = this process has no parent

	connection *mongodb.Client
	redis      *redis.Client
	parts      *lifecycle.Group
	client     atomic.Pointer[mongodb.Client] // that of a program that runs
	runner     atomic.Pointer[runner.Runner]
}

// inFlight is how many jobs this process holds.
func (p *program) inFlight() int {
	if running := p.runner.Load(); running != nil {
		return running.InFlight()
	}
	return 0
}

var errNotConnected = errors.New("not connected to MongoDB yet")

// ready tells why the worker cannot work, or nil.
func (p *program) ready(ctx context.Context) error {
	client := p.client.Load()
	if client == nil {
		return errNotConnected
	}
	return client.Ping(ctx)
}

// Start connects and starts the parts.
func (p *program) Start(ctx context.Context) error {
	if p.parts != nil {
		return nil
	}
	if _, err := p.cfg.Backup.Open(); err != nil {
		p.log.WarnContext(ctx, "no backups can be made", slog.Any("error", err))
	}
	if err := p.connect(ctx); err != nil {
		return errors.Join(err, p.disconnect(context.WithoutCancel(ctx)))
	}
	client := p.connection
	parts := p.assemble(client, mongodb.NewServerClock(client, p.log))
	if err := parts.Start(ctx); err != nil {
		return errors.Join(err, p.disconnect(context.WithoutCancel(ctx)))
	}
	p.parts = parts
	p.client.Store(client)
	return nil
}

// connect opens the connections, and waits for a database that can be worked with.
func (p *program) connect(ctx context.Context) (err error) {
	if p.redis, err = p.cfg.Redis.Open(); err != nil {
		return err
	}
	options, err := p.cfg.Mongo.Options("etrainer-worker", p.metrics, p.log)
	if err != nil {
		return err
	}
	if p.connection, err = mongodb.Connect(ctx, options); err != nil {
		return err
	}
	return mongodb.CheckSchema(ctx, p.connection.Database(), p.cfg.Collection, p.log)
}

// disconnect closes the connections that are open.
func (p *program) disconnect(ctx context.Context) error {
	var errs []error
	if p.connection != nil {
		errs = append(errs, p.connection.Close(ctx))
	}
	if p.redis != nil {
		errs = append(errs, p.redis.Close())
	}
	p.connection, p.redis = nil, nil
	return errors.Join(errs...)
}

// assemble is the wiring diagram: what starts first stops last.
func (p *program) assemble(client *mongodb.Client, clock *mongodb.ServerClock) *lifecycle.Group {
	db := client.Database()
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	problems := queue.NewProblems(clock.Now, p.log)
	store := mongoqueue.New(db, mongoqueue.Options{
		Collection: p.cfg.Collection, Now: clock.Now, Zone: p.cfg.Zone(), RunRetention: p.cfg.RunRetention, Log: p.log, Problems: problems,
	})
	registry := mongofleet.New(db, clock.Now).Reporting(problems)
	options := runner.Options{
		Store: store, Settings: store, Registry: patient{registry, p.log}, Server: clock, Problems: problems, Beats: p.cfg.Beats.Runner(),
		Handlers: p.handlers(client, clock, store),
		Slots:    p.cfg.Slots, PerName: p.cfg.PerName, PollInterval: time.Duration(p.cfg.PollInterval), IdleInterval: p.cfg.IdleInterval,
		Host: host, PID: os.Getpid(), Version: version.Version, Parent: p.child.Status, Log: p.log, Metrics: runner.NewMetrics(p.metrics),
	}
	parts := lifecycle.NewGroup(p.log)
	parts.Add("clock", clock)
	if p.redis != nil {
		subscriber := rediswake.NewSubscriber(p.redis, client.Namespace(), p.log)
		parts.Add("wake", subscriber)
		options.Subscriber, options.Publisher = subscriber, rediswake.NewPublisher(p.redis, client.Namespace())
	}
	var settings wake.Subscriber // the scheduler's own: a signal reaches one reader of a subscriber
	if p.redis != nil {
		own := rediswake.NewSubscriber(p.redis, client.Namespace(), slog.New(slog.DiscardHandler)) // the other tells of Redis
		parts.Add("settings", own)
		settings = own
	}
	running := runner.New(options)
	p.runner.Store(running)
	parts.Add("runner", running)
	p.metrics.MustRegister(client.Collector(), backlog.New(store, namesOf(options.Handlers), nil, p.log))
	parts.Add("scheduler", scheduler.New(scheduler.Options{
		Store: store, Jobs: catalog.ETrainer(p.cfg.Timezone), Subscriber: settings, Busy: func() bool { return running.InFlight() > 0 },
		Fleet: registry, Self: running.Instance, Problems: problems, Registerer: p.metrics, Log: p.log,
	}))
	parts.Add("backup watch", backupwatch.New(backupwatch.Options{
		Database: db.Name(), Open: p.cfg.Backup.Open, Registerer: p.metrics, Log: p.log,
	}))
	return parts
}

// patient is a registry that waits for a database that is away: the worker
// enters the fleet when it starts.
type patient struct {
	fleet.Registry
	log *slog.Logger
}

func (p patient) Register(ctx context.Context, self fleet.Instance) error {
	return mongodb.Persist(ctx, p.log, func(ctx context.Context) error { return p.Registry.Register(ctx, self) })
}

// Stop stops the parts and then closes the connections.
func (p *program) Stop(ctx context.Context) error {
	if p.parts == nil {
		return nil
	}
	err := p.parts.Stop(ctx)
	p.client.Store(nil)
	p.parts = nil
	return errors.Join(err, p.disconnect(ctx))
}

// Failed reports the failure of a part that runs.
func (p *program) Failed() <-chan error { return p.parts.Failed() }
