package middleware_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/etrainer/backend/api/internal/middleware"
	"github.com/etrainer/backend/api/internal/web"
	"github.com/etrainer/backend/pkg/logging"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// journal is a log that tests read.
type journal struct {
	flush func() error // of the log that writes to it
	mu    sync.Mutex
	text  bytes.Buffer
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Write(p)
}

// lines returns the lines with a message.
func (j *journal) lines(t *testing.T, message string) []map[string]any {
	t.Helper()
	if err := j.flush(); err != nil {
		t.Fatal(err)
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	var found []map[string]any
	for text := range strings.SplitSeq(strings.TrimSpace(j.text.String()), "\n") {
		var line map[string]any
		if err := json.Unmarshal([]byte(text), &line); err != nil {
			t.Fatalf("log line %q: %v", text, err)
		}
		if line["msg"] == message {
			found = append(found, line)
		}
	}
	return found
}

const bodyLimit = 1000

// start serves the whole chain with a few routes.
func start(t *testing.T) (*httptest.Server, *journal) {
	t.Helper()
	out := &journal{}
	log, err := logging.New(logging.Options{Level: "debug", Out: out})
	if err != nil {
		t.Fatal(err)
	}
	out.flush = log.Flush
	o := middleware.Options{Log: log.Logger, AccessLog: log.Zap, Now: time.Now, Origins: []string{"https://app.test"}, BodyLimit: bodyLimit, Timeout: 50 * time.Millisecond}
	gin.SetMode(gin.ReleaseMode)
	engine := gin.New()
	engine.Use(middleware.Chain(o)...)
	engine.GET("/livez", func(c *gin.Context) { c.Status(http.StatusServiceUnavailable) })
	engine.GET("/panic", func(*gin.Context) { panic("boom") })
	engine.GET("/panic/late", func(c *gin.Context) {
		c.Writer.WriteHeaderNow()
		c.Writer.Flush()
		panic("boom")
	})
	engine.GET("/broken/:id", web.Handle("Failed", func(*gin.Context) error { return errors.New("mongodb://u:hunter2@h is broken") }))
	api := engine.Group("/", middleware.JSONRoutes(o)...)
	api.POST("/body", web.Handle("Failed", func(c *gin.Context) error {
		body, err := web.Decode[map[string]any](c)
		if err != nil {
			return err
		}
		return web.JSON(c, 200, body)
	}))
	api.GET("/slow", web.Handle("Failed", func(c *gin.Context) error {
		<-c.Request.Context().Done()
		return c.Request.Context().Err()
	}))
	server := httptest.NewServer(engine)
	t.Cleanup(server.Close)
	return server, out
}

// answer is what a request got; broken tells that it was cut off.
type answer struct {
	status int
	header http.Header
	text   string
	broken bool
}

func send(t *testing.T, method, url string, body io.Reader, header map[string]string) answer {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, url, body)
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range header {
		request.Header.Set(name, value)
	}
	transport := &http.Transport{DisableKeepAlives: true}
	response, err := (&http.Client{Transport: transport}).Do(request)
	if err != nil {
		t.Fatalf("%s %s: %v", method, url, err)
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	return answer{response.StatusCode, response.Header, string(text), err != nil}
}

func TestRequestID(t *testing.T) {
	t.Parallel()
	server, out := start(t)
	for given, kept := range map[string]bool{
		"": false, "abc-1.2_3:4=/+": true, "with space": false, "ü": false, `a"b`: false,
		strings.Repeat("x", 128): true, strings.Repeat("x", 129): false,
	} {
		reply := send(t, http.MethodGet, server.URL+"/none", nil, map[string]string{"X-Request-Id": given})
		id := reply.header.Get("X-Request-Id")
		if id == "" || (id == given) != kept {
			t.Errorf("id %q is answered by %q, want it kept: %v", given, id, kept)
		}
		if lines := out.lines(t, "request"); lines[len(lines)-1]["request_id"] != id {
			t.Errorf("logged id = %v, want %s", lines[len(lines)-1]["request_id"], id)
		}
	}
}

func TestSecurityHeadersAreOnEveryReply(t *testing.T) {
	t.Parallel()
	server, _ := start(t)
	for name, reply := range map[string]answer{
		"no route":  send(t, http.MethodGet, server.URL+"/none", nil, nil),
		"panic":     send(t, http.MethodGet, server.URL+"/panic", nil, nil),
		"too large": send(t, http.MethodPost, server.URL+"/body", strings.NewReader(strings.Repeat(" ", bodyLimit+1)), nil),
		"preflight": send(t, http.MethodOptions, server.URL+"/none", nil, nil),
	} {
		for key, want := range map[string]string{
			"Strict-Transport-Security": "max-age=31536000; includeSubDomains; preload", "X-Content-Type-Options": "nosniff",
			"X-Frame-Options": "SAMEORIGIN", "X-XSS-Protection": "0", "Referrer-Policy": "no-referrer",
			"Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Resource-Policy": "same-origin", "Origin-Agent-Cluster": "?1",
			"X-DNS-Prefetch-Control": "off", "X-Download-Options": "noopen", "X-Permitted-Cross-Domain-Policies": "none", "X-Powered-By": "",
		} {
			if got := reply.header.Get(key); got != want {
				t.Errorf("%s: %s = %q, want %q", name, key, got, want)
			}
		}
		if policy := reply.header.Get("Content-Security-Policy"); !strings.HasPrefix(policy, "default-src 'self';") || !strings.HasSuffix(policy, ";upgrade-insecure-requests") {
			t.Errorf("%s: Content-Security-Policy = %q", name, policy)
		}
	}
}

func TestCORS(t *testing.T) {
	t.Parallel()
	server, _ := start(t)
	ask := map[string]string{"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization,idempotency-key"}
	tests := map[string]struct {
		method, path, origin, allowed string
		status                        int
	}{
		"preflight":                {"OPTIONS", "/body", "https://app.test", "https://app.test", 200},
		"preflight of no route":    {"OPTIONS", "/none", "https://app.test", "https://app.test", 200},
		"preflight of a stranger":  {"OPTIONS", "/body", "https://evil.test", "", 200},
		"preflight without origin": {"OPTIONS", "/body", "", "", 200},
		"request":                  {"POST", "/body", "https://app.test", "https://app.test", 200},
		"request of a stranger":    {"POST", "/body", "https://evil.test", "", 200},
		"prefix of an origin":      {"POST", "/body", "https://app.test.evil.test", "", 200},
		"other scheme":             {"POST", "/body", "http://app.test", "", 200},
		"refused":                  {"GET", "/none", "https://app.test", "https://app.test", 404},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			header := map[string]string{}
			if test.origin != "" {
				header["Origin"] = test.origin
			}
			preflight := test.method == http.MethodOptions
			if preflight {
				maps.Copy(header, ask)
			}
			reply := send(t, test.method, server.URL+test.path, nil, header)
			if reply.status != test.status || reply.header.Get("Access-Control-Allow-Origin") != test.allowed ||
				reply.header.Get("Access-Control-Allow-Credentials") != "true" || !strings.Contains(strings.Join(reply.header.Values("Vary"), ","), "Origin") {
				t.Errorf("%d %v", reply.status, reply.header)
			}
			if !preflight {
				exposed := strings.Split(reply.header.Get("Access-Control-Expose-Headers"), ", ")
				for _, want := range []string{
					"X-Request-Id", "ETag", "Retry-After", "Idempotency-Replayed", "X-Cache", "RateLimit-Policy", "RateLimit-Limit",
					"RateLimit-Remaining", "RateLimit-Reset", "X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset",
				} {
					if !slices.Contains(exposed, want) {
						t.Errorf("scripts may read %q, and not %s", exposed, want)
					}
				}
				return
			}
			for key, want := range map[string]string{
				"Access-Control-Allow-Methods": "GET,HEAD,PUT,PATCH,POST,DELETE", "Access-Control-Max-Age": "7200",
				"Access-Control-Allow-Headers": "authorization,idempotency-key", "Content-Length": "0",
			} {
				if got := reply.header.Get(key); got != want {
					t.Errorf("%s = %q, want %q", key, got, want)
				}
			}
		})
	}
}

func TestBodyLimit(t *testing.T) {
	t.Parallel()
	server, _ := start(t)
	object := func(size int) string { return `{"a":"` + strings.Repeat("x", size-8) + `"}` }
	chunked := func(text string) io.Reader { return io.MultiReader(strings.NewReader(text)) }
	tests := map[string]struct {
		body   io.Reader
		status int
	}{
		"as large as allowed":    {strings.NewReader(object(bodyLimit)), 200},
		"a byte more":            {strings.NewReader(object(bodyLimit + 1)), 413},
		"far more":               {strings.NewReader(object(100 * bodyLimit)), 413},
		"unknown length, fits":   {chunked(object(bodyLimit)), 200},
		"unknown length, larger": {chunked(object(bodyLimit + 1)), 413},
		"unknown, far larger":    {chunked(object(100 * bodyLimit)), 413},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			reply := send(t, http.MethodPost, server.URL+"/body", test.body, map[string]string{"Content-Type": "application/json"})
			if reply.broken || reply.status != test.status {
				t.Fatalf("%+v, want %d", reply, test.status)
			}
			if want := `"request entity too large: the body may have at most 1000 bytes; send less"`; test.status == 413 && !strings.Contains(reply.text, want) {
				t.Errorf("body = %s", reply.text)
			}
		})
	}
}

func TestDeadline(t *testing.T) {
	t.Parallel()
	server, _ := start(t)
	if reply := send(t, http.MethodGet, server.URL+"/slow", nil, nil); reply.status != http.StatusServiceUnavailable || reply.header.Get("Retry-After") == "" {
		t.Errorf("%d %v", reply.status, reply.header)
	}
}

func TestRecover(t *testing.T) {
	t.Parallel()
	server, out := start(t)
	reply := send(t, http.MethodGet, server.URL+"/panic", nil, nil)
	if reply.broken || reply.status != http.StatusInternalServerError || reply.text != `{"error":"Internal server error","message":"Something went wrong"}` {
		t.Errorf("%+v", reply)
	}
	lines := out.lines(t, "panic")
	if len(lines) != 1 || lines[0]["error"] != "boom" || !strings.Contains(lines[0]["stack"].(string), "chain_test.go") {
		t.Errorf("log = %v, want the panic with its stack", lines)
	}
	if late := send(t, http.MethodGet, server.URL+"/panic/late", nil, nil); !late.broken {
		t.Error("a reply that a panic cut off looks complete")
	}
	if lines := out.lines(t, "request"); len(lines) != 2 || lines[1]["path"] != "/panic/late" {
		t.Errorf("log = %v, want a line for the reply that was cut off too", lines)
	}
}

func TestAccessLog(t *testing.T) {
	t.Parallel()
	server, out := start(t)
	send(t, http.MethodGet, server.URL+"/broken/7?token=hunter2", nil, nil)
	send(t, http.MethodGet, server.URL+"/none", nil, nil)
	send(t, http.MethodGet, server.URL+"/livez", nil, nil)
	lines := out.lines(t, "request")
	if len(lines) != 3 {
		t.Fatalf("log = %v, want three lines", lines)
	}
	for i, want := range []map[string]any{
		{"level": "error", "method": "GET", "path": "/broken/7", "route": "/broken/:id", "status": 500.0, "error": "mongodb://[hidden]@h is broken"},
		{"level": "info", "method": "GET", "path": "/none", "route": "", "status": 404.0, "error": nil, "client_ip": "127.0.0.1"},
		{"level": "debug", "route": "/livez", "status": 503.0},
	} {
		got := map[string]any{}
		for key := range want {
			got[key] = lines[i][key]
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("line %d (-want +got):\n%s", i, diff)
		}
		if ms, ok := lines[i]["duration_ms"].(float64); !ok || ms < 0 {
			t.Errorf("line %d: duration_ms = %v", i, lines[i]["duration_ms"])
		}
	}
	if strings.Contains(out.text.String(), "hunter2") {
		t.Error("the log shows a secret")
	}
}
