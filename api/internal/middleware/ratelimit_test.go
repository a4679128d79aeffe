package middleware_test

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/jonboulle/clockwork"

	"github.com/etrainer/backend/api/internal/middleware"
	"github.com/etrainer/backend/pkg/limit"
)

// limitedEngine has one route per limiter, each of 2 in 15 minutes but the
// global one of 6.
func limitedEngine(t *testing.T) (*gin.Engine, *clockwork.FakeClock) {
	t.Helper()
	gin.SetMode(gin.ReleaseMode)
	clock := clockwork.NewFakeClockAt(time.UnixMilli(1_705_485_600_000))
	store := limit.NewMemory(clock.Now)
	rule := func(name string, most int) *limit.Limiter {
		return limit.New(store, limit.Rule{Name: name, Max: most, Window: 15 * time.Minute})
	}
	o := middleware.Options{Log: slog.New(slog.DiscardHandler), Now: clock.Now, Origins: []string{"https://app.test"}, Limits: middleware.Limits{
		Global: rule("global", 6), Auth: rule("auth", 2), Upload: rule("upload", 2), Strict: rule("strict", 2),
	}}
	engine := gin.New()
	if err := engine.SetTrustedProxies([]string{"10.0.0.0/8"}); err != nil {
		t.Fatal(err)
	}
	engine.Use(middleware.Chain(o)...)
	status := func(code int) gin.HandlerFunc { return func(c *gin.Context) { c.Status(code) } }
	engine.GET("/health", status(200))
	engine.GET("/media/*path", status(200))
	engine.POST("/good", middleware.AuthLimit(o), status(200))
	engine.POST("/bad", middleware.AuthLimit(o), status(401))
	engine.POST("/upload", middleware.UploadLimit(o), status(200))
	engine.POST("/clear", middleware.StrictLimit(o), status(200))
	return engine, clock
}

func visit(engine http.Handler, method, path, remote, forwarded string) *httptest.ResponseRecorder {
	request := httptest.NewRequest(method, path, nil)
	request.RemoteAddr = remote
	request.Header.Set("Origin", "https://app.test")
	if forwarded != "" {
		request.Header.Set("X-Forwarded-For", forwarded)
	}
	reply := httptest.NewRecorder()
	engine.ServeHTTP(reply, request)
	return reply
}

const client = "192.0.2.7:4000"

func TestGlobalLimit(t *testing.T) {
	t.Parallel()
	engine, clock := limitedEngine(t)
	for i := range 6 {
		reply := visit(engine, http.MethodGet, "/nowhere", client, "")
		if got := reply.Header().Get("RateLimit-Remaining"); got != string(rune('5'-i)) || reply.Code != 404 {
			t.Fatalf("request %d: %d, %s left", i, reply.Code, got)
		}
	}
	reply := visit(engine, http.MethodGet, "/nowhere", client, "")
	header := reply.Header()
	if reply.Code != 429 || !strings.Contains(reply.Body.String(), `"error":"Too many requests from this IP, please try again later."`) ||
		!strings.Contains(reply.Body.String(), `"message":"Too many requests from this IP, please try again later."`) {
		t.Errorf("%d %s", reply.Code, reply.Body)
	}
	if header.Get("RateLimit-Policy") != "6;w=900" || header.Get("RateLimit-Limit") != "6" || header.Get("RateLimit-Remaining") != "0" ||
		header.Get("Retry-After") != "900" || header.Get("RateLimit-Reset") != "900" || header.Get("X-RateLimit-Limit") != "" {
		t.Errorf("headers %v", header)
	}
	if header.Get("Access-Control-Allow-Origin") != "https://app.test" || header.Get("X-Content-Type-Options") != "nosniff" {
		t.Error("a browser cannot read the refusal")
	}
	for path, want := range map[string]int{"/health": 200, "/media/etrainer/images/m_1.png": 200, "/nowhere": 429} {
		if got := visit(engine, http.MethodGet, path, client, "").Code; got != want {
			t.Errorf("%s: %d, want %d", path, got, want)
		}
	}
	if got := visit(engine, http.MethodOptions, "/nowhere", client, "").Code; got != 200 {
		t.Errorf("preflight: %d", got)
	}
	clock.Advance(15 * time.Minute)
	if got := visit(engine, http.MethodGet, "/nowhere", client, "").Code; got != 404 {
		t.Errorf("after a window: %d", got)
	}
}

func TestAuthLimitGivesBackWhatSucceeds(t *testing.T) {
	t.Parallel()
	engine, clock := limitedEngine(t)
	for range 3 {
		if reply := visit(engine, http.MethodPost, "/good", client, ""); reply.Code != 200 {
			t.Fatalf("a login that succeeds: %d", reply.Code)
		}
	}
	for range 2 {
		if reply := visit(engine, http.MethodPost, "/bad", client, ""); reply.Code != 401 {
			t.Fatalf("a login that fails: %d", reply.Code)
		}
	}
	reply := visit(engine, http.MethodPost, "/good", client, "") // the sixth: the global limit is reached, not exceeded
	if reply.Code != 429 || !strings.Contains(reply.Body.String(), "Too many authentication attempts, please try again later.") {
		t.Errorf("%d %s", reply.Code, reply.Body)
	}
	header := reply.Header()
	if header.Get("X-RateLimit-Limit") != "2" || header.Get("X-RateLimit-Remaining") != "0" || header.Get("X-RateLimit-Reset") != "1705486500" {
		t.Errorf("headers %v, at %d", header, clock.Now().Unix())
	}
	if header.Get("RateLimit-Policy") != "6;w=900" || header.Get("RateLimit-Limit") != "6" || header.Get("RateLimit-Remaining") != "0" || header.Get("Retry-After") != "900" {
		t.Errorf("headers %v, want those of the global limit beside", header)
	}
}

func TestUploadAndStrictLimit(t *testing.T) {
	t.Parallel()
	for path, text := range map[string]string{
		"/upload": "Too many uploads, please try again later.", "/clear": "Too many sensitive operations, please try again later.",
	} {
		engine, _ := limitedEngine(t)
		visit(engine, http.MethodPost, path, client, "")
		visit(engine, http.MethodPost, path, client, "")
		if reply := visit(engine, http.MethodPost, path, client, ""); reply.Code != 429 || !strings.Contains(reply.Body.String(), text) {
			t.Errorf("%s: %d %s", path, reply.Code, reply.Body)
		}
	}
}

// TestLimitsCountRealClients: forged headers make no new client, trusted
// proxies are not clients, and an IPv6 network is one.
func TestLimitsCountRealClients(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		remote, forwarded [2]string
		same              bool
	}{
		"forged":         {[2]string{client, client}, [2]string{"203.0.113.1", "203.0.113.2"}, true},
		"behind a proxy": {[2]string{"10.1.1.1:1", "10.1.1.1:1"}, [2]string{"203.0.113.1", "203.0.113.2"}, false},
		"forged before a proxy": {
			[2]string{"10.1.1.1:1", "10.1.1.1:1"}, [2]string{"1.1.1.1, 203.0.113.1", "2.2.2.2, 203.0.113.1"}, true,
		},
		"one IPv6 network":   {[2]string{"[2001:db8:0:1::1]:1", "[2001:db8:0:1:ffff::2]:1"}, [2]string{}, true},
		"two IPv6 networks":  {[2]string{"[2001:db8:0:1::1]:1", "[2001:db8:0:2::1]:1"}, [2]string{}, false},
		"IPv4 in IPv6":       {[2]string{"192.0.2.7:1", "[::ffff:192.0.2.7]:1"}, [2]string{}, true},
		"two IPv4 addresses": {[2]string{"192.0.2.7:1", "192.0.2.8:1"}, [2]string{}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			engine, _ := limitedEngine(t)
			for range 2 {
				visit(engine, http.MethodPost, "/upload", test.remote[0], test.forwarded[0])
			}
			refused := visit(engine, http.MethodPost, "/upload", test.remote[1], test.forwarded[1]).Code == 429
			if refused != test.same {
				t.Errorf("refused: %t", refused)
			}
		})
	}
}

// BenchmarkChain shows what every request costs beside its handler, which answers
// with 4 KB as they are or packed.
func BenchmarkChain(b *testing.B) {
	gin.SetMode(gin.ReleaseMode)
	o := middleware.Options{
		Log: slog.New(slog.DiscardHandler), Now: time.Now, BodyLimit: 1 << 20, Timeout: time.Minute,
		Limits: middleware.Limits{Global: limit.New(limit.NewMemory(time.Now), limit.Rule{Name: "global", Max: 1 << 30, Window: 15 * time.Minute})},
	}
	engine := gin.New()
	engine.Use(middleware.Chain(o)...)
	reply := []byte(`{"jobs":"` + strings.Repeat("job ", 1000) + `"}`)
	engine.GET("/", append(middleware.JSONRoutes(o), func(c *gin.Context) { c.Data(http.StatusOK, "application/json", reply) })...)
	for _, coding := range []string{"identity", "gzip"} {
		b.Run(coding, func(b *testing.B) {
			request := httptest.NewRequest(http.MethodGet, "/", nil)
			request.Header.Set("Accept-Encoding", coding)
			b.ReportAllocs()
			for b.Loop() {
				engine.ServeHTTP(httptest.NewRecorder(), request)
			}
		})
	}
}
