// Package rediscache keeps a cache in Redis, for all processes that share the
// Redis and the prefix. Every key begins with the prefix, and Clear removes
// those alone. What a process deletes or clears is announced to the others,
// whose [Listener] forgets it in their memories.
package rediscache

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/etrainer/backend/pkg/cache"
)

// DefaultTimeout bounds each call unless told otherwise: a request that waits
// longer for a cache would be better off without it.
const DefaultTimeout = 250 * time.Millisecond

const (
	// scanCount is how many keys Redis looks at for one answer of SCAN.
	scanCount = 1000
	// maxCounted bounds the answers of SCAN that Stats asks for: the server may
	// hold far more than this cache.
	maxCounted = 20
	// clearTimeout bounds a Clear, which takes many round trips.
	clearTimeout = 10 * time.Second
)

// Cache implements cache.Cache. The client must have ContextTimeoutEnabled, or
// the timeouts bound nothing; that of package redis has.
type Cache struct {
	client  redis.UniversalClient
	prefix  string
	timeout time.Duration

	hits, misses, failures atomic.Int64
}

var _ cache.Cache = (*Cache)(nil)

// New returns a Cache whose keys begin with a prefix, such as
// "etrainer:cache:". timeout bounds each call; 0 = DefaultTimeout.
func New(client redis.UniversalClient, prefix string, timeout time.Duration) *Cache {
	if timeout == 0 {
		timeout = DefaultTimeout
	}
	return &Cache{client: client, prefix: prefix, timeout: timeout}
}

// Get implements cache.Cache.
func (c *Cache) Get(ctx context.Context, key string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	value, err := c.client.Get(ctx, c.prefix+key).Bytes()
	switch {
	case err == nil:
		c.hits.Add(1)
		return value, nil
	case errors.Is(err, redis.Nil):
		c.misses.Add(1)
		return nil, cache.ErrMiss
	default:
		return nil, c.failed("get", err)
	}
}

// Set implements cache.Cache.
func (c *Cache) Set(ctx context.Context, key string, value []byte, ttl time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	return c.failed("set", c.client.Set(ctx, c.prefix+key, value, ttl).Err())
}

// Add implements cache.Cache.
func (c *Cache) Add(ctx context.Context, key string, value []byte, ttl time.Duration) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	err := c.client.SetArgs(ctx, c.prefix+key, value, redis.SetArgs{Mode: "NX", TTL: ttl}).Err()
	if errors.Is(err, redis.Nil) {
		return false, nil
	}
	return err == nil, c.failed("add", err)
}

// Delete implements cache.Cache, and tells the other processes. The marks of
// loads are nothing to them.
func (c *Cache) Delete(ctx context.Context, keys ...string) error {
	if len(keys) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	names := make([]string, len(keys))
	for i, key := range keys {
		names[i] = c.prefix + key
	}
	if err := c.client.Unlink(ctx, names...).Err(); err != nil {
		return c.failed("delete", err)
	}
	// A key that is no longer in Redis may still be in a memory.
	told := slices.DeleteFunc(slices.Clone(keys), cache.IsMark)
	if len(told) == 0 {
		return nil
	}
	return c.announce(ctx, cache.Notice{Keys: told})
}

// Clear implements cache.Cache, and tells the other processes. It looks at
// every key of the server, in steps that do not hold it up.
func (c *Cache) Clear(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, clearTimeout)
	defer cancel()
	err := c.scan(ctx, 0, func(keys []string) error { return c.client.Unlink(ctx, keys...).Err() })
	if err != nil {
		return c.failed("clear", err)
	}
	return c.announce(ctx, cache.Notice{All: true})
}

// scan calls f with the keys of this cache, in parts. rounds 0 = all of them,
// else it ends after that many with errMore.
func (c *Cache) scan(ctx context.Context, rounds int, f func(keys []string) error) error {
	var cursor uint64
	for round := 1; ; round++ {
		keys, next, err := c.client.Scan(ctx, cursor, escape(c.prefix)+"*", scanCount).Result()
		if err == nil && len(keys) > 0 {
			err = f(keys)
		}
		switch {
		case err != nil:
			return err
		case next == 0:
			return nil
		case round == rounds:
			return errMore
		}
		cursor = next
	}
}

var errMore = errors.New("there are more keys")

// escape makes a pattern that matches a text as it is.
func escape(text string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`, `]`, `\]`).Replace(text)
}

func (c *Cache) channel() string { return c.prefix + "forget" }

// Announce tells the other processes to forget keys that are in their memories
// and not in Redis.
func (c *Cache) Announce(ctx context.Context, keys ...string) error {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	return c.announce(ctx, cache.Notice{Keys: keys})
}

func (c *Cache) announce(ctx context.Context, notice cache.Notice) error {
	text, err := json.Marshal(notice)
	if err != nil {
		return fmt.Errorf("encode a notice: %w", err)
	}
	return c.failed("announce", c.client.Publish(ctx, c.channel(), text).Err())
}

// failed counts and words a failure.
func (c *Cache) failed(what string, err error) error {
	if err == nil {
		return nil
	}
	c.failures.Add(1)
	return fmt.Errorf("redis cache: %s: %w", what, err)
}

// Counters is what this process counted, without asking Redis. Entries and
// evictions are -1: not known.
func (c *Cache) Counters() cache.Layer {
	return cache.Layer{
		Name: cache.LayerRedis, Available: true, Entries: -1, Evictions: -1,
		Hits: c.hits.Load(), Misses: c.misses.Load(), Errors: c.failures.Load(),
	}
}

// Stats implements cache.Cache. Entries are counted up to twenty thousand keys
// of the server. Evictions are those of the whole server: it does not tell whose.
func (c *Cache) Stats(ctx context.Context) cache.Stats {
	ctx, cancel := context.WithTimeout(ctx, 4*c.timeout)
	defer cancel()
	layer := cache.Layer{Name: cache.LayerRedis, Available: true, Evictions: -1, EvictionsOfServer: true}
	err := c.scan(ctx, maxCounted, func(keys []string) error {
		layer.Entries += int64(len(keys))
		return nil
	})
	switch {
	case errors.Is(err, errMore):
		layer.EntriesAtLeast = true
	case err != nil:
		_ = c.failed("count", err)
		layer.Available, layer.Entries = false, 0
	}
	if layer.Available {
		layer.Evictions = c.evictions(ctx)
	}
	layer.Hits, layer.Misses, layer.Errors = c.hits.Load(), c.misses.Load(), c.failures.Load()
	return cache.Stats{Layers: []cache.Layer{layer}}
}

// evictions asks the server; -1 = it does not tell.
func (c *Cache) evictions(ctx context.Context) int64 {
	info, err := c.client.Info(ctx, "stats").Result()
	if err != nil {
		return -1
	}
	for line := range strings.Lines(info) {
		if value, ok := strings.CutPrefix(strings.TrimSpace(line), "evicted_keys:"); ok {
			if n, err := strconv.ParseInt(value, 10, 64); err == nil {
				return n
			}
		}
	}
	return -1
}
