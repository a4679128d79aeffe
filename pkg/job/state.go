package job

import (
	"slices"
	"time"
)

// State is what Agenda 6 computes from the timestamps of a document; it is
// never stored.
type State string

// The states of Agenda 6 (JobQuery), in the order in which the first match
// wins: a document that is locked counts as running whatever else it says.
const (
	Running   State = "running"
	Failed    State = "failed"
	Repeating State = "repeating"
	Scheduled State = "scheduled"
	Queued    State = "queued"
	Completed State = "completed"
)

// States lists every state in the order of precedence.
func States() []State {
	return []State{Running, Failed, Repeating, Scheduled, Queued, Completed}
}

// Known reports whether s is one of the states.
func (s State) Known() bool {
	return slices.Contains(States(), s)
}

// State computes the state at an instant, by the rules of Agenda 6: locked is
// running (a crashed job too, until its lease ends); failed while no later
// run finished; recurring documents are repeating even after their end; then
// nextRunAt tells scheduled from queued, and none at all is completed.
func (d *Document) State(now time.Time) State {
	switch {
	case !d.LockedAt.IsZero():
		return Running
	case d.FailedLast():
		return Failed
	case d.RepeatInterval != "" && d.repetition.intervalIs == "":
		return Repeating // by a text or a number: an index finds no other type
	case d.NextRunAt.IsZero():
		return Completed
	case d.NextRunAt.After(now):
		return Scheduled
	default:
		return Queued
	}
}

// FailedLast reports whether the newest run that ended has failed.
func (d *Document) FailedLast() bool {
	return !d.FailedAt.IsZero() && (d.LastFinishedAt.IsZero() || !d.FailedAt.Before(d.LastFinishedAt))
}

// Dead reports whether the job failed for good: its last run failed, nothing
// is planned, and nobody works on it. It is kept, listed and can be retried.
func (d *Document) Dead() bool {
	return d.LockedAt.IsZero() && d.FailedLast() && d.NextRunAt.IsZero()
}

// Cancelled reports whether the job was cancelled and will not run again. A
// job that was planned anew since is not.
func (d *Document) Cancelled() bool {
	return !d.CancelledAt.IsZero() && d.LockedAt.IsZero() && d.NextRunAt.IsZero()
}

// Interrupted reports whether the newest run started and never recorded an
// end: its worker crashed, or lost the lease.
func (d *Document) Interrupted() bool {
	return !d.LastRunAt.IsZero() && (d.LastFinishedAt.IsZero() || d.LastFinishedAt.Before(d.LastRunAt))
}
