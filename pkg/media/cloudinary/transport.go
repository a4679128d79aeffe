package cloudinary

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/etrainer/backend/pkg/media"
)

// statusError is an answer of 400 and above.
type statusError struct {
	status     int
	message    string
	retryAfter time.Duration
}

func (e *statusError) Error() string {
	return fmt.Sprintf("Cloudinary answered %d: %s", e.status, e.message)
}

// statusRateLimited is what Cloudinary's older apis say for 429.
const statusRateLimited = 420

// transport makes errors of bad answers, sets the resource type in the path of
// uploads, and notes the rate limit.
type transport struct {
	base http.RoundTripper
	now  func() time.Time

	mu    sync.Mutex
	limit *media.RateLimit
}

type resourceKey struct{}

func withResource(ctx context.Context, resource media.ResourceType) context.Context {
	return context.WithValue(ctx, resourceKey{}, resource)
}

// RoundTrip implements http.RoundTripper.
func (t *transport) RoundTrip(r *http.Request) (*http.Response, error) {
	if resource, ok := r.Context().Value(resourceKey{}).(media.ResourceType); ok {
		r = r.Clone(r.Context())
		r.URL.Path = strings.Replace(r.URL.Path, "/auto/upload", "/"+string(resource)+"/upload", 1)
	}
	if moved, ok := r.Context().Value(movedKey{}).(func()); ok && r.Body != nil {
		r = r.Clone(r.Context())
		r.Body = moving{r.Body, moved}
	}
	response, err := t.base.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	t.note(response.Header)
	if response.StatusCode < http.StatusBadRequest {
		return response, nil
	}
	defer func() { _ = response.Body.Close() }() // an error is returned anyway
	failure := &statusError{status: response.StatusCode, message: http.StatusText(response.StatusCode)}
	if seconds, err := strconv.Atoi(response.Header.Get("Retry-After")); err == nil && seconds > 0 {
		failure.retryAfter = time.Duration(seconds) * time.Second
	}
	var body struct {
		Error struct {
			Message string `json:"message"`
		} `json:"error"`
	}
	text, _ := io.ReadAll(io.LimitReader(response.Body, 64<<10)) // a proxy's page says nothing
	if json.Unmarshal(text, &body) == nil && body.Error.Message != "" {
		failure.message = body.Error.Message
	}
	return nil, failure
}

func (t *transport) note(header http.Header) {
	allowed, errAllowed := strconv.Atoi(header.Get("X-FeatureRateLimit-Limit"))
	remaining, errRemaining := strconv.Atoi(header.Get("X-FeatureRateLimit-Remaining"))
	if errAllowed != nil || errRemaining != nil {
		return
	}
	resetAt, _ := http.ParseTime(header.Get("X-FeatureRateLimit-Reset")) // zero = not told
	t.mu.Lock()
	defer t.mu.Unlock()
	t.limit = &media.RateLimit{Allowed: allowed, Remaining: remaining, ResetAt: resetAt}
}

func (t *transport) rateLimit() *media.RateLimit {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.limit
}
