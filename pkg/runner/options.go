package runner

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/jonboulle/clockwork"

	"github.com/etrainer/backend/pkg/fleet"
	"github.com/etrainer/backend/pkg/queue"
	"github.com/etrainer/backend/pkg/supervise"
	"github.com/etrainer/backend/pkg/wake"
)

// The defaults of Options.
const (
	DefaultSlots        = 20
	DefaultPerName      = 5
	DefaultBatch        = 500
	DefaultPollInterval = 5 * time.Second
	DefaultIdleInterval = 15 * time.Second
	DefaultHeld         = 5000
	DefaultBytes        = 64 << 20
)

// ServerClock tells the time of the database server.
type ServerClock interface {
	Now() time.Time
	// Agrees reports whether Now can be relied on: nothing is leased while it
	// cannot.
	Agrees() bool
	// Measure asks the server for its time, by one command. It is called with
	// each heartbeat.
	Measure(ctx context.Context) error
}

// LocalTime is a clock of this machine that counts as the server's.
type LocalTime func() time.Time

// Now is the time of this machine.
func (l LocalTime) Now() time.Time { return l() }

// Agrees reports that it can always be relied on.
func (LocalTime) Agrees() bool { return true }

// Measure has nothing to ask.
func (LocalTime) Measure(context.Context) error { return nil }

// Options configure a Runner. Store, Registry and Handlers are required.
type Options struct {
	// Store, Settings and Registry must be set.
	Store    queue.Consumer
	Settings queue.Controller
	Registry fleet.Registry
	Handlers []Handler

	// Server is the clock of the database server, by which leases and due times
	// are compared: mongodb.ServerClock. nil = Clock, which is right only where
	// all workers run on the machine of the database.
	Server ServerClock
	// Beats are the times of the heartbeat.
	Beats Beats

	Publisher  wake.Publisher  // nil = wake.Silent
	Subscriber wake.Subscriber // nil = wake.Silent

	// Slots is how many handlers run at once in this process.
	Slots int
	// PerName is how many of one name run at once in this process, unless its
	// definition says otherwise.
	PerName int
	// Batch bounds one lease command.
	Batch int
	// Held is how many leases this process may have: jobs that wait for a slot,
	// that run, and that ended and whose outcome is not stored yet. It is not
	// below Slots.
	Held int
	// Bytes is what the documents and the outcomes of these may weigh. Beyond it
	// a name is leased only while its own part is below a quarter.
	Bytes int
	// PollInterval is the longest time between looks at the queue while
	// wake-ups cannot arrive; IdleInterval while they can. After work was
	// found both begin again at a second.
	PollInterval time.Duration
	IdleInterval time.Duration

	// Host, PID and Version describe this process to the fleet, and Parent its
	// siblings; nil = it has none.
	Host    string
	PID     int
	Version string
	Parent  func() (supervise.Status, bool)

	// Problems receives what is met in the database and cannot be used; they are
	// told of with the heartbeat. nil = such things are logged alone.
	Problems *queue.Problems

	Clock   clockwork.Clock // nil = the real one
	Log     *slog.Logger    // nil = nothing is logged
	Metrics *Metrics        // nil = nothing is measured
}

// check panics where a part is missing without which no job can run: parts are
// wired in source code.
func (o Options) check() {
	for _, part := range []struct {
		field, what string
		missing     bool
	}{
		{"Store", "the queue.Consumer that jobs are leased from", o.Store == nil},
		{"Settings", "the queue.Controller that tells what is paused and limited", o.Settings == nil},
		{"Registry", "the fleet.Registry in which workers find each other", o.Registry == nil},
	} {
		if part.missing {
			panic(fmt.Sprintf("runner: Options.%s is nil; set it to %s", part.field, part.what))
		}
	}
}

func (o Options) withDefaults() Options {
	if o.Publisher == nil {
		o.Publisher = wake.Silent{}
	}
	if o.Subscriber == nil {
		o.Subscriber = wake.Silent{}
	}
	if o.Slots <= 0 {
		o.Slots = DefaultSlots
	}
	if o.PerName <= 0 {
		o.PerName = DefaultPerName
	}
	if o.Batch <= 0 {
		o.Batch = DefaultBatch
	}
	if o.Held <= 0 {
		o.Held = DefaultHeld
	}
	o.Held = max(o.Held, o.Slots)
	if o.Bytes <= 0 {
		o.Bytes = DefaultBytes
	}
	if o.PollInterval <= 0 {
		o.PollInterval = DefaultPollInterval
	}
	if o.IdleInterval <= 0 {
		o.IdleInterval = DefaultIdleInterval
	}
	o.Beats = o.Beats.withDefaults()
	if o.Clock == nil {
		o.Clock = clockwork.NewRealClock()
	}
	if o.Server == nil {
		o.Server = LocalTime(o.Clock.Now)
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Problems == nil {
		o.Problems = queue.NewProblems(o.Server.Now, o.Log)
	}
	if o.Metrics == nil {
		o.Metrics = NewMetrics(nil)
	}
	return o
}
