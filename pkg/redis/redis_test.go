package redis_test

import (
	"strings"
	"testing"
	"time"

	"github.com/etrainer/backend/pkg/config"
	"github.com/etrainer/backend/pkg/mongodb/mongotest"
	"github.com/etrainer/backend/pkg/redis"
)

func TestMain(m *testing.M) { mongotest.Main(m) }

func TestOptions(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		title              string
		env                redis.Env
		address, password  string
		database           int
		encrypted, offered bool
	}{
		{"nothing", redis.Env{Port: 6379}, ":6379", "", 0, false, false},
		{"host and port", redis.Env{Host: "cache", Port: 6380, Password: config.Secret("p")}, "cache:6380", "p", 0, false, true},
		{"IPv6", redis.Env{Host: "::1", Port: 6379}, "[::1]:6379", "", 0, false, true},
		{"an address", redis.Env{URL: config.Secret("redis://:p%40ss@cache:6380/3")}, "cache:6380", "p@ss", 3, false, true},
		{"TLS", redis.Env{URL: config.Secret("rediss://cache")}, "cache:6379", "", 0, true, true},
		{"the address comes before the host", redis.Env{URL: config.Secret("redis://first"), Host: "second", Port: 1}, "first:6379", "", 0, false, true},
	} {
		t.Run(c.title, func(t *testing.T) {
			t.Parallel()
			if got := c.env.Configured(); got != c.offered {
				t.Errorf("configured is %t, want %t", got, c.offered)
			}
			got, err := c.env.Options()
			if err != nil {
				t.Fatal(err)
			}
			if got.Addr != c.address || got.Password != c.password || got.DB != c.database || (got.TLSConfig != nil) != c.encrypted {
				t.Errorf("address %s, password %q, database %d, TLS %t", got.Addr, got.Password, got.DB, got.TLSConfig != nil)
			}
			if !got.ContextTimeoutEnabled || got.DialTimeout > 5*time.Second {
				t.Errorf("a Redis that hangs is not bounded: %t, %s", got.ContextTimeoutEnabled, got.DialTimeout)
			}
		})
	}
}

func TestAddressThatIsNone(t *testing.T) {
	t.Parallel()
	env := redis.Env{URL: config.Secret("http://:hunter2@cache")}
	_, err := env.Options()
	if err == nil || !strings.HasPrefix(err.Error(), "REDIS_URL is not a Redis address") || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("the error is %v", err)
	}
	if client, err := env.Open(); client != nil || err == nil {
		t.Errorf("Open gave %v, %v", client, err)
	}
}

func TestOpen(t *testing.T) {
	t.Parallel()
	if client, err := (redis.Env{Port: 6379}).Open(); client != nil || err != nil {
		t.Errorf("without a Redis, Open gave %v, %v; want neither", client, err)
	}
	client, err := redis.Env{URL: config.Secret(mongotest.RedisURL(t))}.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if answer, err := client.Ping(t.Context()).Result(); answer != "PONG" || err != nil {
		t.Errorf("ping: %q, %v", answer, err)
	}
}

// The documentation says that Open does not connect.
func TestOpenDoesNotConnect(t *testing.T) {
	t.Parallel()
	client, err := redis.Env{URL: config.Secret("redis://127.0.0.1:1")}.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if err := client.Ping(t.Context()).Err(); err == nil {
		t.Error("somebody answers at port 1")
	}
}
