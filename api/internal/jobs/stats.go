package jobs

import (
	"context"
	"net/http"
	"slices"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/etrainer/backend/api/internal/web"
	"github.com/etrainer/backend/pkg/cache"
	"github.com/etrainer/backend/pkg/fleet"
	"github.com/etrainer/backend/pkg/job"
	"github.com/etrainer/backend/pkg/queue"
)

// Stats are the counts of the Node backend, true ones: there scheduled always
// equalled total, and failed stuck for ever.
type Stats struct {
	Total     int64 `json:"total"`
	Scheduled int64 `json:"scheduled"`
	Running   int64 `json:"running"`
	Completed int64 `json:"completed"`
	Failed    int64 `json:"failed"`
}

// SchedulerHealth is the part of the Node backend's health document about
// jobs.
type SchedulerHealth struct {
	Status string `json:"status"`
	// IsStarted reports whether a worker is alive.
	IsStarted bool        `json:"isStarted"`
	Stats     Stats       `json:"stats"`
	Timestamp web.Instant `json:"timestamp"`
}

// allStats are the counts with those that the Node backend did not have.
type allStats struct {
	Stats
	Queued    int64 `json:"queued"`
	Repeating int64 `json:"repeating"`
	Dead      int64 `json:"dead"` // part of failed
}

type statsReply struct {
	Message   string          `json:"message"`
	Health    SchedulerHealth `json:"health"`
	Stats     allStats        `json:"stats"`
	Timestamp web.Instant     `json:"timestamp"`
	AsOf      web.Instant     `json:"asOf"`    // when the jobs were counted
	AtLeast   bool            `json:"atLeast"` // there are more jobs than were counted
}

func (h *Handler) stats(c *gin.Context) error {
	health, found, err := h.health(c.Request.Context())
	if err != nil {
		return err
	}
	counts := found.Value
	web.FromCache(c, found.Hit)
	return web.JSON(c, http.StatusOK, statsReply{
		Message: "Job statistics retrieved",
		Health:  health,
		Stats: allStats{
			Stats:  health.Stats,
			Queued: counts.ByState[job.Queued], Repeating: counts.ByState[job.Repeating], Dead: counts.Dead,
		},
		Timestamp: health.Timestamp,
		AsOf:      web.Instant(counts.AsOf), AtLeast: counts.AtLeast,
	})
}

// Health tells how the queue is doing.
func (h *Handler) Health(ctx context.Context) (SchedulerHealth, error) {
	health, _, err := h.health(ctx)
	return health, err
}

func (h *Handler) health(ctx context.Context) (SchedulerHealth, cache.Found[queue.Counts], error) {
	found, err := h.counts(ctx)
	if err != nil {
		return SchedulerHealth{}, found, err
	}
	instances, err := h.fleet.Instances(ctx)
	if err != nil {
		return SchedulerHealth{}, found, err
	}
	counts, now := found.Value, h.store.Now()
	return SchedulerHealth{
		Status:    "healthy",
		IsStarted: len(live(instances, now)) > 0,
		Stats: Stats{
			Total: counts.Total, Scheduled: counts.ByState[job.Scheduled], Running: counts.ByState[job.Running],
			Completed: counts.ByState[job.Completed], Failed: counts.ByState[job.Failed],
		},
		Timestamp: web.Instant(now),
	}, found, nil
}

// live returns the workers that are alive.
func live(instances []fleet.Instance, now time.Time) []fleet.Instance {
	return slices.DeleteFunc(instances, func(i fleet.Instance) bool {
		return i.Kind != fleet.Worker || !i.ExpiresAt.After(now)
	})
}
