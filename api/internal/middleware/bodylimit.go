package middleware

import (
	"context"
	"io"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/etrainer/backend/api/internal/web"
)

// BodyLimit answers 413 to a body over a limit in bytes: at once when its
// length is declared, else when the handler has read that much.
//
// Some of a body that is too large is read and dropped before the answer, as
// Express did: a proxy that is still sending when the connection closes would
// report 502 instead of our 413. One that waits for 100 Continue sends nothing.
func BodyLimit(limit int64) gin.HandlerFunc {
	return func(c *gin.Context) {
		body := c.Request.Body
		if c.Request.ContentLength > limit {
			if c.GetHeader("Expect") == "" {
				drain(body, limit)
			}
			web.Fail(c, web.TooLarge(limit))
			return
		}
		c.Request.Body = http.MaxBytesReader(c.Writer, body, limit)
		c.Next()
		if c.Writer.Status() == http.StatusRequestEntityTooLarge {
			drain(body, limit)
		}
	}
}

// leastDrain is how much of a body is dropped whatever its limit: it is sent
// before anybody could stop.
const leastDrain = 512 << 10

// drain reads the rest of a body, up to twice its limit or leastDrain. What
// remains then ends with the connection.
func drain(body io.Reader, limit int64) {
	_, _ = io.CopyN(io.Discard, body, max(2*limit, leastDrain))
}

// Deadline ends the context of a request after a time, and with it the
// database commands that the handler waits for.
func Deadline(timeout time.Duration) gin.HandlerFunc {
	return func(c *gin.Context) {
		ctx, cancel := context.WithTimeout(c.Request.Context(), timeout)
		defer cancel()
		c.Request = c.Request.WithContext(ctx)
		c.Next()
	}
}
