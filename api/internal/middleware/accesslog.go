package middleware

import (
	"log/slog"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"
)

// probes are paths that load balancers ask for all day.
var probes = map[string]bool{"/livez": true, "/readyz": true, "/health": true}

// AccessLog writes one line per request: at error level with the cause when we
// failed, at debug level for health checks, else at info level. Queries and
// bodies are left out, since they may hold secrets.
func AccessLog(log *slog.Logger, now func() time.Time) gin.HandlerFunc {
	return func(c *gin.Context) {
		began := now()
		path := c.Request.URL.Path
		defer func() { logRequest(c, log, path, began, now()) }() // also when a panic cuts the reply off
		c.Next()
	}
}

func logRequest(c *gin.Context, log *slog.Logger, path string, began, now time.Time) {
	status := c.Writer.Status()
	level := levelOf(status, c.FullPath())
	if !log.Enabled(c.Request.Context(), level) {
		return
	}
	// Without the place in the program, which nobody asks for and Logger looks up.
	line := slog.NewRecord(now, level, "request", 0)
	line.AddAttrs(
		slog.String("method", c.Request.Method),
		slog.String("path", path),
		slog.String("route", c.FullPath()),
		slog.Int("status", status),
		slog.Int("bytes", max(c.Writer.Size(), 0)),
		slog.Float64("duration_ms", float64(now.Sub(began).Microseconds())/1000),
		slog.String("client_ip", c.ClientIP()),
		failureOf(c))
	_ = log.Handler().Handle(c.Request.Context(), line) // there is nowhere to report it
}

// failureOf is why a request failed; empty, and so left out, if it did not.
func failureOf(c *gin.Context) slog.Attr {
	if last := c.Errors.Last(); last != nil {
		return slog.Any("error", last.Err)
	}
	return slog.Attr{}
}

func levelOf(status int, route string) slog.Level {
	switch {
	case probes[route]: // a failing probe is logged by what it probes
		return slog.LevelDebug
	case status >= http.StatusInternalServerError:
		return slog.LevelError
	default:
		return slog.LevelInfo
	}
}
