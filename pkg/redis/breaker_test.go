package redis_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/etrainer/backend/pkg/config"
	"github.com/etrainer/backend/pkg/mongodb/mongotest"
	"github.com/etrainer/backend/pkg/outagetest"
	"github.com/etrainer/backend/pkg/redis"
)

func throughProxy(t *testing.T) (*redis.Client, *outagetest.Proxy) {
	t.Helper()
	address, err := url.Parse(mongotest.RedisURL(t))
	if err != nil {
		t.Fatal(err)
	}
	proxy := outagetest.New(t, address.Host)
	address.Host = proxy.Address()
	client, err := redis.Env{URL: config.Secret(address.String())}.Open()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	return client, proxy
}

// ping asks for a sign of life within a time that a request would wait.
func ping(t *testing.T, client *redis.Client) error {
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	return client.Ping(ctx).Err()
}

// eventually asks again until the answer is the wanted one.
func eventually(t *testing.T, what string, good func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !good(); {
		if time.Now().After(deadline) {
			t.Fatalf("never: %s", what)
		}
	}
}

// TestAwayFailsAtOnce freezes Redis, which refuses nothing and answers nothing.
func TestAwayFailsAtOnce(t *testing.T) {
	t.Parallel()
	client, proxy := throughProxy(t)
	eventually(t, "an answer", func() bool { return ping(t, client) == nil })
	for name, outage := range map[string]func(){"cut": proxy.Cut, "frozen": proxy.Freeze} {
		outage()
		eventually(t, name+": ErrAway", func() bool { return errors.Is(ping(t, client), redis.ErrAway) })
		pipe := client.Pipeline()
		get := pipe.Get(t.Context(), "k")
		// One command a second is let through, and it may be this one.
		if _, err := pipe.Exec(t.Context()); err == nil || get.Err() == nil {
			t.Errorf("%s: a pipeline gave %v, its command %v", name, err, get.Err())
		}
		proxy.Restore()
		eventually(t, name+": it is back", func() bool { return ping(t, client) == nil })
	}
}

// TestAnswersAreNoOutage: an error reply, a missing key and a caller that gives
// up leave the breaker closed.
func TestAnswersAreNoOutage(t *testing.T) {
	t.Parallel()
	client, _ := throughProxy(t)
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	late, cancel := context.WithTimeout(t.Context(), 0)
	defer cancel()
	eventually(t, "an answer", func() bool { return ping(t, client) == nil })
	for range 10 {
		_ = client.Get(t.Context(), "no such key").Err()
		_ = client.Do(t.Context(), "NO-SUCH-COMMAND").Err()
		_ = client.Ping(gone).Err()
	}
	if err := ping(t, client); errors.Is(err, redis.ErrAway) {
		t.Errorf("after answers: %v", err)
	}
	for range 10 { // in a row, as failures must be that open it
		if err := client.Ping(late).Err(); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("without time: %v", err)
		}
		pipe := client.Pipeline()
		get := pipe.Get(late, "k")
		if _, err := pipe.Exec(late); err == nil || get.Err() == nil {
			t.Errorf("a pipeline without time gave %v, its command %v", err, get.Err())
		}
	}
	if err := ping(t, client); errors.Is(err, redis.ErrAway) {
		t.Errorf("after callers without time: %v", err)
	}
}

// TestDriverLog reads what the driver says. It is
// not parallel: the driver has one logger.
//
//nolint:paralleltest // it sets what all clients share
func TestDriverLog(t *testing.T) {
	var text bytes.Buffer
	redis.LogTo(slog.New(slog.NewTextHandler(&text, &slog.HandlerOptions{Level: slog.LevelDebug})))
	t.Cleanup(func() { redis.LogTo(slog.New(slog.DiscardHandler)) })
	client, err := redis.Env{Host: "127.0.0.1", Port: 1}.Open()
	if err != nil {
		t.Fatal(err)
	}
	if err := ping(t, client); err == nil {
		t.Error("a Redis on port 1 answered")
	}
	_ = client.Set(t.Context(), "k", "v", time.Nanosecond) // too short for Redis, says the driver
	_ = client.Close()
	if !strings.Contains(text.String(), `level=DEBUG msg="redis driver" detail="specified duration is 1ns`) {
		t.Errorf("the log has %q", text.String())
	}
}
