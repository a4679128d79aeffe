package jobs

import (
	"net/http"

	"github.com/gin-gonic/gin"

	"github.com/etrainer/backend/api/internal/web"
)

// cancel keeps a waiting job from running, and tells a running one to stop.
func (h *Handler) cancel(c *gin.Context) error {
	id, err := jobID(c)
	if err != nil {
		return err
	}
	document, err := h.client.Cancel(c.Request.Context(), id, actor(c))
	if err != nil {
		return err
	}
	message := "Job cancelled"
	if !document.LockedAt.IsZero() {
		message = "Job cancellation requested: its worker is told to stop the run"
	}
	return h.reply(c, message, document)
}

// retry makes a job due now, with fresh attempts.
func (h *Handler) retry(c *gin.Context) error {
	id, err := jobID(c)
	if err != nil {
		return err
	}
	document, err := h.client.Retry(c.Request.Context(), id, actor(c))
	if err != nil {
		return err
	}
	return h.reply(c, "Job scheduled for retry", document)
}

// delete removes a job that is not running; the record of its runs stays.
func (h *Handler) delete(c *gin.Context) error {
	id, err := jobID(c)
	if err != nil {
		return err
	}
	if err := h.store.Delete(c.Request.Context(), id); err != nil {
		return err
	}
	return web.JSON(c, http.StatusOK, messageReply{"Job deleted"})
}
