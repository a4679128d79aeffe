package job

import (
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// Outcome tells how one run ended.
type Outcome string

// The outcomes of a run. A run that has none yet is still open.
const (
	Open      Outcome = "running"   // started, no end recorded
	Succeeded Outcome = "succeeded" // the handler returned without an error
	Retrying  Outcome = "retrying"  // failed; another attempt is planned
	Dead      Outcome = "dead"      // failed for good: attempts exhausted or not retryable
	Snoozed   Outcome = "snoozed"   // the handler asked to run later; not a failure
	Cancelled Outcome = "cancelled" // cancelled by request
	Discarded Outcome = "discarded" // the handler said that the job is no longer wanted
	Skipped   Outcome = "skipped"   // a missed tick that the policy does not make up for
	Released  Outcome = "released"  // handed back by a stopping worker
	Lost      Outcome = "lost"      // the worker died or lost its lease; nothing it did was recorded
)

// Unfinished reports whether the tick is still owed: the next run of the job
// continues it with the next attempt.
func (o Outcome) Unfinished() bool {
	switch o {
	case Open, Retrying, Snoozed, Released, Lost:
		return true
	default:
		return false
	}
}

// Run is one run of a job, in the collection agendaRuns: the history that
// Agenda's one mutable document cannot keep. (job, tick, attempt) is unique.
type Run struct {
	ID         bson.ObjectID `bson:"_id"`
	JobID      bson.ObjectID `bson:"jobId"`
	Name       string        `bson:"name"`
	Tick       time.Time     `bson:"tick"`               // the planned time that this run serves
	Attempt    int           `bson:"attempt"`            // 1 for the first run of a tick
	Failures   int           `bson:"failures,omitempty"` // failed and lost runs of the tick before this one
	Worker     string        `bson:"worker"`             // instance that held the lease
	StartedAt  time.Time     `bson:"startedAt"`
	FinishedAt *time.Time    `bson:"finishedAt,omitempty"`
	Outcome    Outcome       `bson:"outcome"`
	Error      string        `bson:"error,omitempty"`
	Stack      string        `bson:"stack,omitempty"` // of a recovered panic
	Result     bson.RawValue `bson:"result,omitempty"`
	Progress   *Progress     `bson:"progress,omitempty"`
	Logs       []LogLine     `bson:"logs,omitempty"`       // bounded: the newest are kept
	LogsCut    int           `bson:"logsCut,omitempty"`    // lines that were dropped to stay within the bound
	ExpiresAt  *time.Time    `bson:"expiresAt,omitempty"`  // when retention removes the record
	PickupMS   int64         `bson:"pickupMs,omitempty"`   // due to start
	DurationMS int64         `bson:"durationMs,omitempty"` // start to end
}

// Progress is what a handler last reported.
type Progress struct {
	Percent float64   `bson:"percent" json:"percent"` // 0 to 100
	Message string    `bson:"message,omitempty" json:"message,omitempty"`
	At      time.Time `bson:"at" json:"at"`
}

// LogLine is one line that a handler wrote to its run.
type LogLine struct {
	At      time.Time `bson:"at" json:"at"`
	Level   string    `bson:"level" json:"level"` // debug, info, warn or error
	Message string    `bson:"message" json:"message"`
}
