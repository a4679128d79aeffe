package check

import (
	"fmt"
	"time"

	"github.com/etrainer/backend/tools/chaos/internal/history"
	"github.com/etrainer/backend/tools/chaos/internal/kinds"
)

// The rules about ticks.
const (
	Twice       = "one attempt of a tick was started twice"
	TwoDocs     = "a recurring job exists twice"
	TickChanged = "the tick of a job changed between its attempts"
)

// twice finds two calls of a handler for one attempt of one tick.
func twice(k *knowledge) []Violation {
	type key struct {
		job     string
		tick    int64
		attempt int
	}
	var found []Violation
	first := map[key]*run{}
	for _, r := range k.runs {
		if r.version != history.Newer || !k.onlyNewer(r.Job) {
			continue
		}
		at := key{r.Job, r.Tick, r.Attempt}
		if recurring(r.Name) && k.jobs[r.Job].Recurring {
			at.job = r.Name // also by two documents
		}
		if before := first[at]; before != nil && !k.plannedBetween(r.Job, before.At, r.At) {
			found = append(found, Violation{Twice, r.Job, fmt.Sprintf("%q: attempt %d of the tick %s was started by %s at %s and by %s at %s", r.Name, r.Attempt,
				time.UnixMilli(r.Tick).UTC().Format("15:04:05.000"), before.Process, k.since(before.At), r.Process, k.since(r.At))})
		}
		first[at] = r
	}
	return found
}

func recurring(name string) bool {
	return name == kinds.Tick.Name || name == kinds.Tock.Name || name == kinds.Lap.Name
}

// plannedBetween reports whether somebody planned the job anew in a time: what
// runs after that is new.
func (k *knowledge) plannedBetween(job string, from, to int64) bool {
	for _, line := range k.Lines {
		if (line.Event == history.Ack || line.Event == history.Unanswered) && line.Job == job && line.At > from && line.Began < to {
			return true
		}
	}
	return false
}

// ticks finds recurring jobs that exist twice, and one-off jobs whose tick did
// not stay the same: their effects have no key.
func ticks(k *knowledge) []Violation {
	var found []Violation
	of := map[string]string{}
	for _, job := range k.Jobs {
		if !job.Recurring || !recurring(job.Name) || k.poison[job.ID] {
			continue
		}
		if other := of[job.Name]; other != "" {
			found = append(found, Violation{TwoDocs, job.ID, fmt.Sprintf("%q is also job %s", job.Name, other)})
		}
		of[job.Name] = job.ID
	}
	for job, runs := range k.byJob {
		if recurring(runs[0].Name) || !k.onlyNewer(job) {
			continue
		}
		for i, r := range runs[1:] {
			before := runs[i]
			if r.Tick != before.Tick && !k.plannedBetween(job, 0, r.At) || r.Tick == before.Tick && r.Attempt < before.Attempt {
				found = append(found, Violation{TickChanged, job, fmt.Sprintf("%q: attempt %d by %s at %s had the tick %s, and attempt %d by %s at %s has %s",
					r.Name, before.Attempt, before.Process, k.since(before.At), clockOf(before.Tick), r.Attempt, r.Process, k.since(r.At), clockOf(r.Tick))})
				break
			}
		}
	}
	return found
}

func clockOf(tick int64) string { return time.UnixMilli(tick).UTC().Format("15:04:05.000") }
