// Package rediswake carries wake signals over Redis publish/subscribe. When
// Redis is away nothing fails: signals are lost, Connected turns false, and
// workers poll at their shortest interval until it is back.
package rediswake

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/etrainer/backend/pkg/wake"
)

// channelPrefix begins the name of every channel; the name of the queue
// follows, so that queues in different databases can share one Redis.
const channelPrefix = "etrainer:wake:"

// publishTimeout bounds how long an enqueue waits for a Redis that hangs.
const publishTimeout = 250 * time.Millisecond

// pingEvery is how often a silent subscription is checked to be alive.
const pingEvery = 3 * time.Second

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

// Subscriber implements wake.Subscriber and lifecycle.Service.
type Subscriber struct {
	client    redis.UniversalClient
	channel   string
	log       *slog.Logger
	signals   chan wake.Signal
	connected atomic.Bool
	cancel    context.CancelFunc
	done      chan struct{}
}

// NewSubscriber returns a Subscriber, which is not started, for the queue of
// that name.
func NewSubscriber(client redis.UniversalClient, queue string, log *slog.Logger) *Subscriber {
	return &Subscriber{client: client, channel: channelPrefix + queue, log: log, signals: make(chan wake.Signal, 64)}
}

// Start begins to listen. It does not wait for Redis: one that is away is
// joined when it comes back.
func (s *Subscriber) Start(ctx context.Context) error {
	if s.cancel != nil {
		return nil
	}
	// The subscription outlives the context of the start.
	ctx, s.cancel = context.WithCancel(context.WithoutCancel(ctx))
	s.done = make(chan struct{})
	go s.listen(ctx)
	return nil
}

// Stop ends the subscription and waits for it.
func (s *Subscriber) Stop(ctx context.Context) error {
	if s.cancel == nil {
		return nil
	}
	s.cancel()
	select {
	case <-s.done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("stop wake subscription: %w", context.Cause(ctx))
	}
}

// Signals implements wake.Subscriber.
func (s *Subscriber) Signals() <-chan wake.Signal { return s.signals }

// Connected implements wake.Subscriber.
func (s *Subscriber) Connected() bool { return s.connected.Load() }

func (s *Subscriber) listen(ctx context.Context) {
	defer close(s.done)
	pubsub := s.client.Subscribe(ctx, s.channel)
	defer func() { _ = pubsub.Close() }()
	for ctx.Err() == nil {
		message, err := pubsub.ReceiveTimeout(ctx, pingEvery)
		switch {
		case err == nil:
			s.heard(message)
		case isTimeout(err) && pubsub.Ping(ctx) == nil:
			// Silence is fine as long as the ping goes out; a dead connection
			// shows itself with the next receive.
		default:
			s.lost(ctx, err)
		}
	}
	s.connected.Store(false)
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
		s.log.Warn("wake-ups by redis are off; polling instead", slog.Any("error", err))
	}
	timer := time.NewTimer(time.Second)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}

func isTimeout(err error) bool {
	timeout, ok := err.(interface{ Timeout() bool })
	return ok && timeout.Timeout()
}
