package redislimit_test

import (
	"log/slog"
	"net/url"
	"testing"
	"time"

	"github.com/jonboulle/clockwork"

	"github.com/etrainer/backend/pkg/config"
	"github.com/etrainer/backend/pkg/limit"
	"github.com/etrainer/backend/pkg/limit/limittest"
	"github.com/etrainer/backend/pkg/limit/redislimit"
	"github.com/etrainer/backend/pkg/mongodb/mongotest"
	"github.com/etrainer/backend/pkg/outagetest"
	"github.com/etrainer/backend/pkg/redis"
)

func TestMain(m *testing.M) { mongotest.Main(m) }

func open(t *testing.T, address string) *redis.Client {
	t.Helper()
	client, err := redis.Env{URL: config.Secret(address)}.Open()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	return client
}

func TestConformance(t *testing.T) {
	t.Parallel()
	client := open(t, mongotest.RedisURL(t))
	limittest.Run(t, func(_ *testing.T, clock clockwork.Clock) limit.Store {
		return redislimit.NewWithClock(client, clock.Now)
	})
}

// TestBatchedConformance has the store behind what takes ahead of it, as the api
// has.
func TestBatchedConformance(t *testing.T) {
	t.Parallel()
	client := open(t, mongotest.RedisURL(t))
	limittest.Run(t, func(_ *testing.T, clock clockwork.Clock) limit.Store {
		return limit.NewBatched(redislimit.NewWithClock(client, clock.Now), clock)
	})
}

// TestSharedByTheClockOfRedis has two replicas, and waits out a window.
func TestSharedByTheClockOfRedis(t *testing.T) {
	t.Parallel()
	rule := limit.Rule{Name: mongotest.Name(t), Max: 2, Window: 3 * time.Second}
	first := limit.New(redislimit.New(open(t, mongotest.RedisURL(t))), rule)
	second := limit.New(redislimit.New(open(t, mongotest.RedisURL(t))), rule)
	for _, limiter := range []*limit.Limiter{first, second, first} {
		if err := limiter.Wait(t.Context(), "k", 1); err != nil {
			t.Fatal(err)
		}
	}
	keys, err := open(t, mongotest.RedisURL(t)).Keys(t.Context(), "etrainer:limit:"+rule.Name+":*").Result()
	if err != nil || len(keys) != 1 {
		t.Fatalf("keys %v, %v", keys, err)
	}
	if left := open(t, mongotest.RedisURL(t)).PTTL(t.Context(), keys[0]).Val(); left <= 0 || left > rule.Window {
		t.Errorf("the key expires in %v", left)
	}
}

// TestOutage takes Redis away under a limiter, and gives it back.
func TestOutage(t *testing.T) {
	t.Parallel()
	address, err := url.Parse(mongotest.RedisURL(t))
	if err != nil {
		t.Fatal(err)
	}
	proxy := outagetest.New(t, address.Host)
	address.Host = proxy.Address()
	client := open(t, address.String())
	store := limit.NewFallback(redislimit.New(client), limit.NewMemory(time.Now), slog.New(slog.DiscardHandler))
	limiter := limit.New(store, limit.Rule{Name: mongotest.Name(t), Max: 1_000_000, Window: time.Hour})
	until := func(degraded bool) {
		t.Helper()
		for deadline := time.Now().Add(30 * time.Second); ; {
			if result, err := limiter.Take(t.Context(), "k", 1); err != nil || !result.Allowed {
				t.Fatalf("%+v, %v", result, err)
			}
			if store.Degraded() == degraded {
				return
			}
			if time.Now().After(deadline) {
				t.Fatalf("degraded is not %t", degraded)
			}
		}
	}
	until(false)
	proxy.Cut()
	until(true)
	proxy.Restore()
	until(false)
	proxy.Freeze()
	until(true)
	proxy.Restore()
	until(false)
}
