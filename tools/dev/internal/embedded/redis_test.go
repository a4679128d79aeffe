package embedded_test

import (
	"errors"
	"net"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/etrainer/backend/tools/dev/internal/embedded"
)

func startRedis(t *testing.T, port int) (*embedded.Redis, *redis.Client) {
	t.Helper()

	r, err := embedded.StartRedis(port)
	if err != nil {
		t.Fatal(err)
	}

	t.Cleanup(r.Stop)

	o, err := redis.ParseURL(r.URL())
	if err != nil {
		t.Fatal(err)
	}

	c := redis.NewClient(o)
	t.Cleanup(func() { _ = c.Close() })

	return r, c
}

func TestRedisKeysExpire(t *testing.T) {
	t.Parallel()

	_, c := startRedis(t, 0)
	ctx := t.Context()

	const life = 300 * time.Millisecond

	began := time.Now()
	if err := c.Set(ctx, "short", "x", life).Err(); err != nil {
		t.Fatal(err)
	}

	if err := c.Set(ctx, "long", "x", time.Hour).Err(); err != nil {
		t.Fatal(err)
	}

	for {
		err := c.Get(ctx, "short").Err()
		if errors.Is(err, redis.Nil) {
			break
		}

		if err != nil {
			t.Fatal(err)
		}

		if time.Since(began) > 10*time.Second {
			t.Fatal("the key does not expire")
		}
	}

	// One tick early is the most: the clock moves in ticks that began before the key.
	if lived := time.Since(began); lived < life-25*time.Millisecond {
		t.Errorf("the key lived %v, want %v", lived, life)
	}

	if left := c.TTL(ctx, "long").Val(); left <= 0 || left > time.Hour {
		t.Errorf("the other key lives %v more", left)
	}
}

func TestRedisTakenPortIsReplaced(t *testing.T) {
	t.Parallel()

	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()

	port := taken.Addr().(*net.TCPAddr).Port

	r, c := startRedis(t, port)
	if r.Port() == port {
		t.Errorf("the engine claims port %d, which is taken", port)
	}

	if err := c.Ping(t.Context()).Err(); err != nil {
		t.Error(err)
	}

	r.Stop()
	r.Stop()

	if again, _ := startRedis(t, r.Port()); again.Port() != r.Port() {
		t.Errorf("the engine took port %d though %d is free", again.Port(), r.Port())
	}
}
