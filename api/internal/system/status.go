package system

import (
	"fmt"
	"net/http"
	"runtime"

	"github.com/gin-gonic/gin"

	"github.com/etrainer/backend/api/internal/web"
	"github.com/etrainer/backend/pkg/version"
)

type healthServices struct {
	Database    string `json:"database"` // connected or disconnected
	Cache       string `json:"cache"`    // active, or degraded while Redis is away
	MemoryUsage string `json:"memory_usage"`
	Uptime      string `json:"uptime"`
}

type healthReply struct {
	Status    string         `json:"status"`
	Timestamp web.Instant    `json:"timestamp"`
	Services  healthServices `json:"services"`
	Error     string         `json:"error,omitempty"`
	Message   string         `json:"message,omitempty"` // there beside error, as in every failure
}

// health is 503 while the database is away, as it is in the Node backend.
func (h *Handler) health(c *gin.Context) error {
	reply := healthReply{
		Status: "healthy", Timestamp: h.now(),
		Services: healthServices{
			Database: "connected", Cache: h.cacheState(),
			MemoryUsage: fmt.Sprintf("%.0fMB", heap().used), Uptime: fmt.Sprintf("%.0fs", h.uptime()),
		},
	}
	status := http.StatusOK
	if h.parts.Alive(c.Request.Context()) != nil {
		status, reply.Status, reply.Services.Database = http.StatusServiceUnavailable, "unhealthy", "disconnected"
		reply.Error, reply.Message = "Database connection failed", "the database does not answer"
		web.RetrySoon(c)
	}
	return web.JSON(c, status, reply)
}

// degrader is a cache that can tell that its first layer is away.
type degrader interface{ Degraded() bool }

func (h *Handler) cacheState() string {
	if d, ok := h.parts.Cache.(degrader); ok && d.Degraded() {
		return "degraded"
	}
	return "active"
}

type statusReply struct {
	Status      string         `json:"status"` // operational, or degraded while the database is away
	Timestamp   web.Instant    `json:"timestamp"`
	Version     string         `json:"version"`
	Environment string         `json:"environment"`
	System      statusSystem   `json:"system"`
	Services    statusServices `json:"services"`
}

type statusSystem struct {
	NodeVersion   string   `json:"node_version"` // Go's
	Platform      string   `json:"platform"`
	Architecture  string   `json:"architecture"`
	UptimeSeconds int64    `json:"uptime_seconds"`
	MemoryUsageMB float64  `json:"memory_usage_mb"`
	CPUUsage      cpuUsage `json:"cpu_usage"`
}

type statusServices struct {
	Database    string `json:"database"`
	Cache       string `json:"cache"`
	FileStorage string `json:"file_storage"` // cloudinary or local
}

func (h *Handler) status(c *gin.Context) error {
	reply := statusReply{
		Status: "operational", Timestamp: h.now(), Version: version.Version, Environment: h.parts.Environment,
		System: statusSystem{
			NodeVersion: runtime.Version(), Platform: runtime.GOOS, Architecture: nodeArch(),
			UptimeSeconds: int64(h.uptime()), MemoryUsageMB: heap().used, CPUUsage: cpu(),
		},
		Services: statusServices{Database: "connected", Cache: h.cacheState(), FileStorage: h.fileStorage()},
	}
	if h.parts.Alive(c.Request.Context()) != nil {
		reply.Status, reply.Services.Database = "degraded", "disconnected"
	}
	return web.JSON(c, http.StatusOK, reply)
}

// nodeArch is the name that Node has for the processor.
func nodeArch() string {
	switch runtime.GOARCH {
	case "amd64":
		return "x64"
	case "386":
		return "ia32"
	default:
		return runtime.GOARCH
	}
}
