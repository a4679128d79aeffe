package middleware

import (
	"net/http"
	"strings"

	"github.com/gin-gonic/gin"

	"github.com/etrainer/backend/api/internal/web"
)

const (
	corsMethods = "GET,HEAD,PUT,PATCH,POST,DELETE"
	// corsMaxAge is how long browsers may remember a preflight: two hours is
	// the most that Chrome accepts.
	corsMaxAge = "7200"
)

// corsExposed are the reply headers that scripts may read.
var corsExposed = strings.Join([]string{
	HeaderRequestID, "ETag", "Retry-After", "Idempotency-Replayed", "X-Cache",
	"RateLimit-Policy", "RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset",
	"X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset",
}, ", ")

// CORS lets scripts of the listed origins call this server, and answers every
// preflight with 200, as the Node backend did. Other origins get no
// Access-Control-Allow-Origin, which is what makes a browser refuse.
func CORS(origins []string) gin.HandlerFunc {
	allowed := make(map[string]bool, len(origins))
	for _, origin := range origins {
		allowed[origin] = true
	}
	vary, credentials, exposed := web.Fixed("Vary", "Origin"), web.Fixed("Access-Control-Allow-Credentials", "true"), web.Fixed("Access-Control-Expose-Headers", corsExposed)
	return func(c *gin.Context) {
		header := c.Writer.Header()
		vary.Set(header)
		if origin := c.GetHeader("Origin"); allowed[origin] {
			header.Set("Access-Control-Allow-Origin", origin)
		}
		credentials.Set(header)
		if c.Request.Method != http.MethodOptions {
			exposed.Set(header)
			c.Next()
			return
		}
		header.Set("Access-Control-Allow-Methods", corsMethods)
		header.Add("Vary", "Access-Control-Request-Headers")
		if asked := c.GetHeader("Access-Control-Request-Headers"); asked != "" {
			header.Set("Access-Control-Allow-Headers", asked)
		}
		header.Set("Access-Control-Max-Age", corsMaxAge)
		header.Set("Content-Length", "0")
		c.AbortWithStatus(http.StatusOK)
		c.Writer.WriteHeaderNow()
	}
}
