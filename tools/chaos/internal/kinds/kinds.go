// Package kinds lists the jobs that run under chaos, for those who enqueue
// them, the workers that run them and the checker.
package kinds

import (
	"time"

	"github.com/etrainer/backend/pkg/catalog"
	"github.com/etrainer/backend/pkg/job"
	"github.com/etrainer/backend/pkg/schedule"
)

// Payload is what each job carries: it says how the handler behaves.
type Payload struct {
	Key    string `json:"key,omitempty"`    // of the enqueue: one job for each
	WaitMS int    `json:"waitMs,omitempty"` // how long a run takes
	Fails  int    `json:"fails,omitempty"`  // the first so many attempts fail
	Exits  int    `json:"exits,omitempty"`  // the first so many attempts end the process
	Result string `json:"result,omitempty"` // what is returned: one of Results, "" = a small document
}

// Validate implements catalog.Payload: every payload is good.
func (Payload) Validate() error { return nil }

// Forever is more attempts than any job gets.
const Forever = 1 << 20

// Results are the results that some database or encoding refuses.
var Results = []string{"channel", "nan", "dots", "dollars", "deep", "15 MB"}

// SharedLifetime is the lock lifetime of Shared, here and in Node: a lock that
// a killed Node process leaves behind stands that long.
const SharedLifetime = 20 * time.Second

// Limit is how many runs of Limited there may be at once over all workers.
const Limit = 2

// patient is the retry policy of jobs that do nothing wrong: crashes of their
// workers are charged to them, and must never use up their attempts.
var patient = job.Retry{MaxAttempts: 12, Delay: 200 * time.Millisecond, MaxDelay: time.Second}

// short is the policy of jobs that fail or kill their worker.
var short = job.Retry{MaxAttempts: 3, Delay: 200 * time.Millisecond, MaxDelay: time.Second}

func define(d catalog.Definition) catalog.Job[Payload] { return catalog.Define[Payload](d) }

// The one-off jobs.
var (
	Quick   = define(catalog.Definition{Name: "quick", Concurrency: 10, Retry: patient})
	Slow    = define(catalog.Definition{Name: "slow", Retry: patient}) // ends when it is told to
	Deaf    = define(catalog.Definition{Name: "deaf", Retry: patient}) // does not
	Limited = define(catalog.Definition{Name: "limited", Retry: patient})
	Plan    = define(catalog.Definition{Name: "plan", Retry: patient}) // enqueued as unique, cancelled, enqueued again
	Odd     = define(catalog.Definition{Name: "odd", Retry: short})    // its results cannot be stored
	Failing = define(catalog.Definition{Name: "failing", Retry: short})
	Exiting = define(catalog.Definition{Name: "exiting", Concurrency: 1, Retry: short}) // ends its process
	Shared  = define(catalog.Definition{Name: "shared", Retry: patient, LockLifetime: SharedLifetime})
)

// The recurring jobs.
var (
	Tick = define(catalog.Definition{Name: "tick", Retry: patient, Repeat: schedule.Spec{Interval: "*/2 * * * * *"}})
	Tock = define(catalog.Definition{Name: "tock", Retry: patient, Repeat: schedule.Spec{Interval: "*/3 * * * * *"}, Missed: job.MissedAll})
	Lap  = define(catalog.Definition{Name: "lap", Retry: patient, Repeat: schedule.Spec{Interval: "*/4 * * * * *"}, Overlap: job.OverlapAllow})
)

// All lists every kind.
func All() []catalog.Job[Payload] {
	return []catalog.Job[Payload]{Quick, Slow, Deaf, Limited, Plan, Odd, Failing, Exiting, Shared, Tick, Tock, Lap}
}

// Once lists the names of the one-off jobs: those that are done at the end.
func Once() []string { return names(false) }

// Recurring lists the others.
func Recurring() []string { return names(true) }

func names(recurring bool) []string {
	var names []string
	for _, kind := range All() {
		if (kind.Repeat.Interval != "") == recurring {
			names = append(names, kind.Name)
		}
	}
	return names
}

// Catalog has every kind.
func Catalog() *catalog.Catalog {
	var definitions []catalog.Definition
	for _, kind := range All() {
		definitions = append(definitions, kind.Definition)
	}
	return catalog.New(definitions...)
}
