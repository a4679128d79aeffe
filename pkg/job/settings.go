package job

import "time"

// MissedPolicy tells what happens to ticks whose time passed while no worker
// could run them.
type MissedPolicy string

// OverlapPolicy tells what happens when a tick comes while the run before it
// is still going.
type OverlapPolicy string

// The policies. The zero value means the default of each.
const (
	MissedOnce MissedPolicy = "once" // run one time, however many were missed (default; what Agenda does)
	MissedSkip MissedPolicy = "skip" // do not make up; wait for the next tick
	MissedAll  MissedPolicy = "all"  // run every missed tick, oldest first

	OverlapSkip  OverlapPolicy = "skip"  // the tick is dropped (default)
	OverlapAllow OverlapPolicy = "allow" // each tick is a run of its own, side by side
)

// Known reports whether the policy is one of those above, or the default.
func (p MissedPolicy) Known() bool {
	return p == "" || p == MissedOnce || p == MissedSkip || p == MissedAll
}

// Known reports whether the policy is one of those above, or the default.
func (p OverlapPolicy) Known() bool { return p == "" || p == OverlapSkip || p == OverlapAllow }

// MissedGrace is how late a tick may start and still count as on time.
const MissedGrace = time.Minute

// Retry is a policy for failed runs. Delays grow by Factor from Delay up to
// MaxDelay and are spread by Jitter. The defaults are those of Agenda 6's
// exponential backoff, with more attempts and a jitter.
type Retry struct {
	MaxAttempts int           `bson:"maxAttempts,omitempty"` // runs per tick including the first; 0 = default 4; 1 = no retry
	Delay       time.Duration `bson:"delay,omitempty"`       // before the second attempt; 0 = default 1 s
	Factor      float64       `bson:"factor,omitempty"`      // 0 = default 2; 1 = constant
	MaxDelay    time.Duration `bson:"maxDelay,omitempty"`    // 0 = default 1 h
	Jitter      float64       `bson:"jitter,omitempty"`      // share of the delay, 0 to 1, added or taken away at random; negative = none; 0 = default 0.1
}

// Settings are what operators set for a name at run time, in the collection
// agendaSettings. The zero value changes nothing.
type Settings struct {
	Name        string        `bson:"_id"`
	Paused      bool          `bson:"paused,omitempty"`
	Concurrency int           `bson:"concurrency,omitempty"` // running at once over all workers; 0 = no limit
	Retry       *Retry        `bson:"retry,omitempty"`
	Missed      MissedPolicy  `bson:"missed,omitempty"`
	Overlap     OverlapPolicy `bson:"overlap,omitempty"`
	ChangedBy   string        `bson:"changedBy,omitempty"`
	ChangedAt   time.Time     `bson:"changedAt,omitempty"`
	// Schedule overrides when a recurring job runs; nil = as the program says.
	Schedule *ScheduleOverride `bson:"schedule,omitempty"`
	// Problems are sentences about keys, set by hand, that cannot be read. They
	// count as not set, but for paused, which counts as set.
	Problems []string `bson:"-"`
}

// ScheduleOverride is when a recurring job runs, as an operator set it. Empty
// fields stand for what the program says.
type ScheduleOverride struct {
	Interval  string    `bson:"interval,omitempty"` // cron expression or distance
	Timezone  string    `bson:"timezone,omitempty"` // IANA name
	Enabled   *bool     `bson:"enabled,omitempty"`  // false = no ticks; nil = the job's own flag stands
	ChangedBy string    `bson:"changedBy,omitempty"`
	ChangedAt time.Time `bson:"changedAt,omitempty"`
	// Problem says why what is stored cannot be read; "" = it can. The last
	// schedule that was good stands.
	Problem string `bson:"-"`
}
