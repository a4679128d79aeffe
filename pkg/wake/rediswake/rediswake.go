// Package rediswake carries wake signals over Redis publish/subscribe. When
// Redis is away nothing fails: signals are lost, Connected turns false, and
// workers poll at their shortest interval until it is back.
package rediswake

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/etrainer/backend/pkg/lifecycle"
	"github.com/etrainer/backend/pkg/wake"
)

// channelPrefix begins the name of every channel; the name of the queue
// follows, so that queues in different databases can share one Redis.
const channelPrefix = "etrainer:wake:"

// publishTimeout bounds how long an enqueue waits for a Redis that hangs.
const publishTimeout = 250 * time.Millisecond

// pingEvery is how often a silent subscription is checked to be alive. One
// that has not answered by the next check is dead.
const pingEvery = 3 * time.Second

// rejoinAfter is the pause before a subscription that broke is made anew.
const rejoinAfter = time.Second

var errNoAnswer = errors.New("redis does not answer")

// Publisher implements wake.Publisher.
type Publisher struct {
	client  redis.UniversalClient
	channel string
}

// NewPublisher returns a Publisher for the queue of that name: that of its
// database. Publishers and subscribers of one queue must agree on it.
func NewPublisher(client redis.UniversalClient, queue string) *Publisher {
	return &Publisher{client: client, channel: channelPrefix + queue}
}

// Publish implements wake.Publisher. It waits at most a quarter of a second.
func (p *Publisher) Publish(ctx context.Context, signal wake.Signal) error {
	text, err := json.Marshal(signal)
	if err != nil {
		return fmt.Errorf("encode signal: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, publishTimeout)
	defer cancel()
	if err := p.client.Publish(ctx, p.channel, text).Err(); err != nil {
		return fmt.Errorf("publish signal: %w", err)
	}
	return nil
}

// Subscriber implements wake.Subscriber, and lifecycle.Service by its Loop:
// Start does not wait for Redis, and one that is away is joined when it comes
// back.
type Subscriber struct {
	*lifecycle.Loop
	client    redis.UniversalClient
	channel   string
	log       *slog.Logger
	signals   chan wake.Signal
	connected atomic.Bool
}

// NewSubscriber returns a Subscriber of the queue of that name, not started.
func NewSubscriber(client redis.UniversalClient, queue string, log *slog.Logger) *Subscriber {
	s := &Subscriber{client: client, channel: channelPrefix + queue, log: log, signals: make(chan wake.Signal, 64)}
	s.Loop = lifecycle.NewLoop("wake subscription", s.run)
	return s
}

// Signals implements wake.Subscriber.
func (s *Subscriber) Signals() <-chan wake.Signal { return s.signals }

// Connected implements wake.Subscriber.
func (s *Subscriber) Connected() bool { return s.connected.Load() }

func (s *Subscriber) run(ctx context.Context) error {
	defer s.connected.Store(false)
	for ctx.Err() == nil {
		s.lost(ctx, s.listen(ctx))
	}
	return nil
}

// listen receives from one connection until it breaks, and tells why.
func (s *Subscriber) listen(ctx context.Context) error {
	pubsub := s.client.Subscribe(ctx, s.channel)
	closing := func() { _ = pubsub.Close() }
	defer context.AfterFunc(ctx, closing)() // a receive does not notice the end of ctx
	defer closing()
	asked := false // a ping is out, and nothing has come since
	for {
		message, err := pubsub.ReceiveTimeout(ctx, pingEvery)
		switch {
		case err == nil:
			asked = false
			s.heard(message)
		case !isTimeout(err):
			return err
		case asked:
			return errNoAnswer
		default:
			if err := pubsub.Ping(ctx); err != nil {
				return err
			}
			asked = true
		}
	}
}

func (s *Subscriber) heard(message any) {
	if !s.connected.Swap(true) {
		s.log.Info("wake-ups by redis are on", slog.String("channel", s.channel))
		s.deliver(wake.Signal{Kind: wake.Due}) // whatever was announced meanwhile went unheard
	}
	text, ok := message.(*redis.Message)
	if !ok {
		return // a confirmation or a pong
	}
	var signal wake.Signal
	if err := json.Unmarshal([]byte(text.Payload), &signal); err != nil {
		s.log.Warn("wake signal is not readable", slog.Any("error", err))
		return
	}
	s.deliver(signal)
}

func (s *Subscriber) deliver(signal wake.Signal) {
	select {
	case s.signals <- signal:
	default: // the receiver has enough signals to look at everything anyway
	}
}

func (s *Subscriber) lost(ctx context.Context, err error) {
	if ctx.Err() != nil {
		return
	}
	if s.connected.Swap(false) {
		s.log.WarnContext(ctx, "wake-ups by redis are off; polling instead", slog.Any("error", err))
	}
	timer := time.NewTimer(rejoinAfter)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}

func isTimeout(err error) bool {
	timeout, ok := errors.AsType[net.Error](err)
	return ok && timeout.Timeout()
}
