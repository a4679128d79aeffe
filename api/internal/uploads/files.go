package uploads

import (
	"errors"
	"net/http"

	"github.com/gin-gonic/gin"

	"github.com/etrainer/backend/api/internal/web"
	"github.com/etrainer/backend/pkg/media"
)

type deleteReply struct {
	Message  string       `json:"message"`
	PublicID string       `json:"publicId"`
	Result   deleteResult `json:"result"`
}

type deleteResult struct {
	Result string `json:"result"`
}

// delete removes a file. One that is not there is named in the reply, as by the
// Node backend.
func (h *Handler) delete(c *gin.Context) error {
	err := h.remove(c)
	if errors.Is(err, errNoFile) {
		return web.AboutFile(c.Param("publicId"), err)
	}
	return err
}

// remove removes a file and then its record, so that a failure leaves something
// to delete again.
func (h *Handler) remove(c *gin.Context) error {
	record, store, err := h.find(c)
	if err != nil {
		return err
	}
	err = store.Delete(c.Request.Context(), record.Ref)
	missing := errors.Is(err, media.ErrNotFound)
	if err != nil && !missing {
		return explain(err)
	}
	if err := h.options.Records.Remove(c.Request.Context(), record.PublicID); err != nil {
		return err
	}
	if missing {
		return errNoFile
	}
	return web.JSON(c, http.StatusOK, deleteReply{"File deleted successfully", record.PublicID, deleteResult{"ok"}})
}

type infoReply struct {
	Message string   `json:"message"`
	Info    infoView `json:"info"`
}

// infoView lacks what is not known of a file.
type infoView struct {
	PublicID     string      `json:"publicId"`
	Format       string      `json:"format,omitempty"`
	ResourceType string      `json:"resourceType"`
	Bytes        int64       `json:"bytes"`
	Width        int         `json:"width,omitempty"`
	Height       int         `json:"height,omitempty"`
	Duration     float64     `json:"duration,omitempty"`
	CreatedAt    web.Instant `json:"createdAt"`
	URL          string      `json:"url"`
	OriginalName string      `json:"originalName,omitempty"`
}

func (h *Handler) info(c *gin.Context) error {
	record, store, err := h.find(c)
	if err != nil {
		return err
	}
	asset, err := store.Info(c.Request.Context(), record.Ref)
	if err != nil {
		return explain(err)
	}
	if asset.Duration == 0 {
		asset.Duration = record.Duration // Cloudinary tells it at the upload only
	}
	return web.JSON(c, http.StatusOK, infoReply{"File info retrieved successfully", infoView{
		PublicID: asset.PublicID, Format: asset.Format, ResourceType: string(asset.ResourceType), Bytes: asset.Bytes,
		Width: asset.Width, Height: asset.Height, Duration: asset.Duration, CreatedAt: web.Instant(asset.CreatedAt),
		URL: h.absolute(c, asset.URL), OriginalName: record.OriginalName,
	}})
}

type usageReply struct {
	Message string      `json:"message"`
	Usage   media.Usage `json:"usage"`
}

func (h *Handler) usage(c *gin.Context) error {
	if err := requireAdmin(c); err != nil {
		return err
	}
	usage, err := h.options.Store.Usage(c.Request.Context())
	if err != nil {
		return explain(err)
	}
	return web.JSON(c, http.StatusOK, usageReply{"Usage statistics retrieved", usage})
}
