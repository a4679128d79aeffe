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
	patterns, exact := patternsOf(engine), exactPaths(engine)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		path := r.URL.EscapedPath()
		if exact[path] && r.Method != http.MethodHead { // the usual case, and far cheaper
			engine.ServeHTTP(w, r)
			return
		}
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
		copied.Header = r.Header.Clone()
		copied.Header.Del("Range") // it is defined for GET alone (RFC 9110, section 14.2)
	}
	if path, err := url.PathUnescape(escaped); err == nil {
		target := *r.URL
		target.Path, target.RawPath = path, escaped
		copied.URL = &target
	}
	return copied
}

// spanning is the parameter that may have slashes: the ids of files have some,
// which clients send escaped or as they are.
const spanning = ":publicId"

// pattern is the path of a route in its parts; a part that begins with a colon
// is a parameter.
type pattern []string

// exactPaths are the paths of all routes without parameters.
func exactPaths(engine *gin.Engine) map[string]bool {
	exact := map[string]bool{}
	for _, route := range engine.Routes() {
		if !strings.Contains(route.Path, "/:") {
			exact[route.Path] = true
		}
	}
	return exact
}

// patternsOf lists the paths of all routes, those with text before those with
// a parameter in the same place.
func patternsOf(engine *gin.Engine) []pattern {
	var paths []string
	for _, route := range engine.Routes() {
		paths = append(paths, route.Path)
	}
	slices.SortFunc(paths, func(a, b string) int {
		// '~' sorts after every sign that a path of ours has.
		// Of two that begin alike, the longer one is first: the other's spanning
		// parameter would take its end.
		return strings.Compare(strings.ReplaceAll(a, "/:", "/~")+"~", strings.ReplaceAll(b, "/:", "/~")+"~")
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
		if parts := p.gather(parts); p.matches(parts) {
			return p.fill(parts)
		}
	}
	return path
}

// gather makes one part, with escaped slashes, of those that the spanning
// parameter takes.
func (p pattern) gather(parts []string) []string {
	at := slices.Index(p, spanning)
	extra := len(parts) - len(p)
	if at < 0 || extra <= 0 || slices.Contains(parts[at:at+extra+1], "") {
		return parts
	}
	gathered := slices.Clone(parts[:at])
	gathered = append(gathered, strings.Join(parts[at:at+extra+1], "%2F"))
	return append(gathered, parts[at+extra+1:]...)
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
