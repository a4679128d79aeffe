package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/etrainer/backend/api/internal/auth"
	"github.com/etrainer/backend/api/internal/auth/authmongo"
	"github.com/etrainer/backend/api/internal/config"
	"github.com/etrainer/backend/api/internal/health"
	"github.com/etrainer/backend/api/internal/jobs"
	"github.com/etrainer/backend/api/internal/leaderboard"
	"github.com/etrainer/backend/api/internal/leaderboard/leaderboardmongo"
	"github.com/etrainer/backend/api/internal/middleware"
	"github.com/etrainer/backend/api/internal/presence"
	"github.com/etrainer/backend/api/internal/reports"
	"github.com/etrainer/backend/api/internal/reports/reportsmongo"
	"github.com/etrainer/backend/api/internal/server"
	"github.com/etrainer/backend/api/internal/system"
	"github.com/etrainer/backend/pkg/cache"
	"github.com/etrainer/backend/pkg/catalog"
	"github.com/etrainer/backend/pkg/fleet/mongofleet"
	"github.com/etrainer/backend/pkg/lifecycle"
	"github.com/etrainer/backend/pkg/logging"
	"github.com/etrainer/backend/pkg/media/mediamongo"
	"github.com/etrainer/backend/pkg/metrics"
	"github.com/etrainer/backend/pkg/mongodb"
	"github.com/etrainer/backend/pkg/queue"
	"github.com/etrainer/backend/pkg/queue/mongoqueue"
	"github.com/etrainer/backend/pkg/redis"
	"github.com/etrainer/backend/pkg/supervise"
	"github.com/etrainer/backend/pkg/wake"
	"github.com/etrainer/backend/pkg/wake/rediswake"
)

// wire connects the parts of the program; the group starts and stops them. Both
// ports are open when it begins to wait for the database, so that health checks
// can tell a process that waits from one that is dead, and a port in use is
// known at once.
func wire(ctx context.Context, cfg config.Config, lines *logging.Log, child *supervise.Child) (*lifecycle.Group, error) {
	log := lines.Logger
	redisClient, err := cfg.Redis.Open()
	if err != nil {
		return nil, err
	}
	counts := counter(redisClient, log)
	listener := server.New(server.Options{
		Address: cfg.Address(), Variable: "PORT", Open: child.Listener, DrainDelay: cfg.DrainDelay,
		HeaderTimeout: cfg.HeaderTimeout, BodyTimeout: cfg.BodyTimeout, Log: log,
	})
	child.CountInFlight(listener.InFlight)
	registry := metrics.New("api", log)
	registry.MustRegister(lines.Collector())
	measure, err := middleware.Metrics(registry, time.Now)
	if err != nil {
		return nil, err
	}
	routing := server.RouteOptions{TrustedProxies: cfg.TrustedProxies, Options: middleware.Options{
		Log: log, AccessLog: lines.Zap, Now: time.Now, Origins: cfg.AllowedOrigins, BodyLimit: cfg.BodyLimit, Timeout: server.RequestTimeout, Limits: counts.limits(cfg),
		Metrics: measure,
	}}
	probes := health.Parts{Redis: pinger(redisClient), LimitsShared: counts.shared, Child: child.ID(), Draining: listener.Draining, Now: time.Now, StartedAt: time.Now(), Log: log}
	starting, err := server.Starting(routing, health.NewHandler(probes))
	if err != nil {
		return nil, err
	}
	if child.AcceptsEarly() {
		if err := listener.Listen(ctx, starting); err != nil {
			return nil, errors.Join(err, closeRedis(redisClient))
		}
	}
	privately, pages := private(cfg, child, registry, lines)
	if err := privately.Listen(ctx, pages); err != nil {
		return nil, errors.Join(err, listener.Stop(context.WithoutCancel(ctx)), closeRedis(redisClient))
	}
	group, err := wireDatabase(ctx, cfg, log, parts{redisClient, counts, listener, privately, routing, probes, registry, child})
	if err != nil {
		stopping := context.WithoutCancel(ctx)
		return nil, errors.Join(err, privately.Stop(stopping), listener.Stop(stopping), closeRedis(redisClient))
	}
	return group, nil
}

// parts are what there is before the database.
type parts struct {
	redis    *redis.Client
	counts   counted
	listener *server.Server
	private  *server.Server
	routing  server.RouteOptions
	probes   health.Parts
	metrics  *metrics.Registry
	child    *supervise.Child // nil = this process has no parent
}

// wireDatabase waits for the database, and connects what uses it.
func wireDatabase(ctx context.Context, cfg config.Config, log *slog.Logger, p parts) (*lifecycle.Group, error) {
	zone, err := cfg.Zone()
	if err != nil {
		return nil, err
	}
	client, err := connect(ctx, cfg, p.metrics, log)
	if err != nil {
		return nil, err
	}
	if err := mongodb.CheckSchema(ctx, client.Database(), cfg.JobsCollection, log); err != nil {
		return nil, errors.Join(err, client.Close(context.WithoutCancel(ctx)))
	}
	database, clock, instance := client.Database(), mongodb.NewServerClock(client, log), instanceID()

	store := mongoqueue.New(database, mongoqueue.Options{
		Collection: cfg.JobsCollection, Name: instance, Now: clock.Now, Zone: zone, Log: log,
	})
	registry := mongofleet.New(database, clock.Now)
	definitions := catalog.ETrainer(cfg.JobsTimezone)
	names := jobs.NewWorkerNames(registry, clock.Now)
	producer := queue.NewClient(store, definitions, publisher(p.redis, client.Namespace()), queue.ClientOptions{
		OtherNames: names.Names, Zone: zone, Log: log,
	})
	cached, err := newCaches(cfg, p.redis, client.Namespace(), log)
	if err != nil {
		return nil, errors.Join(err, client.Close(ctx))
	}
	counts := cache.NewThrough[queue.Counts](cached.cache, jobs.CountPolicy, clock.Now, log)
	queueRoutes := jobs.NewHandler(producer, store, counts, registry, definitions, zone)
	board := leaderboard.New(leaderboard.Options{
		Store: leaderboardmongo.New(database, client.Reports(), client.Capabilities().AggregationAvg),
		Cache: cached.cache, TTL: time.Duration(cfg.CacheTTL) * time.Second, Now: clock.Now, Log: log,
	})

	drop := func(notice cache.Notice) { // what is being loaded, when the cache is told to forget
		counts.Drop(notice)
		board.Drop(notice)
	}

	accounts := authmongo.New(database, clock.Now, log)
	authRoutes, err := auth.NewService(accounts, accounts, tokens(cfg, clock), auth.NewPasswords(cfg.BcryptRounds),
		auth.WithGoogle(auth.NewGoogle(auth.GoogleOptions{UserInfo: cfg.GoogleUserInfo, TokenInfo: cfg.GoogleTokenInfo, ClientIDs: cfg.GoogleClientIDs})), auth.WithThrottle(p.counts.store, log),
		auth.WithAnnounce(cached.announce), auth.WithBootstrap(cfg.BootstrapSecret.Reveal()), auth.WithLog(log))
	if err != nil {
		return nil, errors.Join(err, client.Close(ctx))
	}

	uploadRoutes, storage, sweeper, err := wireMedia(cfg.Media, mediamongo.New(database), clock.Now, log)
	if err != nil {
		return nil, errors.Join(err, client.Close(ctx))
	}

	p.probes.Database, p.probes.DatabaseName, p.probes.Target = client, database.Name(), client.Target()
	p.probes.Jobs, p.probes.Storage, p.probes.CacheDegraded = queueRoutes.Health, storage, cached.degraded
	hears, subscribed := cached.listen(func(ctx context.Context, notice cache.Notice) {
		drop(notice)
		authRoutes.Forget(ctx, notice)
	})
	p.probes.Subscribed = subscribed
	p.probes.HasAdmin = minded(cfg, authRoutes)
	p.probes.Memory = func(context.Context) cache.Layer { return cached.memory.Counters() }
	probes := health.NewHandler(p.probes)
	state := system.NewHandler(system.Parts{
		Database: client, Alive: probes.Alive, Cache: cached.cache, Drop: drop, Board: board, Fleet: registry, Instance: instance, Parent: p.child.Status,
		Storage: storage, Environment: cfg.Environment, Now: clock.Now, StartedAt: p.probes.StartedAt, Log: log,
	})
	routes, err := server.Routes(p.routing, probes, authRoutes, queueRoutes, state, uploadRoutes, reports.NewHandler(reportsmongo.New(database)))
	if err == nil {
		err = register(p.metrics, client.Collector(), authRoutes.Collector(), cache.NewCollector(cached.layers))
	}
	if err != nil {
		return nil, errors.Join(err, client.Close(ctx))
	}
	p.listener.Use(routes)

	// Started from top to bottom, stopped from bottom to top.
	group := lifecycle.NewGroup(log)
	group.Add("database", hooks{stop: client.Close})
	group.Add("redis", hooks{stop: func(context.Context) error { return closeRedis(p.redis) }})
	group.Add("limits", p.counts.batches)
	group.Add("private port", p.private)
	group.Add("private address", hooks{start: func(context.Context) error {
		p.child.ServesPrivately(p.private.Address().String())
		return nil
	}})
	group.Add("server clock", clock)
	group.Add("cache listener", hears)
	group.Add("accounts", authRoutes)
	group.Add("administrator", adminWatch(cfg, authRoutes))
	group.Add("job counts", counts)
	group.Add("names of workers", hooks{start: func(ctx context.Context) error { lookForNames(ctx, names, log); return nil }})
	group.Add("leaderboard", board)
	group.Add("expired sessions", hooks{start: func(ctx context.Context) error { removeExpired(ctx, accounts, log); return nil }})
	group.Add("media sweeper", sweeper)
	present := presence.New(presence.Options{
		Registry: registry, ID: instance, Parent: p.child.Status, InFlight: p.listener.InFlight, Now: clock.Now, Log: log,
	})
	group.Add("presence", present)
	group.Add("listener", p.listener)
	group.Add("draining", hooks{stop: present.Drain}) // told before the listener drains
	group.Add("readiness", p.child.Readiness())
	return group, nil
}

// removeExpired tidies up. A database that is away just now does not end the
// start: expired sessions do no harm, and the next start removes them.
func removeExpired(ctx context.Context, accounts *authmongo.Store, log *slog.Logger) {
	ctx, cancel := context.WithTimeout(ctx, mongodb.DefaultAttemptTimeout)
	defer cancel()
	if err := accounts.RemoveExpired(ctx); err != nil {
		log.WarnContext(ctx, "expired sessions not removed", slog.Any("error", err))
	}
}

// lookForNames spares the first requests the look. A database that is away just now
// does not end the start: they will look themselves.
func lookForNames(ctx context.Context, names *jobs.WorkerNames, log *slog.Logger) {
	ctx, cancel := context.WithTimeout(ctx, mongodb.DefaultAttemptTimeout)
	defer cancel()
	if err := names.Look(ctx); err != nil {
		log.WarnContext(ctx, "the names that workers can run are not known yet", slog.Any("error", err))
	}
}

func register(registry *metrics.Registry, collectors ...prometheus.Collector) error {
	for _, collector := range collectors {
		if err := registry.Register(collector); err != nil {
			return fmt.Errorf("register metrics: %w", err)
		}
	}
	return nil
}

func tokens(cfg config.Config, clock *mongodb.ServerClock) *auth.Tokens {
	return auth.NewTokens(auth.TokenOptions{
		AccessSecret: []byte(cfg.JWTSecret.Reveal()), RefreshSecret: []byte(cfg.JWTRefreshSecret.Reveal()),
		AccessLifetime: time.Duration(cfg.JWTExpiresIn), RefreshLifetime: time.Duration(cfg.JWTRefreshExpires),
		SessionLifetime: time.Duration(cfg.SessionExpiresIn),
		Now:             clock.Now,
	})
}

func connect(ctx context.Context, cfg config.Config, registry *metrics.Registry, log *slog.Logger) (*mongodb.Client, error) {
	options, err := cfg.MongoDB.Options("etrainer-api", registry, log)
	if err != nil {
		return nil, err
	}
	return mongodb.Connect(ctx, options)
}

// publisher wakes workers through Redis; without one they poll.
func publisher(cache *redis.Client, queueName string) wake.Publisher {
	if cache == nil {
		return wake.Silent{}
	}
	return rediswake.NewPublisher(cache, queueName)
}

// pinger asks Redis for a sign of life; nil = there is none.
func pinger(cache *redis.Client) func(context.Context) error {
	if cache == nil {
		return nil
	}
	return func(ctx context.Context) error { return cache.Ping(ctx).Err() }
}

func closeRedis(cache *redis.Client) error {
	if cache == nil {
		return nil
	}
	return cache.Close()
}

// instanceID names this process among all others, also those of other
// containers with the same host name and process id.
func instanceID() string {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	return fmt.Sprintf("api-%s-%d-%s", host, os.Getpid(), rand.Text()[:8])
}

// hooks is a lifecycle.Service of functions; nil = nothing to do.
type hooks struct {
	start, stop func(ctx context.Context) error
}

func (h hooks) Start(ctx context.Context) error { return call(ctx, h.start) }
func (h hooks) Stop(ctx context.Context) error  { return call(ctx, h.stop) }

func call(ctx context.Context, f func(context.Context) error) error {
	if f == nil {
		return nil
	}
	return f(ctx)
}
