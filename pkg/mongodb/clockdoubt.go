package mongodb

import (
	"context"
	"log/slog"
	"time"
)

// take learns from a measure. The first is believed, since there is nothing
// better; after that it is believed when it fits the one before it.
func (c *ServerClock) take(ctx context.Context, m measure) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.compare(ctx, c.read()) {
		return // the answer may have been on its way while the machine slept
	}
	before := c.last
	c.last = &m
	switch trusted := c.trusted.Load(); {
	case !c.measured:
		c.measured, c.seen = true, c.read()
		c.trusted.Store(&m)
	case c.inDoubt && before != nil && !m.contradicts(*before):
		c.believe(ctx, better(m, *before))
	case c.inDoubt:
	case m.contradicts(*trusted):
		c.doubt(ctx, "the database server's clock was set, or another server answers", m.zero.Sub(trusted.zero))
		c.last = &m
	default:
		fresh := better(m, *trusted)
		c.trusted.Store(&fresh)
		c.seen = c.read()
	}
}

// better is the more precise of two measures, the older one as it has aged.
func better(fresh, older measure) measure {
	if older.aged(fresh.at) < fresh.slack {
		return older
	}
	return fresh
}

// compare doubts the time when the clocks of this machine went apart since they
// were compared last: the time of day was set, or the monotonic clock stood
// still while the machine slept.
func (c *ServerClock) compare(ctx context.Context, now Reading) (apart bool) {
	by := now.Wall.Sub(c.seen.Wall) - (now.Elapsed - c.seen.Elapsed)
	if by.Abs() <= clockTolerance {
		return false
	}
	c.seen = now
	c.doubt(ctx, "this machine's clock was set, or the machine was suspended", by)
	return true
}

// doubt begins, once, and has the time measured anew.
func (c *ServerClock) doubt(ctx context.Context, reason string, by time.Duration) {
	c.last = nil
	if !c.inDoubt {
		c.inDoubt, c.told = true, true
		c.log.WarnContext(ctx, "the server's time is in doubt: this process leases no jobs until two measures in a row agree",
			slog.String("reason", reason), slog.Duration("by", by))
	}
	c.askToSettle()
}

func (c *ServerClock) askToSettle() {
	select {
	case c.doubts <- struct{}{}:
	default:
	}
}

// believe ends a doubt.
func (c *ServerClock) believe(ctx context.Context, m measure) {
	corrected := m.zero.Sub(c.trusted.Load().zero)
	c.trusted.Store(&m)
	c.inDoubt, c.seen = false, c.read()
	if c.told {
		c.log.InfoContext(ctx, "the server's time is known again", slog.Duration("corrected", corrected))
	}
	c.told = false
}
