package plan

import (
	"fmt"
	"time"

	"github.com/etrainer/backend/tools/chaos/internal/worker"
)

// Kind is a kind of fault.
type Kind string

// Faults of processes.
const (
	KillAt      Kind = "kill -9 at a step"
	StopAt      Kind = "SIGSTOP at a step"
	Stop        Kind = "SIGSTOP"
	Clock       Kind = "clock step"
	KillEnqueue Kind = "kill -9 in an enqueue"
	KillArm     Kind = "kill -9 in arm"
	KillNode    Kind = "kill -9 of Node"
	Older       Kind = "older worker beside"
)

// Faults of the network to the database, of one process or of all.
const (
	Hole   Kind = "black hole"
	Refuse Kind = "refused connections"
	Tear   Kind = "reset mid-message"
	Delay  Kind = "latency"
)

// Faults of the servers.
const (
	KillDatabase Kind = "database killed"
	KillRedis    Kind = "Redis killed"
	FlushRedis   Kind = "Redis flushed"
	MuteRedis    Kind = "Redis mute"
)

// Faults of documents and handlers.
const (
	Poison     Kind = "poisonous documents"
	BigPayload Kind = "15 MB payload"
	OddResults Kind = "results that cannot be stored"
	Exits      Kind = "handlers that exit the process"
	Deaf       Kind = "handlers that ignore cancellation"
)

// Kinds lists all of them.
func Kinds() []Kind {
	return []Kind{
		KillAt, StopAt, Stop, Clock, KillEnqueue, KillArm, KillNode, Older, Hole, Refuse, Tear, Delay,
		KillDatabase, KillRedis, FlushRedis, MuteRedis, Poison, BigPayload, OddResults, Exits, Deaf,
	}
}

// Fault is one fault of a seed.
type Fault struct {
	Kind   Kind
	Target string        // a process; "" = none in particular, or all
	Begin  time.Duration // since the load began
	For    time.Duration // how long it lasts, at the longest
	Step   worker.Step   // of KillAt, StopAt and KillArm
	After  bool          // of KillEnqueue: the database has answered, the api has not
	Away   time.Duration // of Clock: how far the clock is stepped
	Slow   time.Duration // of Delay
}

func (f Fault) String() string {
	text := fmt.Sprintf("%4.1f s: %s", f.Begin.Seconds(), f.Kind)
	switch f.Kind {
	case KillAt, StopAt, KillArm:
		text += " (" + f.Step.String() + ")"
	case KillEnqueue:
		text += map[bool]string{false: " (before it is stored)", true: " (after it is stored, before it is acknowledged)"}[f.After]
	case Clock:
		text += fmt.Sprintf(" (%+.0f min)", f.Away.Minutes())
	case Delay:
		text += fmt.Sprintf(" (%s)", f.Slow)
	}
	if f.Target != "" {
		text += " of " + f.Target
	}
	if f.For > 0 {
		text += fmt.Sprintf(", for %.1f s", f.For.Seconds())
	}
	return text
}

func (f Fault) end() time.Duration { return f.Begin + f.For }
