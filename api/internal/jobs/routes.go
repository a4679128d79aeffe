package jobs

import (
	"github.com/gin-gonic/gin"

	"github.com/etrainer/backend/api/internal/web"
)

// Routes adds the routes of the queue to /api/system/jobs. The caller puts
// the check for administrators before them.
func (h *Handler) Routes(group *gin.RouterGroup) {
	group.POST("/schedule", web.Handle("Failed to schedule job", h.schedule))
	group.GET("/stats", web.Handle("Failed to get job statistics", h.stats))

	group.GET("/names", web.Handle("Failed to list job names", h.names))
	group.POST("/names/:name/pause", web.Handle("Failed to pause job name", h.pause))
	group.POST("/names/:name/resume", web.Handle("Failed to resume job name", h.resume))

	group.GET("/schedules", web.Handle("Failed to list schedules", h.schedules))
	group.GET("/schedules/:name", web.Handle("Failed to get schedule", h.getSchedule))
	group.PUT("/schedules/:name", web.Handle("Failed to change schedule", h.putSchedule))
	group.PATCH("/schedules/:name", web.Handle("Failed to change schedule", h.patchSchedule))
	group.DELETE("/schedules/:name", web.Handle("Failed to reset schedule", h.deleteSchedule))

	group.GET("", web.Handle("Failed to list jobs", h.list))
	group.GET("/:id", web.Handle("Failed to get job", h.get))
	group.POST("/:id/retry", web.Handle("Failed to retry job", h.retry))
	group.POST("/:id/cancel", web.Handle("Failed to cancel job", h.cancel))
	group.DELETE("/:id", web.Handle("Failed to delete job", h.delete))
}
