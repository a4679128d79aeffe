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

// counts come through the cache, so that a request costs the database the same
// whatever the number of jobs. Only the first after a long silence waits. Each
// collection has its own.
func (h *Handler) counts(ctx context.Context) (cache.Found[queue.Counts], error) {
	if h.cached == nil {
		counts, err := h.store.Counts(ctx)
		return cache.Found[queue.Counts]{Value: counts}, err
	}
	return h.cached.Get(ctx, "job counts "+h.store.Collection(), h.store.Counts)
}
