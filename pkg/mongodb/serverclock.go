package mongodb

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/etrainer/backend/pkg/lifecycle"
)

// measureEvery is how often a ServerClock compares the clocks again: a bad
// quartz drifts by about 30 ms in that time.
const measureEvery = 10 * time.Minute

// ServerClock tells the server's time, so that processes with different
// clocks agree about it: leases and due times are compared between machines.
// It is a lifecycle.Service; Start measures before it returns.
type ServerClock struct {
	*lifecycle.Loop
	client *Client
	log    *slog.Logger
	offset atomic.Int64
}

// NewServerClock returns a clock that is not started.
func NewServerClock(client *Client, log *slog.Logger) *ServerClock {
	c := &ServerClock{client: client, log: log}
	c.Loop = lifecycle.NewLoop("server clock", c.run)
	return c
}

// Now is the server's time.
func (c *ServerClock) Now() time.Time {
	return c.client.clock.Now().Add(time.Duration(c.offset.Load()))
}

// Start measures the offset, for which it waits for the server, and keeps it up
// to date.
func (c *ServerClock) Start(ctx context.Context) error {
	if err := Persist(ctx, c.log, c.measure); err != nil {
		return err
	}
	return c.Loop.Start(ctx)
}

func (c *ServerClock) run(ctx context.Context) error {
	ticker := c.client.clock.NewTicker(measureEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.Chan():
			if err := c.measure(ctx); err != nil && ctx.Err() == nil {
				c.log.WarnContext(ctx, "server's clock not read; the last offset stands", slog.Any("error", err))
			}
		}
	}
}

func (c *ServerClock) measure(ctx context.Context) error {
	offset, err := c.client.ServerOffset(ctx)
	if err != nil {
		return err
	}
	if before := time.Duration(c.offset.Swap(int64(offset))); (offset - before).Abs() > time.Second {
		c.log.WarnContext(ctx, "this machine's clock differs from the database server's; corrected", slog.Duration("offset", offset))
	}
	return nil
}
