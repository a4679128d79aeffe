package main

import (
	"context"
	"log/slog"
	"time"

	"github.com/etrainer/backend/api/internal/auth"
	"github.com/etrainer/backend/api/internal/config"
	"github.com/etrainer/backend/pkg/cache"
	"github.com/etrainer/backend/pkg/cache/fallback"
	"github.com/etrainer/backend/pkg/cache/rediscache"
	"github.com/etrainer/backend/pkg/lifecycle"
	"github.com/etrainer/backend/pkg/redis"
)

// caches are the cache and the parts that others look at.
type caches struct {
	cache  cache.Cache
	memory *cache.Memory
	// announce tells other processes what to forget; nil = there is no Redis.
	announce auth.Announce
	// listen makes the service that hears what other processes forget. Of that,
	// more than the cache may want to know. subscribed reports whether it does at
	// present.
	listen func(more func(context.Context, cache.Notice)) (hears lifecycle.Service, subscribed func() bool)
	// degraded reports that Redis is configured and away.
	degraded func() bool
	// layers are for the metrics: counters alone, which cost nothing.
	layers func() []cache.Layer
}

// newCaches returns Redis first and memory second; memory alone where there is
// no Redis. Databases that share a Redis keep apart by their namespaces.
func newCaches(cfg config.Config, client *redis.Client, namespace string, log *slog.Logger) (caches, error) {
	memory, err := cache.NewMemory(cache.MemoryOptions{Entries: cfg.CacheMaxSize})
	if err != nil {
		return caches{}, err
	}
	if client == nil {
		return caches{
			cache: memory, memory: memory, degraded: func() bool { return false },
			listen: func(func(context.Context, cache.Notice)) (lifecycle.Service, func() bool) { return hooks{}, nil },
			layers: func() []cache.Layer { return []cache.Layer{memory.Counters()} },
		}, nil
	}
	shared := rediscache.New(client, "etrainer:cache:"+namespace+":", 0)
	both := fallback.New(shared, memory, time.Now, log)
	return caches{
		cache: both, memory: memory, announce: shared.Announce, degraded: both.Degraded,
		listen: func(more func(context.Context, cache.Notice)) (lifecycle.Service, func() bool) {
			listener := rediscache.NewListener(shared, func(ctx context.Context, notice cache.Notice) {
				memory.Forget(ctx, notice)
				more(ctx, notice)
			}, log)
			return listener, listener.Subscribed
		},
		layers: func() []cache.Layer {
			counters := shared.Counters()
			counters.Available = !both.Degraded()
			return []cache.Layer{counters, memory.Counters()}
		},
	}, nil
}
