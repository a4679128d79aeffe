package server

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/gin-gonic/gin"
)

// tolerant matches paths as Express does: capitals do not matter, nor does one
// slash at the end, and HEAD is answered wherever GET is. It serves the request
// under the path as it was registered; a redirect would lose the body of a
// POST. Parameters keep their capitals.
func tolerant(engine *gin.Engine) http.Handler {
	patterns := patternsOf(engine)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		path := r.URL.EscapedPath()
		registered := canonical(patterns, path)
		if registered != path || r.Method == http.MethodHead {
			r = rewritten(r, registered)
		}
		engine.ServeHTTP(w, r)
	})
}

// rewritten returns a shallow copy with another path. The server keeps the
// original, so it still sends no body to HEAD.
func rewritten(r *http.Request, escaped string) *http.Request {
	copied := r.WithContext(r.Context())
	if copied.Method == http.MethodHead {
		copied.Method = http.MethodGet
	}
	if path, err := url.PathUnescape(escaped); err == nil {
		target := *r.URL
		target.Path, target.RawPath = path, escaped
		copied.URL = &target
	}
	return copied
}

// pattern is the path of a route in its parts; a part that begins with a colon
// is a parameter.
type pattern []string

// patternsOf lists the paths of all routes, those with text before those with
// a parameter in the same place.
func patternsOf(engine *gin.Engine) []pattern {
	var paths []string
	for _, route := range engine.Routes() {
		paths = append(paths, route.Path)
	}
	slices.SortFunc(paths, func(a, b string) int {
		// '~' sorts after every sign that a path of ours has.
		return strings.Compare(strings.ReplaceAll(a, "/:", "/~"), strings.ReplaceAll(b, "/:", "/~"))
	})
	var patterns []pattern
	for _, path := range slices.Compact(paths) {
		patterns = append(patterns, strings.Split(path, "/"))
	}
	return patterns
}

// canonical returns the path as it was registered, or as it is when no route
// has it.
func canonical(patterns []pattern, path string) string {
	parts := strings.Split(path, "/")
	if last := len(parts) - 1; last > 1 && parts[last] == "" && parts[last-1] != "" {
		parts = parts[:last]
	}
	for _, p := range patterns {
		if p.matches(parts) {
			return p.fill(parts)
		}
	}
	return path
}

func (p pattern) matches(parts []string) bool {
	if len(p) != len(parts) {
		return false
	}
	for i, part := range p {
		if strings.HasPrefix(part, ":") {
			if parts[i] == "" {
				return false
			}
			continue
		}
		if !strings.EqualFold(part, parts[i]) {
			return false
		}
	}
	return true
}

func (p pattern) fill(parts []string) string {
	filled := slices.Clone(parts)
	for i, part := range p {
		if !strings.HasPrefix(part, ":") {
			filled[i] = part
		}
	}
	return strings.Join(filled, "/")
}
