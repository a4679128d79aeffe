package system

import (
	"net/http"

	"github.com/gin-gonic/gin"

	"github.com/etrainer/backend/api/internal/web"
)

// share is what is used of a limit. All of it is null where it is not known.
type share struct {
	Used       *float64 `json:"used"`
	Limit      *float64 `json:"limit"`
	Percentage *float64 `json:"percentage"`
}

type cloudinaryUsage struct {
	Storage         share    `json:"storage"`
	Bandwidth       share    `json:"bandwidth"`
	Requests        *float64 `json:"requests"`
	Transformations *float64 `json:"transformations"`
}

type cloudinaryReply struct {
	Message    string          `json:"message"`
	Configured bool            `json:"configured"`
	Usage      cloudinaryUsage `json:"usage"`
	Timestamp  web.Instant     `json:"timestamp"`
}

// cloudinaryUsage answers that there is no account.
func (h *Handler) cloudinaryUsage(c *gin.Context) error {
	return web.JSON(c, http.StatusOK, cloudinaryReply{Message: "Cloudinary is not configured", Timestamp: h.now()})
}
