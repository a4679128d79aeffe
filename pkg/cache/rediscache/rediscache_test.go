package rediscache_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/etrainer/backend/pkg/cache"
	"github.com/etrainer/backend/pkg/cache/cachetest"
	"github.com/etrainer/backend/pkg/cache/rediscache"
	"github.com/etrainer/backend/pkg/lifecycle"
	"github.com/etrainer/backend/pkg/lifecycle/lifecycletest"
	"github.com/etrainer/backend/pkg/mongodb/mongotest"
	"github.com/etrainer/backend/pkg/outagetest"
)

func TestMain(m *testing.M) { mongotest.Main(m) }

// patience is how long a test waits for what must happen, and for each call on
// a machine that is busy.
const patience = 30 * time.Second

// connect returns a client of the shared Redis, or of what stands before it.
func connect(t *testing.T, address string) *redis.Client {
	t.Helper()
	options, err := redis.ParseURL(mongotest.RedisURL(t))
	if err != nil {
		t.Fatal(err)
	}
	if address != "" {
		options.Addr = address
	}
	options.ContextTimeoutEnabled, options.DialTimeout, options.MaxRetries = true, time.Second, 1
	client := redis.NewClient(options)
	t.Cleanup(func() { _ = client.Close() })
	return client
}

func redisHost(t *testing.T) string {
	t.Helper()
	options, err := redis.ParseURL(mongotest.RedisURL(t))
	if err != nil {
		t.Fatal(err)
	}
	return options.Addr
}

func TestConformance(t *testing.T) {
	t.Parallel()
	cachetest.Run(t, func(t *testing.T) cache.Cache {
		return rediscache.New(connect(t, ""), mongotest.Name(t)+"*[:", patience)
	})
}

// Clear must not touch what others keep in the same Redis, whatever signs the
// prefix has.
func TestClearRemovesOnlyItsPrefix(t *testing.T) {
	t.Parallel()
	client, base := connect(t, ""), mongotest.Name(t)
	mine, other := rediscache.New(client, base+"?:", patience), rediscache.New(client, base+"x:", patience)
	for _, c := range []cache.Cache{mine, other} {
		if err := c.Set(t.Context(), "a", []byte("1"), time.Minute); err != nil {
			t.Fatal(err)
		}
	}
	if err := mine.Clear(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := mine.Get(t.Context(), "a"); err == nil {
		t.Error("it is still there")
	}
	if _, err := other.Get(t.Context(), "a"); err != nil {
		t.Errorf("another prefix: %v", err)
	}
}

// listen returns what a listener is told.
func listen(t *testing.T, c *rediscache.Cache) <-chan cache.Notice {
	t.Helper()
	notices := make(chan cache.Notice, 100)
	listener := rediscache.NewListener(c, func(_ context.Context, n cache.Notice) { notices <- n }, nil)
	if err := listener.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := listener.Stop(context.Background()); err != nil {
			t.Errorf("Stop: %v", err)
		}
	})
	return notices
}

func next(t *testing.T, notices <-chan cache.Notice) cache.Notice {
	t.Helper()
	select {
	case n := <-notices:
		return n
	case <-time.After(patience):
		t.Fatal("no notice came")
		return cache.Notice{}
	}
}

func TestOtherProcessesForget(t *testing.T) {
	t.Parallel()
	prefix := mongotest.Name(t)
	here, there := rediscache.New(connect(t, ""), prefix, patience), rediscache.New(connect(t, ""), prefix, patience)
	notices := listen(t, there)
	if n := next(t, notices); !n.All {
		t.Errorf("the first notice is %+v, want to forget everything", n)
	}
	if err := here.Set(t.Context(), "a", nil, time.Minute); err != nil {
		t.Fatal(err)
	}
	if err := here.Delete(t.Context(), "a", "b"); err != nil {
		t.Fatal(err)
	}
	if n := next(t, notices); len(n.Keys) != 2 || n.Keys[0] != "a" || n.Keys[1] != "b" || n.All {
		t.Errorf("after Delete: %+v", n)
	}
	if err := here.Clear(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := next(t, notices); !n.All {
		t.Errorf("after Clear: %+v", n)
	}
}

// A connection that broke may have cost notices.
func TestEverythingIsForgottenAfterACut(t *testing.T) {
	t.Parallel()
	proxy := outagetest.New(t, redisHost(t))
	notices := listen(t, rediscache.New(connect(t, proxy.Address()), mongotest.Name(t), patience))
	next(t, notices)
	proxy.Cut()
	proxy.Restore()
	if n := next(t, notices); !n.All {
		t.Errorf("after a cut: %+v", n)
	}
}

// What is not heard must not be taken for heard.
func TestSubscribed(t *testing.T) {
	t.Parallel()
	proxy := outagetest.New(t, redisHost(t))
	listener := rediscache.NewListener(rediscache.New(connect(t, proxy.Address()), mongotest.Name(t), patience), func(context.Context, cache.Notice) {}, nil)
	until := func(what string, want bool) {
		t.Helper()
		tick := time.NewTicker(5 * time.Millisecond)
		defer tick.Stop()
		for deadline := time.Now().Add(patience); listener.Subscribed() != want; <-tick.C {
			if time.Now().After(deadline) {
				t.Fatalf("%s: subscribed is not %t", what, want)
			}
		}
	}
	until("not started", false)
	if err := listener.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	until("started", true)
	proxy.Cut()
	until("cut", false)
	proxy.Restore()
	until("restored", true)
	proxy.Freeze()
	until("frozen", false)
	if err := listener.Stop(t.Context()); err != nil {
		t.Errorf("Stop: %v", err)
	}
	until("stopped", false)
}

// A Redis that hangs costs no more than the timeout, though no deadline is in
// the caller's context.
func TestAHangingRedisIsBounded(t *testing.T) {
	t.Parallel()
	proxy := outagetest.New(t, redisHost(t))
	c := rediscache.New(connect(t, proxy.Address()), mongotest.Name(t), 100*time.Millisecond)
	proxy.Freeze()
	defer proxy.Restore()
	began := time.Now()
	if _, err := c.Get(context.WithoutCancel(t.Context()), "a"); err == nil {
		t.Error("a frozen Redis answered")
	}
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("it took %s", took)
	}
	layer, _ := c.Stats(t.Context()).Layer(cache.LayerRedis)
	if layer.Available || layer.Errors == 0 {
		t.Errorf("stats: %+v", layer)
	}
}

func TestListenerIsAService(t *testing.T) {
	t.Parallel()
	client := connect(t, "")
	lifecycletest.Stress(t, func() lifecycle.Service {
		return rediscache.NewListener(rediscache.New(client, mongotest.Name(t), patience), func(context.Context, cache.Notice) {}, nil)
	})
}

// told is a hook that answers INFO in place of the server.
type told struct{ info string }

func (told) DialHook(next redis.DialHook) redis.DialHook { return next }

func (told) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

func (h told) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		text, ok := cmd.(*redis.StringCmd)
		if !ok || cmd.Name() != "info" {
			return next(ctx, cmd)
		}
		if h.info == "" {
			return errors.New("ERR unknown command")
		}
		text.SetVal(h.info)
		return nil
	}
}

// The server tells what it has evicted of all its users. What it does not tell is
// not known, and not nothing.
func TestEvictionsAreThoseOfTheServer(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		info string
		want int64
	}{
		"some":         {"# Stats\r\nexpired_keys:7\r\nevicted_keys:12\r\nkeyspace_hits:3\r\n", 12},
		"none":         {"# Stats\r\nevicted_keys:0\r\n", 0},
		"not told":     {"# Stats\r\nexpired_keys:7\r\n", -1},
		"no number":    {"# Stats\r\nevicted_keys:many\r\n", -1},
		"refused":      {"", -1},
		"another name": {"# Stats\r\ntotal_evicted_keys:5\r\n", -1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client := connect(t, "")
			client.AddHook(told{test.info})
			stats := rediscache.New(client, mongotest.Name(t), patience).Stats(t.Context())
			layer, _ := stats.Layer(cache.LayerRedis)
			if layer.Evictions != test.want || !layer.EvictionsOfServer || !layer.Available {
				t.Errorf("evictions %d of the server %t, want %d: %+v", layer.Evictions, layer.EvictionsOfServer, test.want, layer)
			}
			if total := stats.Total().Evictions; total != 0 {
				t.Errorf("%d of them count as ours", total)
			}
		})
	}
}
