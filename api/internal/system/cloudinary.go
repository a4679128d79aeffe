package system

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/gin-gonic/gin"

	"github.com/etrainer/backend/api/internal/web"
	"github.com/etrainer/backend/pkg/errs"
	"github.com/etrainer/backend/pkg/media"
)

// Storage is what is asked about the store of uploaded files.
type Storage interface {
	Name() string
	Usage(ctx context.Context) (media.Usage, error)
}

// cloudinaryUsage is what is used of the account. Everything is null where it
// is not known.
type cloudinaryUsage struct {
	Storage         media.Measure `json:"storage"`
	Bandwidth       media.Measure `json:"bandwidth"`
	Requests        *int64        `json:"requests"`
	Transformations *int64        `json:"transformations"`
}

type cloudinaryReply struct {
	Message    string          `json:"message"`
	Configured bool            `json:"configured"`
	Usage      cloudinaryUsage `json:"usage"`
	Timestamp  web.Instant     `json:"timestamp"`
}

func (h *Handler) cloudinaryUsage(c *gin.Context) error {
	if h.fileStorage() != media.StoreCloudinary {
		return web.JSON(c, http.StatusOK, cloudinaryReply{Message: "Cloudinary is not configured", Timestamp: h.now()})
	}
	used, err := h.parts.Storage.Usage(c.Request.Context())
	if away, ok := errors.AsType[*media.UnavailableError](err); ok {
		return errs.Wrap(errs.Unavailable, away, "Cloudinary does not answer now; try again later")
	}
	if err != nil {
		return fmt.Errorf("ask Cloudinary what is used: %w", err)
	}
	return web.JSON(c, http.StatusOK, cloudinaryReply{
		Message: "Cloudinary usage retrieved", Configured: true, Timestamp: h.now(),
		Usage: cloudinaryUsage{
			Storage: used.Storage, Bandwidth: used.Bandwidth, Requests: used.Requests, Transformations: used.Transformations,
		},
	})
}

// fileStorage names the store of uploaded files.
func (h *Handler) fileStorage() string {
	if h.parts.Storage == nil {
		return media.StoreLocal
	}
	return h.parts.Storage.Name()
}
