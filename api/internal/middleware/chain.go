package middleware

import (
	"log/slog"
	"time"

	"github.com/gin-gonic/gin"
	"go.uber.org/zap"
)

// Options are what the middleware needs to know.
type Options struct {
	// Log receives what goes wrong.
	Log *slog.Logger
	// AccessLog receives one line per request; nil = none are written.
	AccessLog *zap.Logger
	// Metrics measures requests; nil = nobody does.
	Metrics gin.HandlerFunc
	// Now is the clock.
	Now func() time.Time
	// Origins are the web origins that browsers may call from.
	Origins []string
	// BodyLimit is the greatest body of the JSON routes, in bytes.
	BodyLimit int64
	// Timeout is how long a request to the JSON routes may take.
	Timeout time.Duration
	// Limits are how often one client may ask; none by default.
	Limits Limits
}

// Chain is what every request passes, those to unknown paths included. CORS
// comes before anything that may refuse a request, so that browsers can read
// the refusal.
func Chain(o Options) []gin.HandlerFunc {
	if o.Metrics == nil {
		o.Metrics = func(*gin.Context) {}
	}
	if o.AccessLog == nil {
		o.AccessLog = zap.NewNop()
	}
	return []gin.HandlerFunc{
		RequestID(),
		o.Metrics,
		AccessLog(o.AccessLog, o.Now),
		Recover(o.Log),
		SecurityHeaders(),
		CORS(o.Origins),
		GlobalLimit(o),
		Uncompressed(),
	}
}

// JSONRoutes is what requests to routes with JSON bodies pass after Chain.
func JSONRoutes(o Options) []gin.HandlerFunc {
	return []gin.HandlerFunc{
		Deadline(o.Timeout),
		BodyLimit(o.BodyLimit),
		Compress(),
	}
}
