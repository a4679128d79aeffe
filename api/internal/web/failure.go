package web

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/etrainer/backend/pkg/errs"
	"github.com/etrainer/backend/pkg/queue"
)

// The texts that the Node backend answers with, where clients may look for
// them.
const (
	titleInternal   = "Internal server error"
	messageInternal = "Something went wrong"
	titleDatabase   = "Database connection failed"
	messageDatabase = "Service temporarily unavailable. Please try again."
)

// retryAfter is how many seconds a client should wait after a 503 before it
// tries again: a process that is ready again is noticed about as soon as by the
// probes of an orchestrator.
const retryAfter = "5"

// RetrySoon tells with a 503 when to ask again.
func RetrySoon(c *gin.Context) { c.Header("Retry-After", retryAfter) }

// statusGone is what the access log shows when the client closed the
// connection before it got an answer (nginx's convention).
const statusGone = 499

// Violation is one field of a body that cannot be used.
type Violation struct {
	Field   string `json:"field"`
	Message string `json:"message"`
}

// Violations are all fields of a body that cannot be used: a 400 that lists
// every one, as the Node backend's validator does.
type Violations []Violation

// Error joins the messages.
func (v Violations) Error() string {
	messages := make([]string, len(v))
	for i, violation := range v {
		messages[i] = violation.Message
	}
	return strings.Join(messages, ", ")
}

// titled is a failure whose `error` text the contract fixes.
type titled struct {
	title string
	error
}

func (t titled) Unwrap() error { return t.error }

// Title gives a failure of the caller the `error` text that the contract
// fixes for it. Its kind and message stay.
func Title(title string, err error) error { return titled{title, err} }

// mended is a failure with a way out.
type mended struct {
	mend string
	error
}

func (m mended) Unwrap() error { return m.error }

// Mend tells in the `details` of a failure that names a field what to do about
// it. The `message`, which clients of the Node backend know, stays.
func Mend(err error, format string, args ...any) error {
	return mended{fmt.Sprintf(format, args...), err}
}

// aboutFile is a failure of a request for a file.
type aboutFile struct {
	publicID string
	error
}

func (a aboutFile) Unwrap() error { return a.error }

// AboutFile repeats in the body of a failure for which file it was asked, where
// the contract wants that.
func AboutFile(publicID string, err error) error { return aboutFile{publicID, err} }

// delayed is a failure that will not last.
type delayed struct {
	wait time.Duration
	error
}

func (d delayed) Unwrap() error { return d.error }

// After tells the client of a 429 or 503 when to try again.
func After(wait time.Duration, err error) error { return delayed{wait, err} }

// failureBody is the body of every failure. Older clients read either key.
type failureBody struct {
	Error    string      `json:"error"`
	Message  string      `json:"message"`
	PublicID string      `json:"publicId,omitempty"`
	Details  []Violation `json:"details,omitempty"`
}

// fail answers with a failure, and leaves its cause to the access log.
func fail(c *gin.Context, title string, err error) {
	_ = c.Error(err)
	if c.Writer.Written() {
		return
	}
	status, body := describe(err)
	// The end of the time for a body ends the context, too; the client is there.
	if errors.Is(c.Request.Context().Err(), context.Canceled) && !errors.Is(err, ErrSlowBody) {
		status = statusGone
	}
	if body.Error == "" {
		body.Error = title
	}
	switch status {
	case http.StatusServiceUnavailable, http.StatusTooManyRequests:
		if c.Writer.Header().Get("Retry-After") == "" {
			c.Header("Retry-After", retryTime(err))
		}
	case http.StatusUnauthorized:
		c.Header("WWW-Authenticate", "Bearer")
	}
	c.Abort()
	_ = JSON(c, status, body) // a failureBody always encodes
}

// retryTime is the value of Retry-After.
func retryTime(err error) string {
	if d, ok := errors.AsType[delayed](err); ok {
		return strconv.Itoa(max(int(math.Ceil(d.wait.Seconds())), 1))
	}
	return retryAfter
}

// Fail answers with a failure outside of Handle: in middleware.
func Fail(c *gin.Context, err error) { fail(c, titleInternal, err) }

// describe decides what a client learns of a failure. An empty Error in the
// body means the title of the route.
func describe(err error) (int, failureBody) {
	status, body := classify(err)
	if t, ok := errors.AsType[titled](err); ok && (status < http.StatusInternalServerError || status == http.StatusBadGateway) {
		body.Error = t.title
	}
	if a, ok := errors.AsType[aboutFile](err); ok {
		body.PublicID = a.publicID
	}
	return status, body
}

func classify(err error) (int, failureBody) {
	if violations, ok := errors.AsType[Violations](err); ok {
		return http.StatusBadRequest, failureBody{Error: "Validation Error", Message: violations.Error(), Details: violations}
	}
	if kind := errs.KindOf(err); kind != errs.Internal {
		body := failureBody{Error: titles[kind], Message: errs.MessageOf(err)}
		if field := errs.FieldOf(err); field != "" {
			detail := body.Message
			if m, ok := errors.AsType[mended](err); ok {
				detail += ": " + m.mend
			}
			body.Details = []Violation{{field, detail}}
		}
		return statuses[kind], body
	}
	switch {
	case errors.Is(err, ErrSlowBody):
		return http.StatusRequestTimeout, failureBody{Error: "Request timeout", Message: "the request came too slowly; send it again"}
	case errors.Is(err, queue.ErrNotFound):
		return http.StatusNotFound, failureBody{Error: "Job not found", Message: "no job has this id; it may have been deleted"}
	case errors.Is(err, queue.ErrConflict):
		return http.StatusConflict, failureBody{Error: titles[errs.Conflict], Message: err.Error()}
	case databaseAway(err):
		return http.StatusServiceUnavailable, failureBody{Error: titleDatabase, Message: messageDatabase}
	default:
		return http.StatusInternalServerError, failureBody{Message: messageInternal}
	}
}

var statuses = map[errs.Kind]int{
	errs.KindInvalid:     http.StatusBadRequest,
	errs.Unauthenticated: http.StatusUnauthorized,
	errs.Forbidden:       http.StatusForbidden,
	errs.NotFound:        http.StatusNotFound,
	errs.Conflict:        http.StatusConflict,
	errs.TooLarge:        http.StatusRequestEntityTooLarge,
	errs.Unsupported:     http.StatusUnsupportedMediaType,
	errs.TooMany:         http.StatusTooManyRequests,
	errs.Unavailable:     http.StatusServiceUnavailable,
	errs.Upstream:        http.StatusBadGateway,
}

var titles = map[errs.Kind]string{
	errs.KindInvalid:     "Validation Error",
	errs.Unauthenticated: "Access Denied",
	errs.Forbidden:       "Forbidden",
	errs.NotFound:        "Not found",
	errs.Conflict:        "Conflict",
	errs.TooLarge:        "Request entity too large",
	errs.Unsupported:     "Unsupported media type",
	errs.TooMany:         "Too many requests",
	errs.Unavailable:     "Service unavailable",
	errs.Upstream:        "Bad gateway",
}
