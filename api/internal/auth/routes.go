package auth

import (
	"github.com/gin-gonic/gin"

	"github.com/etrainer/backend/api/internal/web"
)

// Routes adds the routes of accounts and sessions to /api/auth.
func (s *Service) Routes(group *gin.RouterGroup) {
	const title = "Internal server error"
	group.Use(noStore)
	group.POST("/register", web.Handle(title, s.postRegister))
	group.POST("/login", web.Handle(title, s.postLogin))
	group.POST("/google", web.Handle(title, s.postGoogle))
	group.POST("/refresh", web.Handle(title, s.postRefresh))
	group.POST("/logout", s.LoggedIn(), web.Handle(title, s.postLogout))
}

// AdminRoutes adds the routes by which administrators look after accounts to
// /api/system/users.
func (s *Service) AdminRoutes(group *gin.RouterGroup) {
	group.Use(noStore)
	group.DELETE("/:user/sessions", web.Handle("Internal server error", s.deleteSessions))
}

// noStore keeps tokens out of every cache on the way.
func noStore(c *gin.Context) {
	c.Header("Cache-Control", "no-store")
	c.Next()
}
