package health

import (
	"context"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/etrainer/backend/api/internal/jobs"
	"github.com/etrainer/backend/api/internal/web"
	"github.com/etrainer/backend/pkg/cache"
	"github.com/etrainer/backend/pkg/instant"
	"github.com/etrainer/backend/pkg/media"
	"github.com/etrainer/backend/pkg/mongodb"
)

// probeTimeout bounds every look at whether another process is there, so that
// no answer takes much longer than a second, whatever is away.
const probeTimeout = time.Second

// countTimeout bounds the counting of jobs by a database that is there. A slow
// count is made seldom: the queue remembers it for twenty times as long as it
// took.
const countTimeout = 3 * time.Second

// freshFor is how old what an answer tells may be. Anybody can ask, and without
// a limit, so the database is asked once for all who ask at the same time.
const freshFor = time.Second

// Database is what is asked about the database.
type Database interface {
	Ping(ctx context.Context) error
}

// Parts are what the answers are made of.
type Parts struct {
	Database Database // nil = not connected yet
	// DatabaseName is its name there, and Target the server that was chosen.
	DatabaseName string
	Target       mongodb.Target
	// Memory tells about the cache in this process; nil = there is none.
	Memory func(ctx context.Context) cache.Layer
	// Redis pings Redis; nil = not configured.
	Redis func(ctx context.Context) error
	// CacheDegraded reports that the cache is that of this process alone, though
	// there is a Redis, and LimitsShared that limits are counted in Redis. They are
	// asked only with a Redis; nil = all is well.
	CacheDegraded func() bool
	LimitsShared  func(ctx context.Context) bool
	// Subscribed reports that Redis tells this process of sessions that end in
	// others. It is asked only with a Redis; nil = not yet.
	Subscribed func() bool
	// HasAdmin tells whether there is an administrator; nil = nobody minds.
	HasAdmin func(ctx context.Context) (bool, error)
	// Jobs tells about the queue.
	Jobs func(ctx context.Context) (jobs.SchedulerHealth, error)
	// Storage keeps uploads; nil = not there yet.
	Storage media.Store
	// Child is the number of this process among the children of its parent; 0 = it
	// has no parent.
	Child int
	// Draining reports whether the process is about to stop.
	Draining func() bool
	// Now is the clock, StartedAt when the process started.
	Now       func() time.Time
	StartedAt time.Time
	Log       *slog.Logger
}

// Handler answers the routes.
type Handler struct {
	parts Parts
	pulse pulse

	mu      sync.Mutex
	last    services
	takenAt time.Time
}

// NewHandler returns a Handler.
func NewHandler(parts Parts) *Handler { return &Handler{parts: parts} }

// Routes adds /, /livez, /readyz and /health.
func (h *Handler) Routes(routes gin.IRoutes) {
	routes.GET("/", web.Handle("Internal server error", h.root))
	routes.GET("/livez", web.Handle("Internal server error", live))
	routes.GET("/readyz", web.Handle("Internal server error", h.ready))
	routes.GET("/health", web.Handle("Internal server error", h.health))
}

type rootReply struct {
	Message   string `json:"message"`
	Timestamp string `json:"timestamp"` // a web.Instant takes as long to encode as all the rest
	Status    string `json:"status"`
}

func (h *Handler) root(c *gin.Context) error {
	return web.JSON(c, http.StatusOK, rootReply{
		Message: "ETrainer Backend API is running!", Timestamp: instant.Text(h.parts.Now()), Status: "healthy",
	})
}

type probeReply struct {
	Status string `json:"status"`
	Error  string `json:"error,omitempty"`
	// Message is there beside Error, as in every failure.
	Message string `json:"message,omitempty"`
}

func live(c *gin.Context) error { return web.JSON(c, http.StatusOK, probeReply{Status: "alive"}) }

// ready answers 200 only when requests can be served.
func (h *Handler) ready(c *gin.Context) error {
	if h.parts.Draining() {
		return notReady(c, "the process is about to stop")
	}
	if h.Alive(c.Request.Context()) != nil {
		return notReady(c, "the database does not answer")
	}
	return web.JSON(c, http.StatusOK, probeReply{Status: "ready"})
}

// notReady answers 503 with a reason.
func notReady(c *gin.Context, reason string) error {
	web.RetrySoon(c)
	return web.JSON(c, http.StatusServiceUnavailable, probeReply{Status: "unavailable", Error: "Not ready", Message: reason})
}
