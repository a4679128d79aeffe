package mongodb

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/etrainer/backend/pkg/lifecycle"
)

const (
	// firstMeasures is how often Start asks: the quickest answer is the most
	// precise one.
	firstMeasures = 5
	// measureEvery is how often a ServerClock asks by itself, where nobody calls
	// Measure.
	measureEvery = time.Minute
	// measureTimeout bounds one such question.
	measureTimeout = 5 * time.Second
	// doubtPause is the time between the questions of a clock in doubt, after
	// the first two.
	doubtPause = time.Second
)

// ServerClock tells the server's time, so that processes with different clocks
// agree about it: leases and due times are compared between machines. What it
// tells goes on by the monotonic clock of this machine, so a step of the time of
// day changes nothing.
//
// It is a lifecycle.Service; Start measures before it returns.
type ServerClock struct {
	*lifecycle.Loop
	client *Client
	log    *slog.Logger
	read   func() Reading
	doubts chan struct{} // has one element when a doubt is to be settled

	trusted atomic.Pointer[measure] // by which Now tells the time

	mu       sync.Mutex
	measured bool     // trusted is the server's, and not a guess
	last     *measure // the newest, if its time can be compared with the next
	seen     Reading  // when the clocks of this machine were compared last
	inDoubt  bool     // until two measures in a row agree
	told     bool     // the log tells of the doubt
}

// ClockOption changes a ServerClock.
type ClockOption func(*ServerClock)

// WithReadings replaces the clocks of the machine, for tests that step one of
// them.
func WithReadings(read func() Reading) ClockOption { return func(c *ServerClock) { c.read = read } }

// NewServerClock returns a clock that is not started: until then it tells the
// time of this machine.
func NewServerClock(client *Client, log *slog.Logger, options ...ClockOption) *ServerClock {
	c := &ServerClock{client: client, log: log, read: readingsOf(client.clock), doubts: make(chan struct{}, 1), inDoubt: true}
	for _, option := range options {
		option(c)
	}
	c.seen = c.read()
	c.trusted.Store(&measure{zero: c.seen.Wall.Add(-c.seen.Elapsed), at: c.seen.Elapsed})
	c.Loop = lifecycle.NewLoop("server clock", c.run)
	return c
}

// Now is the server's time.
func (c *ServerClock) Now() time.Time { return c.trusted.Load().time(c.read().Elapsed) }

// Agrees reports whether Now can be relied on. It cannot before Start; after the
// clocks of this machine went apart, as after a suspension; and after the
// server's clock contradicted an earlier measure. Then two measures in a row
// must agree, which are made at once. Who leases jobs asks before each lease.
func (c *ServerClock) Agrees() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.compare(context.TODO(), c.read()) //nolint:forbidigo // it compares two readings and logs: there is nothing to cancel
	return !c.inDoubt
}

// Start measures the server's time, for which it waits for the server.
func (c *ServerClock) Start(ctx context.Context) error {
	for range firstMeasures {
		if err := Persist(ctx, c.log, c.Measure); err != nil {
			return err
		}
	}
	if !c.Agrees() {
		c.askToSettle()
	}
	if offset := c.Now().Sub(c.read().Wall); offset.Abs() > clockTolerance {
		c.log.WarnContext(ctx, "this machine's clock differs from the database server's; corrected", slog.Duration("offset", offset))
	}
	return c.Loop.Start(ctx)
}

// Measure asks the server for its time, by one command. Who keeps a heartbeat
// measures with it.
func (c *ServerClock) Measure(ctx context.Context) error {
	m, err := c.ask(ctx)
	if err != nil {
		return err
	}
	c.take(ctx, m)
	return nil
}

// run settles doubts, and measures where nobody else does.
func (c *ServerClock) run(ctx context.Context) error {
	ticker := c.client.clock.NewTicker(measureEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-c.doubts:
			c.settle(ctx)
		case <-ticker.Chan():
			if c.old() {
				c.measureOnce(ctx)
			}
		}
	}
}

// settle measures until two measures in a row agree.
func (c *ServerClock) settle(ctx context.Context) {
	for asked := 1; ctx.Err() == nil && !c.Agrees(); asked++ {
		if c.measureOnce(ctx) && asked < 2 || c.Agrees() {
			continue
		}
		timer := c.client.clock.NewTimer(doubtPause)
		select {
		case <-ctx.Done():
		case <-timer.Chan():
		}
		timer.Stop()
	}
}

func (c *ServerClock) measureOnce(ctx context.Context) bool {
	within, cancel := context.WithTimeout(ctx, measureTimeout)
	defer cancel()
	err := c.Measure(within)
	if err != nil && ctx.Err() == nil {
		c.log.WarnContext(ctx, "the server's clock was not read; its time goes on by this machine's", slog.Any("error", err))
	}
	return err == nil
}

// old reports that nobody measured lately.
func (c *ServerClock) old() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.last == nil || c.read().Elapsed-c.last.at > measureEvery/2
}
