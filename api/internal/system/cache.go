package system

import (
	"log/slog"
	"net/http"

	"github.com/gin-gonic/gin"

	"github.com/etrainer/backend/api/internal/auth"
	"github.com/etrainer/backend/api/internal/web"
	"github.com/etrainer/backend/pkg/cache"
)

// layer is one store of the cache. Hits and misses are those of this process.
type layer struct {
	Status      string  `json:"status"` // ready, unavailable or not_configured
	Keys        int64   `json:"keys"`
	KeysAtLeast bool    `json:"keysAtLeast"` // there are more keys than were counted
	Hits        int64   `json:"hits"`
	Misses      int64   `json:"misses"`
	HitRate     float64 `json:"hitRate"`   // 0 to 1
	Evictions   *int64  `json:"evictions"` // in Redis those of the whole server; nil = it does not tell
	Errors      int64   `json:"errors"`
}

type cacheReply struct {
	Memory layer `json:"memory"`
	Redis  layer `json:"redis"`
	// Total is over both: each request asks one of them. Evictions are those of
	// memory.
	Total     layer       `json:"total"`
	Timestamp web.Instant `json:"timestamp"`
}

func (h *Handler) cacheStats(c *gin.Context) error {
	stats := h.parts.Cache.Stats(c.Request.Context())
	reply := cacheReply{Redis: layer{Status: "not_configured"}, Total: viewLayer(stats.Total()), Timestamp: h.now()}
	if memory, ok := stats.Layer(cache.LayerMemory); ok {
		reply.Memory = viewLayer(memory)
	}
	if redis, ok := stats.Layer(cache.LayerRedis); ok {
		reply.Redis = viewLayer(redis)
	}
	return web.JSON(c, http.StatusOK, reply)
}

func viewLayer(l cache.Layer) layer {
	status := "ready"
	if !l.Available {
		status = "unavailable"
	}
	view := layer{
		Status: status, Keys: l.Entries, KeysAtLeast: l.EntriesAtLeast, Hits: l.Hits, Misses: l.Misses,
		HitRate: l.HitRate(), Errors: l.Errors,
	}
	if l.Evictions >= 0 {
		view.Evictions = &l.Evictions
	}
	return view
}

type cacheClearReply struct {
	Success bool   `json:"success"`
	Message string `json:"message"`
}

func (h *Handler) cacheClear(c *gin.Context) error {
	ctx := c.Request.Context()
	if h.parts.Drop != nil {
		h.parts.Drop(cache.Notice{All: true}) // what is being loaded is older than this
	}
	if err := h.parts.Cache.Clear(ctx); err != nil {
		return err
	}
	h.parts.Log.InfoContext(ctx, "cache cleared", slog.String("by", auth.CallerOf(ctx).User.ID))
	return web.JSON(c, http.StatusOK, cacheClearReply{Success: true, Message: "Cache cleared successfully"})
}
