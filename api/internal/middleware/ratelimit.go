package middleware

import (
	"context"
	"log/slog"
	"math"
	"net/http"
	"strconv"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/etrainer/backend/api/internal/web"
	"github.com/etrainer/backend/pkg/errs"
	"github.com/etrainer/backend/pkg/limit"
)

// Limits are the four limiters of the Node backend, by client address. A nil
// one, like a rule without a Max, limits nothing.
type Limits struct {
	// Global counts every request but those for health and for files, and
	// preflights.
	Global *limit.Limiter
	// Auth counts the requests to /api/auth that fail.
	Auth *limit.Limiter
	// Upload counts uploads.
	Upload *limit.Limiter
	// Strict counts operations that cost much or cannot be undone.
	Strict *limit.Limiter
}

// unlimited are the routes that monitors ask for all day, and the files of users:
// one page may show a hundred of them, and with Cloudinary they cost no request.
var unlimited = map[string]bool{"/livez": true, "/readyz": true, "/health": true, "/api/system/health": true, "/media/*path": true}

// GlobalLimit is Limits.Global as middleware.
func GlobalLimit(o Options) gin.HandlerFunc {
	limited := newLimited(o, o.Limits.Global, "Too many requests from this IP, please try again later.")
	return func(c *gin.Context) {
		if unlimited[c.FullPath()] || limited.take(c, false) {
			c.Next()
		}
	}
}

// AuthLimit is Limits.Auth as middleware: what succeeds is given back.
func AuthLimit(o Options) gin.HandlerFunc {
	limited := newLimited(o, o.Limits.Auth, "Too many authentication attempts, please try again later.")
	return func(c *gin.Context) {
		if !limited.take(c, true) {
			return
		}
		c.Next()
		if c.Writer.Status() < http.StatusBadRequest {
			limited.refund(c)
		}
	}
}

// UploadLimit is Limits.Upload as middleware.
func UploadLimit(o Options) gin.HandlerFunc {
	return newLimited(o, o.Limits.Upload, "Too many uploads, please try again later.").middleware
}

// StrictLimit is Limits.Strict as middleware.
func StrictLimit(o Options) gin.HandlerFunc {
	return newLimited(o, o.Limits.Strict, "Too many sensitive operations, please try again later.").middleware
}

// limited is one limiter and what it answers.
type limited struct {
	limiter *limit.Limiter
	refusal error
	now     func() time.Time
	log     *slog.Logger

	policy, most web.FixedHeader
}

// The names of the headers that change with each request, as they are sent.
var remainingName, resetName = http.CanonicalHeaderKey("RateLimit-Remaining"), http.CanonicalHeaderKey("RateLimit-Reset")

func newLimited(o Options, limiter *limit.Limiter, refusal string) limited {
	if limiter == nil {
		limiter = limit.New(nil, limit.Rule{})
	}
	most := strconv.Itoa(limiter.Max)
	return limited{
		limiter: limiter, refusal: web.Title(refusal, errs.New(errs.TooMany, refusal)), now: o.Now, log: o.Log,
		policy: web.Fixed("RateLimit-Policy", most+";w="+strconv.FormatInt(ceilSeconds(limiter.Window), 10)), most: web.Fixed("RateLimit-Limit", most),
	}
}

func (l limited) middleware(c *gin.Context) {
	if l.take(c, false) {
		c.Next()
	}
}

// take counts a request, and answers 429 to one too many. A store that fails
// lets requests pass: a limit protects the service, and is not it. legacy tells
// what is left in X-RateLimit-* headers, beside those of the global limiter.
func (l limited) take(c *gin.Context, legacy bool) bool {
	if l.limiter.Unlimited() {
		return true
	}
	result, err := l.limiter.Take(c.Request.Context(), web.ClientKey(c), 1)
	if err != nil {
		l.log.WarnContext(c.Request.Context(), "request not counted", slog.String("limit", l.limiter.Name), slog.Any("error", err))
		return true
	}
	header, reset := c.Writer.Header(), ceilSeconds(result.Reset)
	if legacy {
		header.Set("X-RateLimit-Limit", strconv.Itoa(l.limiter.Max))
		header.Set("X-RateLimit-Remaining", strconv.Itoa(result.Remaining))
		header.Set("X-RateLimit-Reset", strconv.FormatInt(l.now().Unix()+reset, 10))
	} else {
		l.policy.Set(header)
		l.most.Set(header)
		values := [...]string{strconv.Itoa(result.Remaining), strconv.FormatInt(reset, 10)}
		header[remainingName], header[resetName] = values[0:1:1], values[1:2:2]
	}
	if result.Allowed {
		return true
	}
	header.Set("Retry-After", strconv.FormatInt(max(ceilSeconds(result.RetryAfter), 1), 10))
	web.Fail(c, l.refusal)
	return false
}

func (l limited) refund(c *gin.Context) {
	if err := l.limiter.Refund(context.WithoutCancel(c.Request.Context()), web.ClientKey(c), 1); err != nil {
		l.log.WarnContext(c.Request.Context(), "request not given back", slog.String("limit", l.limiter.Name), slog.Any("error", err))
	}
}

func ceilSeconds(d time.Duration) int64 { return int64(math.Ceil(d.Seconds())) }
