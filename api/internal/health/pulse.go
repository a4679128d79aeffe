package health

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/etrainer/backend/api/internal/web"
)

// pulse is the database's last sign of life.
type pulse struct {
	mu    sync.Mutex
	err   error
	tried time.Time
}

// Alive asks the database for a sign of life, once a second for all who want to
// know.
func (h *Handler) Alive(ctx context.Context) error {
	h.pulse.mu.Lock()
	defer h.pulse.mu.Unlock()
	if h.parts.Now().Sub(h.pulse.tried).Abs() < freshFor {
		return h.pulse.err
	}
	// What is seen serves other requests too, so the one that came first does
	// not end it by going away.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), probeTimeout)
	defer cancel()
	h.pulse.err = h.ping(ctx)
	h.pulse.tried = h.parts.Now()
	if h.pulse.err != nil {
		h.parts.Log.WarnContext(ctx, "database does not answer", slog.Any("error", h.pulse.err))
	}
	return h.pulse.err
}

func (h *Handler) ping(ctx context.Context) error {
	if h.parts.Database == nil {
		return web.ErrDatabaseAway
	}
	return h.parts.Database.Ping(ctx)
}
