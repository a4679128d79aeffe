// Package fallback asks a shared cache first, and the memory of this process
// while the shared one is away. No call fails: with the shared cache gone,
// requests are served from memory, and it is tried again every second.
package fallback

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/etrainer/backend/pkg/cache"
)

const (
	// retryAfter is how long the shared cache is left alone after a failure.
	retryAfter = time.Second
	// maxOwed bounds the keys that are remembered to be deleted from the shared
	// cache when it is back. With more, all of it is cleared.
	maxOwed = 1000
)

// Cache implements cache.Cache. Values are written to both layers, so that
// memory is warm when the shared cache goes away.
type Cache struct {
	shared cache.Cache
	memory *cache.Memory
	now    func() time.Time
	log    *slog.Logger

	mu      sync.Mutex
	away    bool
	retryAt time.Time
	// What was deleted while the shared cache was away; it must not come back
	// with it.
	owed    map[string]bool
	owesAll bool
}

var _ cache.Cache = (*Cache)(nil)

// New returns a Cache. now nil = time.Now; log nil = nothing is logged.
func New(shared cache.Cache, memory *cache.Memory, now func() time.Time, log *slog.Logger) *Cache {
	if now == nil {
		now = time.Now
	}
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &Cache{shared: shared, memory: memory, now: now, log: log, owed: map[string]bool{}}
}

// Degraded reports whether the shared cache is away.
func (c *Cache) Degraded() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.away
}

// Get implements cache.Cache. What the shared cache does not have is not looked
// for in memory.
func (c *Cache) Get(ctx context.Context, key string) ([]byte, error) {
	if c.reachable(ctx) {
		value, err := c.shared.Get(ctx, key)
		if err == nil || errors.Is(err, cache.ErrMiss) {
			c.answered(ctx)
			return value, err
		}
		c.failed(ctx, err)
	}
	return c.memory.Get(ctx, key)
}

// Set implements cache.Cache.
func (c *Cache) Set(ctx context.Context, key string, value []byte, ttl time.Duration) error {
	if err := c.memory.Set(ctx, key, value, ttl); err != nil {
		return err
	}
	if c.reachable(ctx) {
		c.outcome(ctx, c.shared.Set(ctx, key, value, ttl))
	}
	return nil
}

// Add implements cache.Cache: over all processes, or in this one while the
// shared cache is away.
func (c *Cache) Add(ctx context.Context, key string, value []byte, ttl time.Duration) (bool, error) {
	if c.reachable(ctx) {
		added, err := c.shared.Add(ctx, key, value, ttl)
		c.outcome(ctx, err)
		if err == nil {
			return added, nil
		}
	}
	return c.memory.Add(ctx, key, value, ttl)
}

// Delete implements cache.Cache. While the shared cache is away, the other
// processes keep the value in their memories until its time is over.
func (c *Cache) Delete(ctx context.Context, keys ...string) error {
	if err := c.memory.Delete(ctx, keys...); err != nil {
		return err
	}
	if c.reachable(ctx) {
		err := c.shared.Delete(ctx, keys...)
		c.outcome(ctx, err)
		if err == nil {
			return nil
		}
	}
	c.owe(keys)
	return nil
}

// Clear implements cache.Cache; see Delete.
func (c *Cache) Clear(ctx context.Context) error {
	if err := c.memory.Clear(ctx); err != nil {
		return err
	}
	if c.reachable(ctx) {
		err := c.shared.Clear(ctx)
		c.outcome(ctx, err)
		if err == nil {
			return nil
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.owesAll = true
	return nil
}

// Stats implements cache.Cache: the shared cache, then memory.
func (c *Cache) Stats(ctx context.Context) cache.Stats {
	stats := c.shared.Stats(ctx)
	stats.Layers = append(stats.Layers, c.memory.Stats(ctx).Layers...)
	return stats
}
