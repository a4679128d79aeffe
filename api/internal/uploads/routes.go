package uploads

import (
	"github.com/gin-gonic/gin"

	"github.com/etrainer/backend/api/internal/auth"
	"github.com/etrainer/backend/api/internal/web"
	"github.com/etrainer/backend/pkg/errs"
)

// UploadRoutes adds the routes that take files. They bound bodies and times by
// themselves. The caller puts the check for users before them.
func (h *Handler) UploadRoutes(group *gin.RouterGroup) {
	for path, s := range slots {
		group.POST("/"+path, web.Handle(s.processing, h.receive(s)))
	}
}

// Routes adds the routes about files that are there.
func (h *Handler) Routes(group *gin.RouterGroup) {
	group.POST("/optimize-url", web.Handle("URL optimization failed", h.optimize))
	group.GET("/stats/usage", web.Handle("Failed to get usage statistics", h.usage))
	group.GET("/:publicId/info", web.Handle("Failed to get file info", h.info))
	group.DELETE("/:publicId", web.Handle("File deletion failed", h.delete))
}

// errNotAdmin has the text that the Node backend answers everybody with.
var errNotAdmin = web.Title("Admin access required", errs.New(errs.Forbidden, "Admin access required"))

func requireAdmin(c *gin.Context) error {
	if auth.CallerOf(c.Request.Context()).User.Admin() {
		return nil
	}
	return errNotAdmin
}
