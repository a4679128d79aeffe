package queue

import "time"

// DueMost is the most jobs of a name that a Due counts: enough to tell a small
// backlog from a large one, and a bound on what counting costs.
const DueMost = 10_000

// Due is the backlog: jobs whose time has come and that nobody has taken.
// Those of paused names are not among them, since no worker can take them.
type Due struct {
	// ByName has an entry for every name that was asked for, of DueMost at the
	// most.
	ByName map[string]int64
	// Oldest is how long the oldest one waits; 0 = none does.
	Oldest time.Duration
}
