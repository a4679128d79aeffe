package fallback

import (
	"context"
	"log/slog"
	"maps"
	"slices"
)

// reachable reports whether to ask the shared cache. After a failure it lets one
// call through in each retryAfter, which first pays what is owed.
func (c *Cache) reachable(ctx context.Context) bool {
	c.mu.Lock()
	if !c.away {
		c.mu.Unlock()
		return true
	}
	now := c.now()
	if now.Before(c.retryAt) {
		c.mu.Unlock()
		return false
	}
	c.retryAt = now.Add(retryAfter)
	keys, all := slices.Collect(maps.Keys(c.owed)), c.owesAll
	c.mu.Unlock()
	return c.pay(ctx, keys, all)
}

// pay deletes from the shared cache what was deleted while it was away.
func (c *Cache) pay(ctx context.Context, keys []string, all bool) bool {
	var err error
	switch {
	case all:
		err = c.shared.Clear(ctx)
	case len(keys) > 0:
		err = c.shared.Delete(ctx, keys...)
	}
	if err != nil {
		c.failed(ctx, err)
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if all {
		c.owesAll = false
		clear(c.owed)
	}
	for _, key := range keys {
		delete(c.owed, key)
	}
	return true
}

func (c *Cache) owe(keys []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, key := range keys {
		c.owed[key] = true
	}
	if len(c.owed) > maxOwed {
		c.owesAll = true
		clear(c.owed)
	}
}

func (c *Cache) outcome(ctx context.Context, err error) {
	if err != nil {
		c.failed(ctx, err)
		return
	}
	c.answered(ctx)
}

func (c *Cache) answered(ctx context.Context) {
	c.mu.Lock()
	was := c.away
	// A delete that failed just now is still owed; the next retry pays it.
	c.away = c.owesAll || len(c.owed) > 0
	is := c.away
	c.mu.Unlock()
	if was && !is {
		c.log.InfoContext(ctx, "the shared cache is back")
	}
}

// failed leaves the shared cache alone for a while. A caller who went away, or has
// no time left, says nothing about it.
func (c *Cache) failed(ctx context.Context, err error) {
	if ctx.Err() != nil {
		return
	}
	c.mu.Lock()
	was := c.away
	c.away, c.retryAt = true, c.now().Add(retryAfter)
	c.mu.Unlock()
	if !was {
		c.log.WarnContext(ctx, "the shared cache does not answer; memory serves", slog.Any("error", err))
	}
}
