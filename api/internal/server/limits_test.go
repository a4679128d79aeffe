package server_test

import (
	"strconv"
	"testing"
	"time"

	"github.com/etrainer/backend/api/internal/apitest"
	"github.com/etrainer/backend/api/internal/middleware"
	"github.com/etrainer/backend/pkg/limit"
	"github.com/etrainer/backend/pkg/mongodb/mongotest"
)

// The limits of the test: each has its own number, which tells which of them a
// route has.
const (
	globalMost = 1000
	authMost   = 10 * (iota + 1)
	uploadMost
	strictMost
)

// TestLimitsOfRoutes asks every kind of route which limits it has.
func TestLimitsOfRoutes(t *testing.T) {
	t.Parallel()
	store := limit.NewMemory(time.Now)
	rule := func(name string, most int) *limit.Limiter {
		return limit.New(store, limit.Rule{Name: name, Max: most, Window: 15 * time.Minute})
	}
	api := apitest.Start(t, mongotest.Database(t), apitest.Options{Limits: middleware.Limits{
		Global: rule("global", globalMost), Auth: rule("auth", authMost), Upload: rule("upload", uploadMost), Strict: rule("strict", strictMost),
	}})
	admin := api.Token(t, "admin@example.com")
	ask := func(method, path string) apitest.Reply {
		return api.Do(t, apitest.Request{Method: method, Path: path, Token: admin})
	}
	const none = 0
	for _, test := range []struct {
		method, path string
		most, auth   int // of RateLimit-Limit and X-RateLimit-Limit
	}{
		{"GET", "/health", none, none},
		{"GET", "/livez", none, none},
		{"GET", "/readyz", none, none},
		{"GET", "/api/system/health", none, none},
		{"GET", "/API/System/Health/", none, none},
		{"GET", "/HEALTH/", none, none},
		{"HEAD", "/health", none, none},
		{"GET", "/media/etrainer/images/none.jpg", none, none},

		{"GET", "/", globalMost, none},
		{"GET", "/nowhere", globalMost, none},
		{"GET", "/api/system/status", globalMost, none},
		{"GET", "/api/system/leaderboard", globalMost, none},
		{"GET", "/api/system/cache/stats", globalMost, none},
		{"GET", "/api/system/jobs", globalMost, none},
		{"POST", "/api/system/jobs/schedule", globalMost, none},
		{"GET", "/api/system/reports", globalMost, none},
		{"GET", "/api/docs", globalMost, none},
		{"POST", "/api/uploads/optimize-url", globalMost, none},
		{"GET", "/api/uploads/none/info", globalMost, none},
		{"DELETE", "/api/uploads/none", globalMost, none},

		{"POST", "/api/auth/register", globalMost, authMost},
		{"POST", "/api/auth/login", globalMost, authMost},
		{"POST", "/API/Auth/Login/", globalMost, authMost},
		{"POST", "/api/auth/google", globalMost, authMost},
		{"POST", "/api/auth/refresh", globalMost, authMost},

		{"POST", "/api/uploads/images", uploadMost, none},
		{"POST", "/api/uploads/audio", uploadMost, none},
		{"POST", "/api/uploads/videos", uploadMost, none},
		{"POST", "/API/Uploads/Documents/", uploadMost, none},
		{"POST", "/api/system/cache/clear", strictMost, none},
	} {
		header := ask(test.method, test.path).Header
		for name, want := range map[string]int{"RateLimit-Limit": test.most, "X-RateLimit-Limit": test.auth} {
			if got, _ := strconv.Atoi(header.Get(name)); got != want {
				t.Errorf("%s %s: %s is %d, want %d", test.method, test.path, name, got, want)
			}
		}
	}

	for path, want := range map[string]string{
		"/api/auth/login":         "Too many authentication attempts, please try again later.",
		"/api/uploads/images":     "Too many uploads, please try again later.",
		"/api/system/cache/clear": "Too many sensitive operations, please try again later.",
	} {
		reply := ask("POST", path)
		for tries := 0; reply.Status != 429 && tries < strictMost; tries++ {
			reply = ask("POST", path)
		}
		if reply.Status != 429 || reply.JSON["error"] != want {
			t.Errorf("%s, asked often: %d %s", path, reply.Status, reply.Text)
		}
	}
	if reply := api.Post(t, "/api/auth/logout", admin, nil); reply.Status != 429 {
		t.Errorf("logout, where logins are limited: %d", reply.Status)
	}
}
