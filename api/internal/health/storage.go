package health

import (
	"context"
	"log/slog"

	"github.com/etrainer/backend/api/internal/web"
	"github.com/etrainer/backend/pkg/media"
)

// cloudinary is the state of the file storage, in the shape of the Node
// backend: not_configured means that files are on the local disk.
type cloudinary struct {
	Status    string              `json:"status"` // healthy, error or not_configured
	Response  *cloudinaryResponse `json:"response,omitempty"`
	Timestamp *web.Instant        `json:"timestamp,omitempty"`
}

type cloudinaryResponse struct {
	Status             string      `json:"status"`
	RateLimitAllowed   int         `json:"rate_limit_allowed"`
	RateLimitResetAt   web.Instant `json:"rate_limit_reset_at"`
	RateLimitRemaining int         `json:"rate_limit_remaining"`
}

func (h *Handler) lookAtStorage(ctx context.Context) cloudinary {
	if h.parts.Storage == nil || h.parts.Storage.Name() != media.StoreCloudinary {
		return cloudinary{Status: "not_configured"}
	}
	seen := h.parts.Storage.Health(ctx)
	if seen.Err != nil {
		h.parts.Log.WarnContext(ctx, "Cloudinary does not answer", slog.Any("error", seen.Err))
		return cloudinary{Status: "error"}
	}
	now := web.Instant(h.parts.Now())
	reply := cloudinary{Status: "healthy", Timestamp: &now}
	if limit := seen.RateLimit; limit != nil {
		reply.Response = &cloudinaryResponse{"ok", limit.Allowed, web.Instant(limit.ResetAt), limit.Remaining}
	}
	return reply
}
