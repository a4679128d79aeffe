package history

import "time"

// Event says what a Line tells.
type Event string

// What workers tell.
const (
	Life   Event = "life"   // the process began; Note is its version: one of the constants below
	Claim  Event = "claim"  // Store.Lease gave this lease out; Began is when it was called
	Start  Event = "start"  // the handler was called
	Effect Event = "effect" // the handler did what cannot be taken back
	Told   Event = "told"   // the handler's context ended; Note says why
	End    Event = "end"    // the handler is about to return; Note is its error, "" = none
	Record Event = "record" // the store answered for one outcome; Note is its refusal, "" = accepted
	Beat   Event = "beat"   // the fleet answered to a heartbeat; Note is its refusal, "" = accepted; For is how long the holder may be believed
	Rescue Event = "rescue" // the leases of Holder were released; Count of them are due again
	Arm    Event = "arm"    // the recurring job was armed; Note says what that did
	Trap   Event = "trap"   // the process kills or stops itself; Note says where
)

// What those who enqueue and operate tell.
const (
	Ack        Event = "ack"        // an enqueue was acknowledged; Began is when it was first asked for; Note is Later where it may wait
	Refused    Event = "refused"    // an enqueue was refused, though nothing is wrong with it; Note says how
	Unanswered Event = "unanswered" // an enqueue was never acknowledged, however often it was repeated
	Cancel     Event = "cancel"     // a cancel was acknowledged, or Note is Unknown
	Poison     Event = "poison"     // the document with this _id is damaged on purpose; Job is the _id as text
	Probe      Event = "probe"      // like Ack, of a job that was enqueued after all faults
)

// What the stage tells of processes and faults.
const (
	Fault     Event = "fault"     // a fault began; Note says which, Process is its target, "" = all
	Restored  Event = "restored"  // that fault ended
	Stopped   Event = "stopped"   // the process was stopped by SIGSTOP
	Continued Event = "continued" // it goes on
	Exit      Event = "exit"      // the process ended; Note says how, and begins with Unexpected where nobody asked for it; For is the processor time it used
	Calm      Event = "calm"      // all faults are over; For is the time in which everything had to be done
	Settled   Event = "settled"   // all jobs are done
	Note      Event = "note"      // for people who read the history
)

// Unexpected begins the Note of an Exit that nobody asked for.
const Unexpected = "unexpected: "

// Later is the Note of an enqueue for another time, long after the end.
const Later = "later"

// Unknown is the Note of a call of which nobody knows whether it was done.
const Unknown = "unknown"

// The versions of a process, in the Note of its Life.
const (
	Newer = "newer" // of this tree
	Older = "older" // of the last commit before this work
	Node  = "node"  // Agenda
)

// Line is one thing that happened. Fields that do not belong to its Event are
// empty.
type Line struct {
	At      int64  `json:"at"`               // nanoseconds of CLOCK_MONOTONIC, when the line was written
	Began   int64  `json:"began,omitempty"`  // likewise, when the call that the line is about began
	Server  int64  `json:"server,omitempty"` // milliseconds since 1970 by the database's clock, as the process knows it
	Process string `json:"process"`          // who writes, or whom the line is about; one life of one process
	Event   Event  `json:"event"`

	Job     string        `json:"job,omitempty"` // the _id in hex
	Name    string        `json:"name,omitempty"`
	Tick    int64         `json:"tick,omitempty"` // milliseconds since 1970
	Attempt int           `json:"attempt,omitempty"`
	Holder  string        `json:"holder,omitempty"` // the instance in the fleet
	Outcome string        `json:"outcome,omitempty"`
	Key     string        `json:"key,omitempty"` // of an enqueue; the payload carries it
	Note    string        `json:"note,omitempty"`
	For     time.Duration `json:"for,omitempty"`
	Count   int           `json:"count,omitempty"`
}
