package rediscache

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net"
	"sync/atomic"
	"time"

	"github.com/jonboulle/clockwork"
	"github.com/redis/go-redis/v9"

	"github.com/etrainer/backend/pkg/cache"
	"github.com/etrainer/backend/pkg/lifecycle"
)

// pingEvery is how often a silent subscription is checked to be alive, and
// rejoinAfter the pause before one that broke is made anew.
const (
	pingEvery   = 3 * time.Second
	rejoinAfter = time.Second
)

var errNoAnswer = errors.New("redis does not answer")

// Listener passes on what other processes delete and clear. It is a
// lifecycle.Service: Start does not wait for Redis.
type Listener struct {
	*lifecycle.Loop
	cache  *Cache
	forget func(context.Context, cache.Notice)
	log    *slog.Logger
	clock  clockwork.Clock
	joined atomic.Bool
}

// NewListener returns a Listener that is not started. forget is called with each
// notice, and to forget everything whenever the connection was made anew:
// notices may have been missed.
func NewListener(c *Cache, forget func(context.Context, cache.Notice), log *slog.Logger) *Listener {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	l := &Listener{cache: c, forget: forget, log: log, clock: clockwork.NewRealClock()}
	l.Loop = lifecycle.NewLoop("cache listener", l.run)
	return l
}

// Subscribed reports whether notices arrive at present.
func (l *Listener) Subscribed() bool { return l.joined.Load() }

func (l *Listener) run(ctx context.Context) error {
	for ctx.Err() == nil {
		err := l.listen(ctx)
		l.log.DebugContext(ctx, "notices of the cache are not heard", slog.Any("error", err))
		select {
		case <-ctx.Done():
		case <-l.clock.After(rejoinAfter):
		}
	}
	return nil
}

// listen receives from one connection until it breaks, and tells why.
func (l *Listener) listen(ctx context.Context) error {
	subscription := l.cache.client.Subscribe(ctx, l.cache.channel())
	closing := func() { _ = subscription.Close() }
	defer context.AfterFunc(ctx, closing)() // a receive does not notice the end of ctx
	defer closing()
	defer l.joined.Store(false)
	asked := false // a ping is out, and nothing has come since
	for {
		message, err := subscription.ReceiveTimeout(ctx, pingEvery)
		switch {
		case err == nil:
			asked = false
			l.heard(ctx, message)
		case !isTimeout(err):
			return err
		case asked:
			return errNoAnswer
		default:
			if err := subscription.Ping(ctx); err != nil {
				return err
			}
			asked = true
		}
	}
}

func (l *Listener) heard(ctx context.Context, message any) {
	switch message := message.(type) {
	case *redis.Subscription:
		l.forget(ctx, cache.Notice{All: true})
		l.joined.Store(message.Kind == "subscribe")
	case *redis.Message:
		var notice cache.Notice
		if err := json.Unmarshal([]byte(message.Payload), &notice); err != nil {
			l.log.WarnContext(ctx, "notice of the cache is not readable", slog.Any("error", err))
			notice = cache.Notice{All: true}
		}
		l.forget(ctx, notice)
	}
}

func isTimeout(err error) bool {
	timeout, ok := errors.AsType[net.Error](err)
	return ok && timeout.Timeout()
}
