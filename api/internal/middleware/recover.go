package middleware

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"

	"github.com/gin-gonic/gin"

	"github.com/etrainer/backend/api/internal/web"
)

// Recover turns a panic into a 500 and logs its stack. A reply that has begun
// is cut off, so that no client takes it for complete.
func Recover(log *slog.Logger) gin.HandlerFunc {
	return func(c *gin.Context) {
		client := c.Request.Context()
		defer func() {
			caught := recover()
			if caught == nil {
				return
			}
			if err, ok := caught.(error); ok && errors.Is(err, http.ErrAbortHandler) {
				panic(caught)
			}
			log.ErrorContext(c.Request.Context(), "panic", slog.Any("error", fmt.Errorf("%v", caught)), slog.String("stack", string(debug.Stack())))
			if c.Writer.Written() {
				panic(http.ErrAbortHandler)
			}
			if client.Err() == nil { // what ended on the way out is our deadline, and nobody went away
				c.Request = c.Request.WithContext(context.WithoutCancel(c.Request.Context()))
			}
			web.Fail(c, fmt.Errorf("panic: %v", caught))
		}()
		c.Next()
	}
}
