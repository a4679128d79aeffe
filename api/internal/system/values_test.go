package system_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"runtime"
	"testing"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/google/go-cmp/cmp"

	"github.com/etrainer/backend/api/internal/openapi/openapitest"
	"github.com/etrainer/backend/api/internal/system"
	"github.com/etrainer/backend/pkg/cache"
	"github.com/etrainer/backend/pkg/mongodb"
	"github.com/etrainer/backend/pkg/version"
)

// moment is when the handlers here answer.
var moment = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

const momentText = "2026-01-02T03:04:05.000Z"

// ask returns the status and the body of a path.
func ask(t *testing.T, parts system.Parts, path string) (int, map[string]any) {
	t.Helper()
	parts.Now = func() time.Time { return moment }
	handler, engine := system.NewHandler(parts), gin.New()
	handler.Public(engine.Group("/api/system"))
	handler.Admin(engine.Group("/api/system"), func(*gin.Context) {})
	reply, request := httptest.NewRecorder(), httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/api/system"+path, nil)
	engine.ServeHTTP(reply, request)
	openapitest.CheckReply(t, request, reply.Result(), reply.Body.Bytes())
	var body map[string]any
	if err := json.Unmarshal(reply.Body.Bytes(), &body); err != nil {
		t.Fatalf("%s: %v in %s", path, err, reply.Body)
	}
	return reply.Code, body
}

func alive(context.Context) error { return nil }

func dead(context.Context) error { return errors.New("away") }

// connection is a database of which each number is another.
type connection struct{ target mongodb.Target }

func (connection) Name() string             { return "etrainer" }
func (c connection) Target() mongodb.Target { return c.target }
func (connection) Capabilities() mongodb.Capabilities {
	return mongodb.Capabilities{
		Engine: mongodb.EngineMongoDB, Version: "7.0.14", Topology: mongodb.TopologyReplicaSet, WireVersion: 21,
		ReplicaSet: true, SetName: "rs0", Transactions: true, TTL: true,
	}
}

func (connection) PoolStats() mongodb.PoolStats {
	return mongodb.PoolStats{Open: 1, InUse: 2, Waiting: 3, CheckOuts: 4, CheckOutFailures: 5, Waited: 6789 * time.Microsecond}
}

func TestDatabaseStats(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		target   mongodb.Target
		alive    func(context.Context) error
		state    float64
		fallback bool
	}{
		"the chosen one": {mongodb.Target{Name: "MONGODB_ATLAS_URI", Host: "a:27018,b:27019"}, alive, 1, false},
		"the fallback":   {mongodb.Target{Name: "MONGODB_URI", Host: "a:27018,b:27019", Fallback: true}, alive, 1, true},
		"away":           {mongodb.Target{Name: "MONGODB_URI", Host: "a:27018,b:27019"}, dead, 0, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			status, body := ask(t, system.Parts{Database: connection{test.target}, Alive: test.alive}, "/database/stats")
			want := map[string]any{
				"readyState": test.state, "name": "etrainer", "host": "a", "port": 27018.0, "collections": 13.0,
				"pool": map[string]any{"open": 1.0, "inUse": 2.0, "waiting": 3.0, "checkOuts": 4.0, "checkOutFailures": 5.0, "waitedMs": 6.79},
				"server": map[string]any{
					"engine": "mongodb", "version": "7.0.14", "topology": "replica set", "wireVersion": 21.0,
					"replicaSet": true, "setName": "rs0", "transactions": true, "changeStreams": false, "ttl": true,
				},
				"target": test.target.Name, "hosts": "a:27018,b:27019", "fallback": test.fallback, "timestamp": momentText,
			}
			if diff := cmp.Diff(want, body); status != 200 || diff != "" {
				t.Errorf("%d (-want +got):\n%s", status, diff)
			}
		})
	}
}

// layers is a cache that tells only of itself.
type layers struct {
	cache.Cache
	degraded bool
}

func (l layers) Degraded() bool { return l.degraded }

func (l layers) Stats(context.Context) cache.Stats {
	return cache.Stats{Layers: []cache.Layer{
		{Name: cache.LayerRedis, Available: !l.degraded, Entries: 11, EntriesAtLeast: true, Hits: 3, Misses: 1, Evictions: 12, Errors: 13},
		{Name: cache.LayerMemory, Available: true, Entries: 14, Hits: 1, Misses: 3, Evictions: 15, Errors: 16},
	}}
}

func TestCacheStatsOfBothLayers(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		degraded bool
		redis    string
		keys     float64
	}{"Redis answers": {false, "ready", 11}, "Redis is away": {true, "unavailable", 14}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			status, body := ask(t, system.Parts{Cache: layers{degraded: test.degraded}}, "/cache/stats")
			layer := func(status string, keys float64, atLeast bool, hits, misses, rate, evictions, failures float64) map[string]any {
				return map[string]any{
					"status": status, "keys": keys, "keysAtLeast": atLeast, "hits": hits, "misses": misses,
					"hitRate": rate, "evictions": evictions, "errors": failures,
				}
			}
			want := map[string]any{
				"redis": layer(test.redis, 11, true, 3, 1, 0.75, 12, 13), "memory": layer("ready", 14, false, 1, 3, 0.25, 15, 16),
				"total": layer("ready", test.keys, !test.degraded, 4, 4, 0.5, 27, 29), "timestamp": momentText,
			}
			if diff := cmp.Diff(want, body); status != 200 || diff != "" {
				t.Errorf("%d (-want +got):\n%s", status, diff)
			}
		})
	}
}

// nodeArch is Node's name for the processor of most machines.
func nodeArch() string {
	if runtime.GOARCH == "amd64" {
		return "x64"
	}
	return runtime.GOARCH
}

// TestStates: what is away shows in both public documents.
func TestStates(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		alive           func(context.Context) error
		degraded        bool
		code            int
		health, status  string
		database, cache string
	}{
		"all is well":   {alive, false, 200, "healthy", "operational", "connected", "active"},
		"Redis away":    {alive, true, 200, "healthy", "operational", "connected", "degraded"},
		"database away": {dead, false, 503, "unhealthy", "degraded", "disconnected", "active"},
		"both away":     {dead, true, 503, "unhealthy", "degraded", "disconnected", "degraded"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			parts := system.Parts{Alive: test.alive, Cache: layers{degraded: test.degraded}, Environment: "staging", StartedAt: time.Now().Add(-time.Hour)}
			code, health := ask(t, parts, "/health")
			services, _ := health["services"].(map[string]any)
			if code != test.code || health["status"] != test.health || services["database"] != test.database || services["cache"] != test.cache {
				t.Errorf("/health: %d %v", code, health)
			}
			code, status := ask(t, parts, "/status")
			system, _ := status["system"].(map[string]any)
			if uptime, _ := system["uptime_seconds"].(float64); uptime < 3600 || uptime > 3700 {
				t.Errorf("uptime_seconds = %v, want an hour", system["uptime_seconds"])
			}
			for _, measured := range []string{"uptime_seconds", "memory_usage_mb", "cpu_usage"} {
				delete(system, measured)
			}
			want := map[string]any{
				"status": test.status, "timestamp": momentText, "version": version.Version, "environment": "staging",
				"system":   map[string]any{"node_version": runtime.Version(), "platform": runtime.GOOS, "architecture": nodeArch()},
				"services": map[string]any{"database": test.database, "cache": test.cache, "file_storage": "local"},
			}
			if diff := cmp.Diff(want, status); code != 200 || diff != "" {
				t.Errorf("/status: %d (-want +got):\n%s", code, diff)
			}
		})
	}
}
