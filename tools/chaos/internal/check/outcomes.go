package check

import (
	"fmt"
	"strings"

	"github.com/etrainer/backend/tools/chaos/internal/history"
	"github.com/etrainer/backend/tools/chaos/internal/kinds"
)

// The rules about what becomes of jobs.
const (
	Acknowledged = "an acknowledged job did not run"
	TwoJobs      = "one enqueue made two jobs"
	Unrecorded   = "a job left the queue without a recorded outcome"
	Charged      = "a job died before its attempts were used up"
	Attempts     = "a job got more attempts than its policy allows"
	Eaten        = "a cancel reached more than the run that it met"
)

// mortal are the names whose jobs may die: their payload says so.
var mortal = map[string]bool{kinds.Odd.Name: true, kinds.Failing.Name: true, kinds.Exiting.Name: true}

// acknowledged finds jobs that the client was promised and that neither ran nor
// ended with a reason.
func acknowledged(k *knowledge) []Violation {
	var found []Violation
	for _, ack := range k.Lines {
		if ack.Event != history.Ack && ack.Event != history.Probe || ack.Note == history.Later || k.cancelledAfter(ack) || k.ranAfter(ack) || k.byWrongClock(ack) {
			continue
		}
		job, kept := k.jobs[ack.Job]
		switch {
		case !kept:
			found = append(found, Violation{Acknowledged, ack.Job, fmt.Sprintf("%q (%s) was acknowledged at %s, and is gone", ack.Name, ack.Key, k.since(ack.At))})
		case job.dead() && job.FailReason != "" && (mortal[ack.Name] || k.crashed(ack.Job)):
		default:
			found = append(found, Violation{Acknowledged, ack.Job, fmt.Sprintf("%q (%s) was acknowledged at %s; at the end it is %s",
				ack.Name, ack.Key, k.since(ack.At), describe(job))})
		}
	}
	return found
}

// ranAfter reports whether a handler of the job, called after the enqueue was
// asked for, did its work.
func (k *knowledge) ranAfter(ack history.Line) bool {
	for _, r := range k.byJob[ack.Job] {
		if r.At > ack.Began && r.end != 0 && r.err == "" {
			return true
		}
	}
	return false
}

// byWrongClock reports whether Node enqueued the job by a clock of its own that
// was wrong: its time may come long after the end.
func (k *knowledge) byWrongClock(ack history.Line) bool {
	return k.versions[ack.Process] == history.Node && k.troubledBetween(ack.Process, ack.Began, ack.At, true)
}

// cancelledAfter reports whether a cancel that came after the enqueue, or may
// have, excuses that the job did not run.
func (k *knowledge) cancelledAfter(ack history.Line) bool {
	for _, line := range k.Lines {
		if line.Event == history.Cancel && line.Job == ack.Job && (line.At > ack.Began || line.Note == history.Unknown) {
			return true
		}
	}
	return false
}

// crashed reports whether the job died of the crashes of its workers.
func (k *knowledge) crashed(job string) bool { return len(k.deaths(job)) > 0 }

// deaths are the runs of a job whose handler never returned.
func (k *knowledge) deaths(job string) []*run {
	var deaths []*run
	for _, r := range k.byJob[job] {
		if r.end == 0 || r.err != "" {
			deaths = append(deaths, r)
		}
	}
	return deaths
}

func describe(j Job) string {
	switch {
	case j.Locked:
		return "locked by " + j.LockedBy
	case j.dead():
		return fmt.Sprintf("dead (%q)", j.FailReason)
	case j.Cancelled:
		return "cancelled"
	case j.Due:
		return "due"
	case j.Planned:
		return "planned"
	case j.Finished:
		return "completed"
	default:
		return "without a time"
	}
}

// recorded finds jobs that count as completed though no handler did them, and
// enqueues that made two jobs.
func recorded(k *knowledge) []Violation {
	var found []Violation
	byKey := map[string]string{}
	for _, job := range k.Jobs {
		if k.poison[job.ID] || job.Recurring {
			continue
		}
		if other := byKey[job.Key]; other != "" && once(job.Key) {
			found = append(found, Violation{TwoJobs, job.ID, fmt.Sprintf("it has the key %s, and so has job %s", job.Key, other)})
		}
		byKey[job.Key] = job.ID
		completed := job.Finished && !job.Failed && !job.Planned && !job.Locked && !job.Cancelled
		if completed && job.Key != "" && !k.done(job.ID) {
			found = append(found, Violation{Unrecorded, job.ID, fmt.Sprintf("%q (%s) is completed, and no handler did it", job.Name, job.Key)})
		}
	}
	return found
}

// once reports whether a key is of a client that repeats requests under it. Node
// knows no such keys; those of its processes have a dot.
func once(key string) bool { return key != "" && !strings.Contains(key, ".") }

func (k *knowledge) done(job string) bool {
	for _, r := range k.byJob[job] {
		if r.end != 0 && r.err == "" {
			return true
		}
	}
	return false
}

// attempts finds jobs that died too soon, or that went on killing workers.
func attempts(k *knowledge) []Violation {
	var found []Violation
	for _, kind := range kinds.All() {
		most := kind.Retry.MaxAttempts
		for _, job := range k.Jobs {
			if job.Name != kind.Name || k.poison[job.ID] || !k.onlyNewer(job.ID) {
				continue
			}
			runs := k.byJob[job.ID]
			if !mortal[job.Name] && job.dead() && len(runs)+k.ends() < most {
				found = append(found, Violation{Charged, job.ID, fmt.Sprintf("%q was called %d times and may be %d times; it is %s", job.Name, len(runs), most, describe(job))})
			}
			if job.Name == kinds.Exiting.Name && !job.Recurring && len(runs) > most {
				found = append(found, Violation{Attempts, job.ID, fmt.Sprintf("%q was called %d times and may be %d times; it is %s", job.Name, len(runs), most, describe(job))})
			}
		}
	}
	return found
}

// ends is how often a worker ended or stood: each may have cost an attempt of
// which the history knows nothing.
func (k *knowledge) ends() int {
	n := 0
	for _, line := range k.Lines {
		if (line.Event == history.Exit || line.Event == history.Stopped) && k.versions[line.Process] != "" {
			n++
		}
	}
	return n
}

// cancels finds runs that were recorded as cancelled though nobody cancelled
// the job while they were leased.
func cancels(k *knowledge) []Violation {
	var found []Violation
	for _, record := range k.Lines {
		if record.Event != history.Record || record.Outcome != "cancelled" || record.Note != "" || !k.newer(record.Process) {
			continue
		}
		claim, ok := k.claimOf(record)
		if ok && !k.cancelledBetween(record.Job, claim.Began, record.At) {
			found = append(found, Violation{Eaten, record.Job, fmt.Sprintf("%q was leased by %s at %s and recorded as cancelled at %s; no cancel came in between",
				record.Name, claim.Process, k.since(claim.At), k.since(record.At))})
		}
	}
	return found
}

func (k *knowledge) cancelledBetween(job string, from, to int64) bool {
	for _, line := range k.Lines {
		if line.Event != history.Cancel || line.Job != job || line.Began > to {
			continue
		}
		if line.At >= from || line.Note == history.Unknown { // that one may come about later
			return true
		}
	}
	return false
}
