package mongodb

import (
	"context"
	"fmt"
	"time"

	"github.com/jonboulle/clockwork"
	"go.mongodb.org/mongo-driver/v2/bson"
)

const (
	// clockTolerance is how far two clocks may be apart before one of them is
	// not believed.
	clockTolerance = time.Second
	// clockDrift is how fast two clocks may drift apart: one second in this many.
	// Linux never slews its clock faster.
	clockDrift = 2000
)

// Reading is what the two clocks of a machine show at one moment.
type Reading struct {
	// Wall is the time of day. NTP, an operator or a restored snapshot may set it
	// forward or back at any moment.
	Wall time.Time
	// Elapsed is the monotonic clock: the time since some moment. It never
	// jumps, and it stands still while the machine is suspended.
	Elapsed time.Duration
}

// readingsOf reads both clocks at once: what time.Now returns carries the
// monotonic clock as well.
func readingsOf(clock clockwork.Clock) func() Reading {
	birth := clock.Now()
	return func() Reading {
		now := clock.Now()
		return Reading{Wall: now.Round(0), Elapsed: now.Sub(birth)}
	}
}

// measure is one answer to the question what time it is at the server.
type measure struct {
	zero  time.Time     // the server's time when Elapsed was 0
	slack time.Duration // how far zero may be off
	at    time.Duration // Elapsed, when it was taken
}

// time is the server's time by this measure.
func (m measure) time(elapsed time.Duration) time.Time { return m.zero.Add(elapsed) }

// aged is its slack at a later time.
func (m measure) aged(elapsed time.Duration) time.Duration {
	return m.slack + (elapsed-m.at).Abs()/clockDrift
}

// contradicts reports that two measures are more than the tolerance apart, even
// if both answers travelled as unluckily as they could.
func (m measure) contradicts(other measure) bool {
	sure := m.zero.Sub(other.zero).Abs() - m.slack - other.aged(m.at)
	return sure > clockTolerance
}

// ask measures the server's clock by one command. Half of the round trip
// bounds the error; the server tells its time in milliseconds.
func (c *ServerClock) ask(ctx context.Context) (measure, error) {
	var reply struct {
		LocalTime time.Time `bson:"localTime"`
	}
	sent := c.read().Elapsed
	if err := c.client.Database().RunCommand(ctx, bson.D{{Key: "hello", Value: 1}}).Decode(&reply); err != nil {
		return measure{}, fmt.Errorf("ask the server's clock: %w", err)
	}
	back := c.read().Elapsed
	half := (back - sent) / 2
	return measure{zero: reply.LocalTime.Add(-sent - half), slack: half + time.Millisecond, at: back}, nil
}
