package middleware

import (
	"net/http"
	"sync"
	"time"

	"github.com/gin-gonic/gin"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/etrainer/backend/pkg/logging"
)

// probes are paths that load balancers ask for all day.
var probes = map[string]bool{"/livez": true, "/readyz": true, "/health": true}

// AccessLog writes one line per request: at error level with the cause when we
// failed, at debug level for health checks, else at info level. Queries and
// bodies are left out, since they may hold secrets. It takes the logger of zap, since
// the way through package log/slog costs more than many a request.
func AccessLog(log *zap.Logger, now func() time.Time) gin.HandlerFunc {
	return func(c *gin.Context) {
		began := now()
		path := c.Request.URL.Path
		defer func() { logRequest(c, log, path, began, now()) }() // also when a panic cuts the reply off
		c.Next()
	}
}

func logRequest(c *gin.Context, log *zap.Logger, path string, began, now time.Time) {
	status := c.Writer.Status()
	line := log.Check(levelOf(status, c.FullPath()), "request")
	if line == nil {
		return
	}
	line.Time = now
	list := fieldLists.Get().(*fieldList)
	fields := list[:0]
	fields = append(fields,
		zap.String("method", c.Request.Method),
		zap.String("path", path),
		zap.String("route", c.FullPath()),
		zap.Int("status", status),
		zap.Int("bytes", max(c.Writer.Size(), 0)),
		zap.Float64("duration_ms", float64(now.Sub(began).Microseconds())/1000),
		zap.String("client_ip", c.ClientIP()))
	if failure := c.Errors.Last(); failure != nil {
		fields = append(fields, zap.Error(failure.Err))
	}
	line.Write(logging.AppendFields(fields, c.Request.Context())...)
	clear(list[:]) // so that it keeps nothing of the request
	fieldLists.Put(list)
}

// fieldList has room for the fields of a line: its own, the request id and the user.
type fieldList [10]zap.Field

// fieldLists are lists for the next lines: one is the greater part of what a line
// would allocate.
var fieldLists = sync.Pool{New: func() any { return new(fieldList) }}

func levelOf(status int, route string) zapcore.Level {
	switch {
	case probes[route]: // a failing probe is logged by what it probes
		return zap.DebugLevel
	case status >= http.StatusInternalServerError:
		return zap.ErrorLevel
	default:
		return zap.InfoLevel
	}
}
