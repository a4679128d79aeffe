package system_test

import (
	"math"
	"net/http"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jonboulle/clockwork"
	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/etrainer/backend/api/internal/apitest"
	"github.com/etrainer/backend/pkg/fleet"
	"github.com/etrainer/backend/pkg/mongodb/mongotest"
)

// apitest holds every answer against the OpenAPI document: keys and types need
// no test of their own here.

var adminRoutes = []apitest.Request{
	{Path: "/api/system/cluster/status"},
	{Path: "/api/system/metrics"},
	{Path: "/api/system/performance"},
	{Path: "/api/system/cache/stats"},
	{Path: "/api/system/database/stats"},
	{Path: "/api/system/cloudinary/usage"},
	{Method: http.MethodPost, Path: "/api/system/cache/clear"},
}

func TestRoles(t *testing.T) {
	t.Parallel()
	api := apitest.Start(t, mongotest.Database(t), apitest.Options{})
	admin, user := api.Token(t, "admin@example.com"), api.Token(t, "user@example.com")
	for _, route := range adminRoutes {
		for token, want := range map[string]int{admin: 200, user: 403, "": 401} {
			request := route
			request.Token = token
			if reply := api.Do(t, request); reply.Status != want {
				t.Errorf("%s %s: %d, want %d: %s", route.Method, route.Path, reply.Status, want, reply.Text)
			}
		}
	}
	for _, path := range []string{"/api/system/health", "/api/system/status", "/api/system/leaderboard"} {
		if reply := api.Get(t, path, ""); reply.Status != 200 {
			t.Errorf("%s: %d %s", path, reply.Status, reply.Text)
		}
	}
}

func TestProcess(t *testing.T) {
	t.Parallel()
	api := apitest.Start(t, mongotest.Database(t), apitest.Options{})
	admin := api.Token(t, "admin@example.com")
	performance := api.Get(t, "/api/system/performance", admin)
	if performance.At("pid") != float64(os.Getpid()) || performance.At("nodeVersion") != runtime.Version() {
		t.Errorf("performance: %s", performance.Text)
	}
	rss, _ := performance.At("memory", "rss").(float64)
	used, _ := performance.At("memory", "heapUsed").(float64)
	whole, _ := performance.At("memory", "heapTotal").(float64)
	if used <= 0 || used > whole || rss <= 0 || rss > 1<<20 {
		t.Errorf("memory: %s", performance.Text)
	}
	if share, _ := performance.At("memory", "heapUsagePercent").(float64); math.Abs(share-used/whole*100) > 1 {
		t.Errorf("heapUsagePercent = %v of %v in %v", share, used, whole)
	}
	if performance.At("platform") != runtime.GOOS || performance.At("arch") != nodeArch() || performance.At("processors") != float64(runtime.GOMAXPROCS(0)) {
		t.Errorf("machine: %s", performance.Text)
	}
	if user, _ := performance.At("cpu", "user").(float64); user <= 0 {
		t.Errorf("cpu: %s", performance.Text)
	}
	metrics := api.Get(t, "/api/system/metrics", admin)
	used, _ = metrics.At("metrics", "memory", "heap_used_mb").(float64)
	whole, _ = metrics.At("metrics", "memory", "heap_total_mb").(float64)
	if share, _ := metrics.At("metrics", "memory", "usage_percent").(float64); used <= 0 || math.Abs(share-used/whole*100) > 1 || metrics.At("metrics", "go_version") != runtime.Version() {
		t.Errorf("metrics: %s", metrics.Text)
	}
	if n, _ := metrics.At("metrics", "goroutines").(float64); n < 2 {
		t.Errorf("metrics: %s", metrics.Text)
	}
}

func TestClusterStatusListsTheLiving(t *testing.T) {
	t.Parallel()
	api := apitest.Start(t, mongotest.Database(t), apitest.Options{})
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	under := func(restarts int) *fleet.Parent {
		return &fleet.Parent{PID: 70, Children: []fleet.Child{
			{ID: 1, PID: 8, State: "ready", Uptime: 60, Memory: 5 << 20, InFlight: 2},
			{ID: 2, State: "waiting", IsDead: true, Restarts: restarts},
		}}
	}
	for _, i := range []fleet.Instance{
		{ID: apitest.Instance, Kind: fleet.API, Host: host, PID: os.Getpid(), StartedAt: now.Add(-3 * time.Hour), SeenAt: now, ExpiresAt: now.Add(time.Hour)},
		{ID: "api@sibling", Kind: fleet.API, Host: host, PID: 7, StartedAt: now.Add(-2 * time.Hour), SeenAt: now, ExpiresAt: now.Add(time.Hour), Draining: true},
		{ID: "worker@far", Kind: fleet.Worker, Host: "far", PID: 8, StartedAt: now.Add(-time.Hour), ExpiresAt: now.Add(time.Hour), SeenAt: now.Add(-time.Second), Names: map[string]int{"send mail": 5}, InFlight: 2, Memory: 5 << 20, Version: "1.2.3", Parent: under(3)},
		{ID: "worker@late", Kind: fleet.Worker, Host: "far", PID: 9, StartedAt: now.Add(-time.Minute), ExpiresAt: now.Add(time.Hour), SeenAt: now.Add(-time.Minute), Version: "1.2.2", Parent: under(1)},
		{ID: "worker@dead", Kind: fleet.Worker, StartedAt: now, SeenAt: now.Add(-time.Minute), ExpiresAt: now.Add(-time.Second)},
	} {
		if err := api.Registry.Register(t.Context(), i); err != nil {
			t.Fatal(err)
		}
	}
	reply := api.Get(t, "/api/system/cluster/status", api.Token(t, "admin@example.com"))
	instances, _ := reply.At("instances").([]any)
	if len(instances) != 4 || reply.At("cluster", "worker_count") != 2.0 || reply.At("clustering_enabled") != true || reply.At("process_id") != float64(os.Getpid()) {
		t.Fatalf("cluster: %s", reply.Text)
	}
	self, _ := instances[0].(map[string]any)
	sibling, _ := instances[1].(map[string]any)
	far, _ := instances[2].(map[string]any)
	if self["self"] != true || sibling["state"] != "draining" || sibling["self"] != false || far["inFlight"] != 2.0 || far["names"].(map[string]any)["send mail"] != 5.0 {
		t.Errorf("instances: %v", instances)
	}
	if memory, _ := self["memory"].(float64); memory < 1<<20 {
		t.Errorf("this process has %v bytes", self["memory"])
	}
	if uptime, _ := far["uptime"].(float64); far["memory"] != float64(5<<20) || far["parent_pid"] != 70.0 || self["parent_pid"] != 0.0 || uptime < 3600 || uptime > 3700 {
		t.Errorf("far: %v", far)
	}
	want := []any{map[string]any{
		"host": "far", "pid": 70.0, "kind": "worker", "version": "1.2.3", "seenAt": now.Add(-time.Second).UTC().Format("2006-01-02T15:04:05.000Z"),
		"children": []any{
			map[string]any{"id": "1", "pid": 8.0, "state": "ready", "isDead": false, "restarts": 0.0, "uptime": 60.0, "memory": float64(5 << 20), "inFlight": 2.0},
			map[string]any{"id": "2", "pid": 0.0, "state": "waiting", "isDead": true, "restarts": 3.0, "uptime": 0.0, "inFlight": 0.0},
		},
	}}
	if diff := cmp.Diff(want, reply.At("parents")); diff != "" {
		t.Errorf("parents, by the youngest heartbeat (-want +got):\n%s", diff)
	}
}

func TestDatabaseAway(t *testing.T) {
	t.Parallel()
	proxy, clock := apitest.NewProxy(t), clockwork.NewFakeClockAt(time.Now())
	api := apitest.Start(t, mongotest.Database(t, proxy.Options()), apitest.Options{Now: clock.Now})
	if reply := api.Get(t, "/api/system/health", ""); reply.At("status") != "healthy" || reply.At("services", "database") != "connected" {
		t.Errorf("with a database: %s", reply.Text)
	}
	proxy.Cut()
	clock.Advance(time.Second)
	health, status := api.Get(t, "/api/system/health", ""), api.Get(t, "/api/system/status", "")
	if health.Status != 503 || health.At("status") != "unhealthy" || health.At("services", "database") != "disconnected" || health.Header.Get("Retry-After") == "" {
		t.Errorf("health without one: %d %s", health.Status, health.Text)
	}
	if status.Status != 200 || status.At("status") != "degraded" || status.At("services", "database") != "disconnected" {
		t.Errorf("status without one: %d %s", status.Status, status.Text)
	}
	proxy.Restore()
	deadline := time.Now().Add(30 * time.Second)
	for api.Get(t, "/api/system/health", "").Status != 200 {
		if time.Now().After(deadline) {
			t.Fatal("it did not come back")
		}
		clock.Advance(time.Second)
	}
}

func TestCacheIsCountedAndCleared(t *testing.T) {
	t.Parallel()
	api := apitest.Start(t, mongotest.Database(t), apitest.Options{})
	admin := api.Token(t, "admin@example.com")
	for range 3 {
		api.Get(t, "/api/system/leaderboard", "")
	}
	before := api.Get(t, "/api/system/cache/stats", admin)
	if hits, _ := before.At("memory", "hits").(float64); hits < 2 || before.At("memory", "keys") != 1.0 || before.At("redis", "status") != "not_configured" {
		t.Errorf("stats: %s", before.Text)
	}
	if reply := api.Post(t, "/api/system/cache/clear", admin, nil); reply.Text != `{"success":true,"message":"Cache cleared successfully"}` {
		t.Errorf("clear: %s", reply.Text)
	}
	if after := api.Get(t, "/api/system/cache/stats", admin); after.At("memory", "keys") != 0.0 {
		t.Errorf("stats: %s", after.Text)
	}
	if reply := api.Get(t, "/api/system/leaderboard", ""); reply.Header.Get("X-Cache") != "MISS" || reply.At("cached") != false {
		t.Errorf("after a clear: %s %s", reply.Header.Get("X-Cache"), reply.Text)
	}
}

func TestLeaderboard(t *testing.T) {
	t.Parallel()
	db := mongotest.Database(t)
	api := apitest.Start(t, db, apitest.Options{})
	ids := []bson.ObjectID{bson.NewObjectID(), bson.NewObjectID(), bson.NewObjectID()}
	end := time.Date(2025, 8, 4, 10, 0, 0, 0, time.UTC)
	practice := func(user any, right, rate any, at time.Time) any {
		return bson.D{{Key: "user", Value: user}, {Key: "correctAnswers", Value: right}, {Key: "accuracyRate", Value: rate}, {Key: "endTime", Value: at}}
	}
	if _, err := db.Collection("users").InsertMany(t.Context(), []any{
		bson.D{{Key: "_id", Value: ids[0]}, {Key: "name", Value: "Mai"}, {Key: "email", Value: "mai@example.com"}, {Key: "avatarUrl", Value: nil}},
		bson.D{{Key: "_id", Value: ids[1]}, {Key: "name", Value: "An"}, {Key: "email", Value: "an@example.com"}, {Key: "avatarUrl", Value: "https://x/a.png"}},
	}); err != nil {
		t.Fatal(err)
	}
	if _, err := db.Collection("practicehistories").InsertMany(t.Context(), []any{
		practice(ids[0], 3, 30.0, end), practice(ids[0], int64(4), 66.67, end.Add(-time.Hour)), practice(ids[0], "odd", nil, end.Add(-time.Hour)),
		practice(ids[1], 9, 90, end), practice(ids[2], 99, 99, end), practice("nobody", 99, 99, end),
	}); err != nil {
		t.Fatal(err)
	}
	first := api.Get(t, "/api/system/leaderboard", "")
	rows, _ := first.At("data").([]any)
	if len(rows) != 2 || strings.Contains(first.Text, "example.com") || first.At("cached") != (first.Header.Get("X-Cache") == "HIT") {
		t.Fatalf("leaderboard: %s", first.Text)
	}
	an, mai := rows[0].(map[string]any), rows[1].(map[string]any)
	if an["name"] != "An" || an["totalScore"] != 9.0 || an["averageScore"] != 90.0 || an["avatarUrl"] != "https://x/a.png" || an["rank"] != 1.0 {
		t.Errorf("An: %v", an)
	}
	if mai["_id"] != ids[0].Hex() || mai["totalScore"] != 7.0 || mai["practiceCount"] != 3.0 || mai["averageScore"] != 32.22 || mai["lastActive"] != "2025-08-04T10:00:00.000Z" {
		t.Errorf("Mai: %v", mai)
	}
	second := api.Get(t, "/api/system/leaderboard?limit=1", "")
	if rows, _ := second.At("data").([]any); len(rows) != 1 || second.Header.Get("X-Cache") != "HIT" || second.At("cached") != true || second.At("asOf") != first.At("asOf") {
		t.Errorf("the second time: %s", second.Text)
	}
}

func TestLeaderboardRefusesLimits(t *testing.T) {
	t.Parallel()
	api := apitest.Start(t, mongotest.Database(t), apitest.Options{})
	for _, limit := range []string{"101", "99999999999999999999"} { // more than there is: all of it
		if reply := api.Get(t, "/api/system/leaderboard?limit="+limit, ""); reply.Status != 200 {
			t.Errorf("limit %s: %d %s", limit, reply.Status, reply.Text)
		}
	}
	for _, limit := range []string{"0", "-1", "ten", "1e2", strings.Repeat("x", 500)} {
		reply := api.Get(t, "/api/system/leaderboard?limit="+limit, "")
		if message, _ := reply.At("message").(string); reply.Status != 400 || !strings.HasPrefix(message, "limit ") || len(message) > 200 {
			t.Errorf("limit %s: %d %s", limit, reply.Status, reply.Text)
		}
	}
}
