package jobs

import (
	"context"
	"time"

	"github.com/etrainer/backend/pkg/cache"
	"github.com/etrainer/backend/pkg/queue"
)

// CountPolicy is how old the counts of jobs may be: a request is served the last
// ones, and those older than a few seconds are counted anew in the background,
// by one process of all.
var CountPolicy = cache.Policy{Fresh: 3 * time.Second, Stale: 10 * time.Minute, LoadTimeout: time.Minute}

// Counted is a Store whose counts come through a cache, so that a request costs
// the database the same whatever the number of jobs.
func Counted(store Store, through *cache.Through[queue.Counts]) Store {
	return counted{store, through}
}

type counted struct {
	Store
	through *cache.Through[queue.Counts]
}

// Counts implements queue.Inspector. Only the first ever waits.
func (c counted) Counts(ctx context.Context) (queue.Counts, error) {
	found, err := c.through.Get(ctx, "job counts", c.Store.Counts)
	return found.Value, err
}
