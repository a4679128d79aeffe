package jobs

import (
	"cmp"
	"context"
	"maps"
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
	// Problems is how many documents of the queue cannot be used; 0 is left out.
	// GET /api/system/jobs/stats lists them.
	Problems int `json:"problems,omitempty"`
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
	// Problems are the documents that live workers met and cannot use, oldest
	// first, with what to do about each.
	Problems []problem `json:"problems"`
}

// problem is a document that cannot be used.
type problem struct {
	Collection string      `json:"collection"`
	ID         string      `json:"id"`
	Name       *string     `json:"name"` // job name; nil = it is not known
	Problem    string      `json:"problem"`
	Fix        string      `json:"fix"`
	Since      web.Instant `json:"since"`
}

func viewOf(p queue.Problem) problem {
	v := problem{Collection: p.Collection, ID: p.ID, Problem: p.What, Fix: p.Fix, Since: web.Instant(p.Since)}
	if p.Name != "" {
		v.Name = &p.Name
	}
	return v
}

func (h *Handler) stats(c *gin.Context) error {
	health, problems, found, err := h.health(c.Request.Context())
	if err != nil {
		return err
	}
	counts := found.Value
	shown := make([]problem, len(problems))
	for i, each := range problems {
		shown[i] = viewOf(each)
	}
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
		Problems: shown,
	})
}

// Health tells how the queue is doing.
func (h *Handler) Health(ctx context.Context) (SchedulerHealth, error) {
	health, _, _, err := h.health(ctx)
	return health, err
}

func (h *Handler) health(ctx context.Context) (SchedulerHealth, []queue.Problem, cache.Found[queue.Counts], error) {
	found, err := h.counts(ctx)
	if err != nil {
		return SchedulerHealth{}, nil, found, err
	}
	instances, err := h.fleet.Instances(ctx)
	if err != nil {
		return SchedulerHealth{}, nil, found, err
	}
	counts, now := found.Value, h.store.Now()
	workers := live(instances, now)
	problems := problemsOf(workers)
	return SchedulerHealth{
		Status:    "healthy",
		IsStarted: len(workers) > 0,
		Stats: Stats{
			Total: counts.Total, Scheduled: counts.ByState[job.Scheduled], Running: counts.ByState[job.Running],
			Completed: counts.ByState[job.Completed], Failed: counts.ByState[job.Failed],
		},
		Timestamp: web.Instant(now),
		Problems:  len(problems),
	}, problems, found, nil
}

// problemsOf lists what workers cannot use, once each although every worker
// meets it.
func problemsOf(workers []fleet.Instance) []queue.Problem {
	type key struct{ collection, id, what string }
	first := map[key]queue.Problem{}
	for _, worker := range workers {
		for _, problem := range worker.Problems {
			k := key{problem.Collection, problem.ID, problem.What}
			if known, ok := first[k]; !ok || problem.Since.Before(known.Since) {
				first[k] = problem
			}
		}
	}
	problems := slices.AppendSeq(make([]queue.Problem, 0, len(first)), maps.Values(first))
	slices.SortFunc(problems, func(a, b queue.Problem) int {
		return cmp.Or(a.Since.Compare(b.Since), cmp.Compare(a.Collection, b.Collection), cmp.Compare(a.ID, b.ID))
	})
	return problems
}

// live returns the workers that are alive.
func live(instances []fleet.Instance, now time.Time) []fleet.Instance {
	return slices.DeleteFunc(instances, func(i fleet.Instance) bool {
		return i.Kind != fleet.Worker || !i.ExpiresAt.After(now)
	})
}
