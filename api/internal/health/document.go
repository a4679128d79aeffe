package health

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"os"
	"runtime/metrics"
	"strconv"
	"strings"
	"sync"

	"github.com/gin-gonic/gin"

	"github.com/etrainer/backend/api/internal/web"
	"github.com/etrainer/backend/pkg/schema"
)

// document is the answer to /health. It is 200 even when parts are away:
// existing probes of it must not restart what a restart cannot mend.
type document struct {
	Status      string      `json:"status"` // OK or DEGRADED
	Message     string      `json:"message"`
	Uptime      float64     `json:"uptime"` // seconds
	Timestamp   web.Instant `json:"timestamp"`
	Environment string      `json:"environment"`
	Services    services    `json:"services"`
	Memory      memory      `json:"memory"`
	Cluster     *cluster    `json:"cluster"` // null: this process has no parent
}

// cluster is the process that answers, of those of one parent.
type cluster struct {
	WorkerID string `json:"worker_id"` // its number, as in /api/system/cluster/status
	PID      int    `json:"pid"`
}

type services struct {
	Database     database   `json:"database"`
	Cache        caches     `json:"cache"`
	JobScheduler any        `json:"jobScheduler"` // jobs.SchedulerHealth or a status
	Cloudinary   cloudinary `json:"cloudinary"`
	Limits       limits     `json:"limits"`
	Sessions     sessions   `json:"sessions"`
	// ownerless: strangers may reach this deployment, and it has no administrator.
	ownerless bool
}

// limits are counted in Redis for all replicas, or in the memory of each.
type limits struct {
	Store    string `json:"store"`    // redis or memory
	Degraded bool   `json:"degraded"` // there is a Redis, and it does not count
}

// sessions tells how other replicas learn that one has ended: from Redis at
// once, or from the database within two seconds.
type sessions struct {
	Revocation string `json:"revocation"` // redis or database
	Degraded   bool   `json:"degraded"`   // there is a Redis, and it does not tell
}

// database is connected (readyState 1) or not (0). Name, host and port are
// those of the connection, and absent without one.
type database struct {
	ReadyState  int    `json:"readyState"`
	Name        string `json:"name,omitempty"`
	Host        string `json:"host,omitempty"`
	Port        int    `json:"port,omitempty"`
	Collections int    `json:"collections"`
	// Fallback is true when Atlas is configured and another database is used.
	Fallback bool `json:"fallback"`
}

type caches struct {
	Memory cacheMemory `json:"memory"`
	Redis  statusOnly  `json:"redis"`
	// Degraded is true while Redis is configured and memory serves alone.
	Degraded bool `json:"degraded"`
}

// cacheMemory is that of the cache in this process. While Redis answers, it is
// not asked.
type cacheMemory struct {
	Keys    int64   `json:"keys"`
	Hits    int64   `json:"hits"`
	Misses  int64   `json:"misses"`
	HitRate float64 `json:"hitRate"`
}

type statusOnly struct {
	Status string `json:"status"`
}

// The states of Redis.
const (
	redisReady         = "ready"
	redisUnavailable   = "unavailable"
	redisNotConfigured = "not_configured"
)

// memory is the heap in MiB.
type memory struct {
	Used  float64 `json:"used"`
	Total float64 `json:"total"`
}

func (h *Handler) health(c *gin.Context) error {
	parts := h.services(c.Request.Context())
	now := h.parts.Now()
	reply := document{
		Status: "OK", Message: "Server is healthy",
		Uptime: now.Sub(h.parts.StartedAt).Seconds(), Timestamp: web.Instant(now),
		Environment: "traditional", Services: parts, Memory: heap(),
	}
	if faults := parts.faults(); len(faults) > 0 {
		reply.Status, reply.Message = "DEGRADED", strings.Join(faults, "; ")
	}
	if h.parts.Child > 0 {
		reply.Cluster = &cluster{WorkerID: strconv.Itoa(h.parts.Child), PID: os.Getpid()}
	}
	return web.JSON(c, http.StatusOK, reply)
}

// faults says what is away.
func (s services) faults() []string {
	var faults []string
	if s.Database.ReadyState == 0 {
		faults = append(faults, "the database does not answer")
	}
	if s.Database.Fallback {
		faults = append(faults, "Atlas did not answer at the start, and the fallback database is used")
	}
	if s.Cache.Redis.Status == redisUnavailable {
		faults = append(faults, "Redis does not answer")
	}
	if redis := s.Cache.Redis.Status == redisReady; redis && s.Cache.Degraded {
		faults = append(faults, "Redis answers, and the cache is in memory alone")
	} else if redis && s.Limits.Degraded {
		faults = append(faults, "Redis answers, and each process counts limits for itself")
	} else if redis && s.Sessions.Degraded {
		faults = append(faults, "Redis answers, and does not tell of logouts in other processes")
	}
	if s.ownerless {
		faults = append(faults, "there is no administrator; run: api admin create EMAIL")
	}
	if s.Cloudinary.Status == "error" {
		faults = append(faults, "Cloudinary does not answer")
	}
	return faults
}

// services looks at the parts, or takes what another request saw just now.
func (h *Handler) services(ctx context.Context) services {
	h.mu.Lock()
	defer h.mu.Unlock()
	if now := h.parts.Now(); now.Sub(h.takenAt).Abs() < freshFor {
		return h.last
	}
	// What is seen serves other requests too, so the one that came first does
	// not end it by going away.
	h.last = h.look(context.WithoutCancel(ctx))
	h.takenAt = h.parts.Now()
	return h.last
}

func (h *Handler) look(ctx context.Context) services {
	seen := services{
		Database:     database{Collections: schema.NodeModels, Fallback: h.parts.Target.Fallback},
		JobScheduler: statusOnly{"error"},
		Cloudinary:   h.lookAtStorage(ctx),
	}
	if h.parts.Memory != nil {
		memory := h.parts.Memory(ctx)
		seen.Cache.Memory = cacheMemory{Keys: memory.Entries, Hits: memory.Hits, Misses: memory.Misses, HitRate: memory.HitRate()}
	}
	var both sync.WaitGroup
	both.Go(func() { seen.Cache.Redis.Status = h.lookAtRedis(ctx) })
	both.Go(func() { h.lookAtDatabase(ctx, &seen) })
	both.Wait()
	h.lookAtShared(ctx, &seen)
	return seen
}

// lookAtShared tells what is shared through Redis. It comes last: the looks
// before it have used the cache, which tries again by being used.
func (h *Handler) lookAtShared(ctx context.Context, seen *services) {
	seen.Limits.Store, seen.Sessions.Revocation = "memory", "database"
	if h.parts.Redis == nil {
		return
	}
	seen.Cache.Degraded = h.parts.CacheDegraded != nil && h.parts.CacheDegraded()
	if seen.Limits.Degraded = h.parts.LimitsShared != nil && !h.parts.LimitsShared(ctx); !seen.Limits.Degraded {
		seen.Limits.Store = "redis"
	}
	heard := h.parts.Subscribed != nil && h.parts.Subscribed()
	if seen.Sessions.Degraded = seen.Cache.Redis.Status != redisReady || !heard; !seen.Sessions.Degraded {
		seen.Sessions.Revocation = "redis"
	}
}

func (h *Handler) lookAtRedis(ctx context.Context) string {
	if h.parts.Redis == nil {
		return redisNotConfigured
	}
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	if err := h.parts.Redis(ctx); err != nil {
		h.parts.Log.WarnContext(ctx, "Redis does not answer", slog.Any("error", err))
		return redisUnavailable
	}
	return redisReady
}

func (h *Handler) lookAtDatabase(ctx context.Context, seen *services) {
	if h.Alive(ctx) != nil {
		return
	}
	seen.Database.ReadyState, seen.Database.Name = 1, h.parts.DatabaseName
	seen.Database.Host, seen.Database.Port = h.parts.Target.First()
	if h.parts.HasAdmin != nil {
		there, err := h.parts.HasAdmin(ctx)
		seen.ownerless = err == nil && !there
	}
	count, cancel := context.WithTimeout(ctx, countTimeout)
	defer cancel()
	scheduler, err := h.parts.Jobs(count)
	if err != nil && errors.Is(count.Err(), context.DeadlineExceeded) {
		seen.JobScheduler = statusOnly{"counting"} // the first count goes on; nothing is wrong
		return
	}
	if err != nil {
		h.parts.Log.WarnContext(ctx, "state of the queue not read", slog.Any("error", err))
		return
	}
	seen.JobScheduler = scheduler
}

// heap reads the heap without stopping the program.
func heap() memory {
	samples := []metrics.Sample{
		{Name: "/memory/classes/heap/objects:bytes"},
		{Name: "/memory/classes/heap/unused:bytes"},
		{Name: "/memory/classes/heap/free:bytes"},
	}
	metrics.Read(samples)
	var total uint64
	for _, sample := range samples {
		total += sample.Value.Uint64()
	}
	return memory{Used: mebibytes(samples[0].Value.Uint64()), Total: mebibytes(total)}
}

// mebibytes rounds to two decimals.
func mebibytes(bytes uint64) float64 { return float64(bytes*100>>20) / 100 }
