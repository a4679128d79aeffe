package system

import (
	"context"
	"log/slog"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/etrainer/backend/api/internal/leaderboard"
	"github.com/etrainer/backend/api/internal/web"
	"github.com/etrainer/backend/pkg/cache"
	"github.com/etrainer/backend/pkg/fleet"
	"github.com/etrainer/backend/pkg/mongodb"
	"github.com/etrainer/backend/pkg/supervise"
)

// Database is what is asked about the connection.
type Database interface {
	Name() string
	Target() mongodb.Target
	Capabilities() mongodb.Capabilities
	PoolStats() mongodb.PoolStats
}

// Parts are what the answers are made of.
type Parts struct {
	Database Database
	// Alive reports whether the database answers. It shares one look among all
	// who ask: /health has no limit.
	Alive func(ctx context.Context) error
	Cache cache.Cache
	// Drop tells those who load values for the cache what not to keep; nil = nobody
	// does.
	Drop  func(cache.Notice)
	Board *leaderboard.Board
	Fleet fleet.Registry
	// Instance is the id of this process in the fleet.
	Instance string
	// Parent is what the parent of this process last said of its children; false
	// = it has none, or none has spoken yet. nil = it has none.
	Parent func() (supervise.Status, bool)
	// Storage has the uploaded files; nil = they are on the local disk.
	Storage Storage
	// Environment is NODE_ENV.
	Environment string
	// Now is the database server's clock, in which instances expire.
	Now       func() time.Time
	StartedAt time.Time
	Log       *slog.Logger
}

// Handler answers the routes.
type Handler struct {
	parts Parts
}

// NewHandler returns a Handler.
func NewHandler(parts Parts) *Handler { return &Handler{parts: parts} }

// Public adds the routes that everybody may ask, to /api/system.
func (h *Handler) Public(group *gin.RouterGroup) {
	group.GET("/health", web.Handle("Health check failed", h.health))
	group.GET("/status", web.Handle("Failed to get status", h.status))
	group.GET("/leaderboard", web.Handle("Failed to generate leaderboard", h.leaderboard))
}

// Admin adds the other routes, to /api/system. The caller puts the check for
// administrators before them; strict bounds how often the cache is cleared.
func (h *Handler) Admin(group *gin.RouterGroup, strict gin.HandlerFunc) {
	group.GET("/cluster/status", web.Handle("Failed to get cluster status", h.clusterStatus))
	group.GET("/metrics", web.Handle("Failed to retrieve metrics", h.metrics))
	group.GET("/performance", web.Handle("Failed to get performance", h.performance))
	group.GET("/cache/stats", web.Handle("Failed to get cache statistics", h.cacheStats))
	group.POST("/cache/clear", strict, web.Handle("Failed to clear cache", h.cacheClear))
	group.GET("/database/stats", web.Handle("Failed to get database statistics", h.databaseStats))
	group.GET("/cloudinary/usage", web.Handle("Failed to get Cloudinary usage", h.cloudinaryUsage))
}

func (h *Handler) now() web.Instant { return web.Instant(h.parts.Now()) }

// uptime is in seconds.
func (h *Handler) uptime() float64 { return time.Since(h.parts.StartedAt).Seconds() }
