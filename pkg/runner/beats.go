package runner

import "time"

// The defaults and bounds of Beats.
const (
	DefaultBeatInterval = 2 * time.Second
	DefaultBeatExpiry   = 6 * time.Second
	DefaultBeatConfirm  = 6 * time.Second

	MinBeatInterval = 100 * time.Millisecond
	// ConfirmBeyond is by how much Beats.Confirm exceeds the time-out of a
	// heartbeat: a heartbeat that is on its way when a peer expires must be able
	// to fail, and the next one to arrive, before the peer is taken for dead.
	ConfirmBeyond = time.Second
)

// An idle worker has nothing to lose, so it beats seldom.
const (
	idleInterval = 30 * time.Second
	idleExpiry   = 90 * time.Second
)

// Beats says how a worker shows that it lives, and when it takes another for
// dead.
type Beats struct {
	// Interval is the time between heartbeats while leases are held. 0 =
	// DefaultBeatInterval; at least MinBeatInterval.
	Interval time.Duration
	// Expiry is how long after a heartbeat the others believe in this worker. 0 =
	// DefaultBeatExpiry; at least twice Interval.
	Expiry time.Duration
	// Confirm is how much longer another worker must stay silent after its
	// expiry, while the own heartbeats and reads work, before its jobs are
	// released. 0 = DefaultBeatConfirm; at least the time-out of a heartbeat
	// and ConfirmBeyond.
	Confirm time.Duration
}

// withDefaults fills in what is zero, and raises what is too short.
func (b Beats) withDefaults() Beats {
	either := func(set, otherwise time.Duration) time.Duration {
		if set > 0 {
			return set
		}
		return otherwise
	}
	b.Interval = max(either(b.Interval, DefaultBeatInterval), MinBeatInterval)
	b.Expiry = max(either(b.Expiry, DefaultBeatExpiry), 2*b.Interval)
	b.Confirm = max(either(b.Confirm, DefaultBeatConfirm), b.Timeout()+ConfirmBeyond)
	return b
}

// Timeout bounds one heartbeat: what is left of the time in which the others
// believe in the one before.
func (b Beats) Timeout() time.Duration { return b.Expiry - b.Interval }

// slow is how long a command of a watcher may take. One that takes longer says
// more about the database, the network or the watcher than about any peer.
func (b Beats) slow() time.Duration { return b.Interval }

// glance is the longest time between looks while a peer is busy. A peer recovers
// from a common outage about as long after it as it took: one that happens
// between two looks, so that nobody else knows of it, must be short enough for
// that and one heartbeat in vain to end within patience.
func (b Beats) glance() time.Duration { return b.Interval + b.Interval/2 }

// patience is how long after its last heartbeat a worker's jobs are left to it:
// peers wait for its expiry, and then for no less than that again.
func (b Beats) patience() time.Duration { return b.Expiry + max(b.Confirm, b.Expiry) }

// aftermath is how long a peer must stay silent that may have become silent by
// an outage which this worker met as well: every process finds out for itself
// which of its connections are dead, and some take a while.
func (b Beats) aftermath() time.Duration { return 6 * b.Expiry }

// reach is how long after its last heartbeat that arrived a worker's handlers may
// go on. It is a little less than patience, in which they stop.
func (b Beats) reach() time.Duration { return b.patience() - b.Interval/2 }

// every is the time between heartbeats.
func (b Beats) every(busy bool) time.Duration {
	if busy {
		return b.Interval
	}
	return max(idleInterval, b.Interval)
}

// expiry is what a heartbeat declares.
func (b Beats) expiry(busy bool) time.Duration {
	if busy {
		return b.Expiry
	}
	return max(idleExpiry, b.Expiry)
}
