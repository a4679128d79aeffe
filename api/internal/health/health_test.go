package health_test

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/google/go-cmp/cmp"
	"github.com/jonboulle/clockwork"

	"github.com/etrainer/backend/api/internal/apitest"
	"github.com/etrainer/backend/api/internal/health"
	"github.com/etrainer/backend/api/internal/jobs"
	"github.com/etrainer/backend/api/internal/openapi/openapitest"
	"github.com/etrainer/backend/api/internal/web"
	"github.com/etrainer/backend/pkg/fleet"
	"github.com/etrainer/backend/pkg/mongodb"
	"github.com/etrainer/backend/pkg/mongodb/mongotest"
)

// ping is a database, or a Redis, that answers as the function does.
type ping func(ctx context.Context) error

func (p ping) Ping(ctx context.Context) error { return p(ctx) }

func alive(context.Context) error { return nil }

func dead(context.Context) error { return errors.New("connection refused") }

// hangs never answers.
func hangs(ctx context.Context) error {
	<-ctx.Done()
	return ctx.Err()
}

func ask(t *testing.T, parts health.Parts, path string) (int, map[string]any) {
	t.Helper()
	if parts.Draining == nil {
		parts.Draining = func() bool { return false }
	}
	parts.Now, parts.StartedAt, parts.Log = time.Now, time.Now().Add(-time.Minute), slog.New(slog.DiscardHandler)
	return get(t, health.NewHandler(parts), path)
}

func get(t *testing.T, handler *health.Handler, path string) (int, map[string]any) {
	t.Helper()
	gin.SetMode(gin.ReleaseMode)
	engine := gin.New()
	handler.Routes(engine)
	recorder, request := httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, path, nil)
	engine.ServeHTTP(recorder, request)
	openapitest.CheckReply(t, request, recorder.Result(), recorder.Body.Bytes())
	var body map[string]any
	if err := json.Unmarshal(recorder.Body.Bytes(), &body); err != nil {
		t.Errorf("%s: %v in %s", path, err, recorder.Body)
	}
	return recorder.Code, body
}

func TestReady(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		parts  health.Parts
		status int
		body   map[string]any
	}{
		"ready":         {health.Parts{Database: ping(alive)}, 200, map[string]any{"status": "ready"}},
		"draining":      {health.Parts{Database: ping(alive), Draining: func() bool { return true }}, 503, map[string]any{"status": "unavailable", "error": "Not ready", "message": "the process is about to stop"}},
		"database dead": {health.Parts{Database: ping(dead)}, 503, map[string]any{"status": "unavailable", "error": "Not ready", "message": "the database does not answer"}},
		"database mute": {health.Parts{Database: ping(hangs)}, 503, map[string]any{"status": "unavailable", "error": "Not ready", "message": "the database does not answer"}},
		"not connected": {health.Parts{}, 503, map[string]any{"status": "unavailable", "error": "Not ready", "message": "the database does not answer"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			status, body := ask(t, test.parts, "/readyz")
			if diff := cmp.Diff(test.body, body); status != test.status || diff != "" {
				t.Errorf("status %d, want %d; body (-want +got):\n%s", status, test.status, diff)
			}
			if status, body := ask(t, test.parts, "/livez"); status != 200 || body["status"] != "alive" {
				t.Errorf("/livez: %d %v", status, body)
			}
		})
	}
}

func TestHealthDocument(t *testing.T) {
	t.Parallel()
	counted := jobs.SchedulerHealth{
		Status: "healthy", IsStarted: true, Stats: jobs.Stats{Total: 5, Scheduled: 1, Running: 1, Completed: 2, Failed: 1},
		Timestamp: web.Instant(time.UnixMilli(1e12)),
	}
	scheduler := func(context.Context) (jobs.SchedulerHealth, error) { return counted, nil }
	up := health.Parts{Database: ping(alive), DatabaseName: "etrainer", Target: mongodb.Target{Host: "db1:27018,db2:27019"}, Redis: alive, Subscribed: func() bool { return true }, Jobs: scheduler}
	with := func(change func(*health.Parts)) health.Parts {
		parts := up
		change(&parts)
		return parts
	}
	database := map[string]any{"readyState": 1.0, "name": "etrainer", "host": "db1", "port": 27018.0, "collections": 13.0, "fallback": false}
	away := map[string]any{"readyState": 0.0, "collections": 13.0, "fallback": false}
	running := map[string]any{
		"status": "healthy", "isStarted": true, "timestamp": "2001-09-09T01:46:40.000Z",
		"stats": map[string]any{"total": 5.0, "scheduled": 1.0, "running": 1.0, "completed": 2.0, "failed": 1.0},
	}
	unknown, counting := map[string]any{"status": "error"}, map[string]any{"status": "counting"}
	for name, test := range map[string]struct {
		parts           health.Parts
		status, message string
		database, jobs  map[string]any
		redis           string
		alone           string // what is not shared though Redis is ready
	}{
		"all is well": {up, "OK", "Server is healthy", database, running, "ready", ""},
		"an owner": {
			with(func(p *health.Parts) { p.HasAdmin = func(context.Context) (bool, error) { return true, nil } }), "OK", "Server is healthy", database, running, "ready", "",
		},
		"no owner": {
			with(func(p *health.Parts) { p.HasAdmin = func(context.Context) (bool, error) { return false, nil } }), "DEGRADED",
			"there is no administrator; run: api admin create EMAIL", database, running, "ready", "",
		},
		"owner not known": {
			with(func(p *health.Parts) {
				p.HasAdmin = func(ctx context.Context) (bool, error) { return false, dead(ctx) }
			}), "OK", "Server is healthy", database, running, "ready", "",
		},
		"under a parent":  {with(func(p *health.Parts) { p.Child = 2 }), "OK", "Server is healthy", database, running, "ready", ""},
		"without Redis":   {with(func(p *health.Parts) { p.Redis = nil }), "OK", "Server is healthy", database, running, "not_configured", ""},
		"Redis is away":   {with(func(p *health.Parts) { p.Redis = dead }), "DEGRADED", "Redis does not answer", database, running, "unavailable", ""},
		"Redis is mute":   {with(func(p *health.Parts) { p.Redis = hangs }), "DEGRADED", "Redis does not answer", database, running, "unavailable", ""},
		"default port":    {with(func(p *health.Parts) { p.Target.Host = "cluster0.example.net" }), "OK", "Server is healthy", map[string]any{"readyState": 1.0, "name": "etrainer", "host": "cluster0.example.net", "port": 27017.0, "collections": 13.0, "fallback": false}, running, "ready", ""},
		"database away":   {with(func(p *health.Parts) { p.Database = ping(dead) }), "DEGRADED", "the database does not answer", away, unknown, "ready", ""},
		"database mute":   {with(func(p *health.Parts) { p.Database = ping(hangs) }), "DEGRADED", "the database does not answer", away, unknown, "ready", ""},
		"not connected":   {with(func(p *health.Parts) { p.Database = nil }), "DEGRADED", "the database does not answer", away, unknown, "ready", ""},
		"nothing answers": {with(func(p *health.Parts) { p.Database, p.Redis = ping(hangs), hangs }), "DEGRADED", "the database does not answer; Redis does not answer", away, unknown, "unavailable", ""},
		"jobs unknown": {with(func(p *health.Parts) {
			p.Jobs = func(ctx context.Context) (jobs.SchedulerHealth, error) { return jobs.SchedulerHealth{}, hangs(ctx) }
		}), "OK", "Server is healthy", database, counting, "ready", ""},
		"jobs not read": {with(func(p *health.Parts) {
			p.Jobs = func(ctx context.Context) (jobs.SchedulerHealth, error) { return jobs.SchedulerHealth{}, dead(ctx) }
		}), "OK", "Server is healthy", database, unknown, "ready", ""},
		"on the fallback": {
			with(func(p *health.Parts) { p.Target.Fallback = true }), "DEGRADED", "Atlas did not answer at the start, and the fallback database is used",
			map[string]any{"readyState": 1.0, "name": "etrainer", "host": "db1", "port": 27018.0, "collections": 13.0, "fallback": true},
			running, "ready", "",
		},
		"cache alone": {
			with(func(p *health.Parts) { p.CacheDegraded = func() bool { return true } }), "DEGRADED",
			"Redis answers, and the cache is in memory alone", database, running, "ready", "cache",
		},
		"limits alone": {
			with(func(p *health.Parts) { p.LimitsShared = func(context.Context) bool { return false } }), "DEGRADED",
			"Redis answers, and each process counts limits for itself", database, running, "ready", "limits",
		},
		"sessions alone": {
			with(func(p *health.Parts) { p.Subscribed = func() bool { return false } }), "DEGRADED",
			"Redis answers, and does not tell of logouts in other processes", database, running, "ready", "sessions",
		},
		"not subscribed yet": {
			with(func(p *health.Parts) { p.Subscribed = nil }), "DEGRADED",
			"Redis answers, and does not tell of logouts in other processes", database, running, "ready", "sessions",
		},
		"all alone": {
			with(func(p *health.Parts) {
				p.Redis, p.CacheDegraded, p.LimitsShared = dead, func() bool { return true }, func(context.Context) bool { return false }
			}), "DEGRADED", "Redis does not answer", database, running, "unavailable", "cache limits",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			began := time.Now()
			status, body := ask(t, test.parts, "/health")
			if took := time.Since(began); took > 5*time.Second {
				t.Errorf("it took %v", took)
			}
			if status != 200 || body["status"] != test.status || body["message"] != test.message || body["environment"] != "traditional" {
				t.Errorf("%d %v", status, body)
			}
			if uptime, _ := body["uptime"].(float64); uptime < 60 || uptime > 120 {
				t.Errorf("uptime = %v seconds", body["uptime"])
			}
			var cluster any
			if test.parts.Child > 0 {
				cluster = map[string]any{"worker_id": "2", "pid": float64(os.Getpid())}
			}
			if got, there := body["cluster"]; !cmp.Equal(got, cluster) || !there {
				t.Errorf("cluster = %v, there: %v, want %v", got, there, cluster)
			}
			memory, _ := body["memory"].(map[string]any)
			if used, total := memory["used"], memory["total"]; used.(float64) <= 0 || used.(float64) > total.(float64) {
				t.Errorf("memory = %v", memory)
			}
			want := map[string]any{
				"database": test.database,
				"cache": map[string]any{
					"memory": map[string]any{"keys": 0.0, "hits": 0.0, "misses": 0.0, "hitRate": 0.0},
					"redis":  map[string]any{"status": test.redis}, "degraded": strings.Contains(test.alone, "cache"),
				},
				"jobScheduler": test.jobs,
				"cloudinary":   map[string]any{"status": "not_configured"},
				"limits":       map[string]any{"store": store(test.redis != "not_configured" && !strings.Contains(test.alone, "limits"), "memory"), "degraded": strings.Contains(test.alone, "limits")},
				"sessions":     map[string]any{"revocation": store(test.redis == "ready" && !strings.Contains(test.alone, "sessions"), "database"), "degraded": test.redis == "unavailable" || strings.Contains(test.alone, "sessions")},
			}
			if diff := cmp.Diff(want, body["services"]); diff != "" {
				t.Errorf("services (-want +got):\n%s", diff)
			}
		})
	}
}

// store is Redis or what there is without it.
func store(shared bool, without string) string {
	if shared {
		return "redis"
	}
	return without
}

// TestTheDatabaseIsAskedOnceForAll lets many ask at once.
func TestTheDatabaseIsAskedOnceForAll(t *testing.T) {
	t.Parallel()
	var pings atomic.Int64
	handler := health.NewHandler(health.Parts{
		Database: ping(func(context.Context) error { pings.Add(1); return errors.New("away") }),
		Draining: func() bool { return false }, Now: func() time.Time { return time.UnixMilli(1e12) }, Log: slog.New(slog.DiscardHandler),
	})
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() { get(t, handler, "/health") })
		all.Go(func() { get(t, handler, "/readyz") })
	}
	all.Wait()
	if n := pings.Load(); n != 1 {
		t.Errorf("the database was asked %d times, want once", n)
	}
}

// TestReadyFollowsTheDatabase: what is told is never older than a second.
func TestReadyFollowsTheDatabase(t *testing.T) {
	t.Parallel()
	clock, away := clockwork.NewFakeClock(), false
	handler := health.NewHandler(health.Parts{
		Database: ping(func(context.Context) error {
			if away {
				return errors.New("away")
			}
			return nil
		}),
		Draining: func() bool { return false }, Now: clock.Now, Log: slog.New(slog.DiscardHandler),
	})
	for i, step := range []struct {
		away  bool
		after time.Duration
		want  int
	}{
		{false, 0, 200}, {true, 999 * time.Millisecond, 200}, {true, time.Millisecond, 503}, {false, 999 * time.Millisecond, 503}, {false, time.Millisecond, 200},
	} {
		away = step.away
		clock.Advance(step.after)
		if status, body := get(t, handler, "/readyz"); status != step.want {
			t.Errorf("step %d: %d %v, want %d", i, status, body, step.want)
		}
	}
}

// TestALookOutlivesWhoAsked: others wait for it too.
func TestALookOutlivesWhoAsked(t *testing.T) {
	t.Parallel()
	handler := health.NewHandler(health.Parts{
		Database: ping(func(ctx context.Context) error { return ctx.Err() }),
		Now:      time.Now, Log: slog.New(slog.DiscardHandler),
	})
	gone, leave := context.WithCancel(t.Context())
	leave()
	if err := handler.Alive(gone); err != nil {
		t.Errorf("the database was asked in the time of one request: %v", err)
	}
}

// TestHealthOfTheWholeAPI uses the real queue.
func TestHealthOfTheWholeAPI(t *testing.T) {
	t.Parallel()
	api := apitest.Start(t, mongotest.Database(t), apitest.Options{})
	if reply := api.Get(t, "/health", ""); reply.JSON["status"] != "OK" || reply.At("services", "jobScheduler", "isStarted") != false {
		t.Errorf("without a worker: %s", reply.Text)
	}
	other := apitest.Start(t, mongotest.Database(t), apitest.Options{})
	for kind, lifetime := range map[fleet.Kind]time.Duration{fleet.API: time.Minute, fleet.Worker: time.Minute, "dead": -time.Minute} {
		now := time.Now()
		instance := fleet.Instance{ID: string(kind), Kind: kind, SeenAt: now, ExpiresAt: now.Add(lifetime)}
		if err := other.Registry.Register(t.Context(), instance); err != nil {
			t.Fatal(err)
		}
	}
	reply := other.Get(t, "/health", "")
	if reply.At("services", "jobScheduler", "isStarted") != true || reply.At("services", "jobScheduler", "stats", "total") != 0.0 || reply.At("services", "database", "port") != 27018.0 {
		t.Errorf("with a worker: %s", reply.Text)
	}
}
