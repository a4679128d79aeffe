// Package redis opens the Redis that the processes share for wake-ups and
// caches. Redis is never required: a process without one polls, and keeps its
// caches to itself.
package redis

import (
	"fmt"
	"net"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/etrainer/backend/pkg/config"
)

// Client is a connection pool.
type Client = redis.Client

// Env is how a process is told of its Redis; embed it in a config struct. The
// names are those of the Node backend, whose code read REDIS_HOST and whose
// deployment files set REDIS_URL. The URL comes first.
type Env struct {
	URL      config.Secret `env:"REDIS_URL" help:"address of Redis, or rediss:// for TLS: it wakes the workers at once and is the api's cache; without it and REDIS_HOST workers poll, and each api has a cache of its own" example:"redis://:password@host:6379/0" production:""`
	Host     string        `env:"REDIS_HOST" help:"host of Redis when REDIS_URL is not set" example:"127.0.0.1"`
	Port     int           `env:"REDIS_PORT" envDefault:"6379" help:"port of Redis when REDIS_URL is not set" unit:"port" example:"6380"`
	Password config.Secret `env:"REDIS_PASSWORD" help:"password of Redis when REDIS_URL is not set" example:"what openssl rand -hex 24 prints"`
}

// Configured reports whether there is a Redis.
func (e Env) Configured() bool { return e.URL.Reveal() != "" || e.Host != "" }

// Options turns Env into options of the client. The error names the variable
// and never holds the password.
func (e Env) Options() (*redis.Options, error) {
	options := &redis.Options{Addr: net.JoinHostPort(e.Host, strconv.Itoa(e.Port)), Password: e.Password.Reveal()}
	if url := e.URL.Reveal(); url != "" {
		var err error
		if options, err = redis.ParseURL(url); err != nil {
			return nil, fmt.Errorf("REDIS_URL is not a Redis address; write it as redis://:password@host:6379/0")
		}
	}
	// Without this a context's deadline does not bound the wait for an answer.
	options.ContextTimeoutEnabled = true
	options.DialTimeout = 2 * time.Second
	// A refused connection is not tried five times over half a second, which is
	// the driver's default: the breaker decides when to try again.
	options.DialerRetries = 1
	options.MaxRetries = 1
	return options, nil
}

// Open returns a client; nil without an error when no Redis is configured.
// It does not connect: a Redis that is away is joined when it comes back.
// While it is away, commands fail at once with ErrAway, except one a second.
func (e Env) Open() (*Client, error) {
	if !e.Configured() {
		return nil, nil
	}
	options, err := e.Options()
	if err != nil {
		return nil, err
	}
	client := redis.NewClient(options)
	client.AddHook(newBreaker())
	return client, nil
}
