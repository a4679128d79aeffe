package middleware

import (
	"crypto/rand"
	"log/slog"

	"github.com/gin-gonic/gin"

	"github.com/etrainer/backend/pkg/logging"
)

// HeaderRequestID carries the id of a request, in both directions.
const HeaderRequestID = "X-Request-Id"

const maxRequestID = 128

// RequestID gives each request an id: the one it came with, if that is safe to
// log, else a new one. The reply and every log line of the request carry it.
func RequestID() gin.HandlerFunc {
	return func(c *gin.Context) {
		id := c.GetHeader(HeaderRequestID)
		if !safeRequestID(id) {
			id = rand.Text()
		}
		c.Header(HeaderRequestID, id)
		c.Request = c.Request.WithContext(logging.With(c.Request.Context(), slog.String("request_id", id)))
		c.Next()
	}
}

// safeRequestID accepts what proxies and tracers make: letters, digits and a
// few signs, of a bounded length.
func safeRequestID(id string) bool {
	if id == "" || len(id) > maxRequestID {
		return false
	}
	for _, r := range []byte(id) {
		switch {
		case 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z', '0' <= r && r <= '9':
		case r == '-' || r == '_' || r == '.' || r == ':' || r == '=' || r == '/' || r == '+':
		default:
			return false
		}
	}
	return true
}
