package check

import (
	"fmt"
	"time"

	"github.com/etrainer/backend/tools/chaos/internal/history"
	"github.com/etrainer/backend/tools/chaos/internal/kinds"
	"github.com/etrainer/backend/tools/chaos/internal/plan"
)

// The rules about leases.
const (
	Overlap     = "valid leases of one job overlap"
	BuriedAlive = "a live worker was taken for dead"
	NotTold     = "a handler that lost its lease was not told"
	Loser       = "one that lost its lease recorded a result"
)

const (
	// doubt is how wrong two processes may be about the server's time.
	doubt = 2 * time.Second
	// troubled is how long a fault of a worker excuses that peers believe it
	// dead, after it is over.
	troubled = 25 * time.Second
	// tellWithin is how long it may take until the handler of a lost lease is
	// told, in a process that runs.
	tellWithin = 12 * time.Second
)

// overlaps finds a job that was leased to one worker while the handler of
// another worked on it, whom the fleet had every reason to believe alive.
func overlaps(k *knowledge) []Violation {
	var found []Violation
	for job, runs := range k.byJob {
		for i, second := range runs {
			for _, first := range runs[:i] {
				if k.overlap(first, second) {
					found = append(found, Violation{Overlap, job, fmt.Sprintf(
						"%s worked on it as attempt %d since %s, and %s began attempt %d at %s",
						first.Process, first.Attempt, k.since(first.At), second.Process, second.Attempt, k.since(second.At))})
				}
			}
		}
	}
	return found
}

func (k *knowledge) overlap(first, second *run) bool {
	taken := second.At
	if second.claim.At != 0 {
		taken = second.claim.At
	}
	if second.version != history.Newer || first.over() <= taken || first.told != 0 && first.told < taken || k.rescuedByOlder(first, taken) {
		return false
	}
	if first.version == history.Node { // its lock stands for its lifetime; a stepped clock makes it worthless
		return taken < first.At+int64(kinds.SharedLifetime-doubt) && !k.troubledBetween(first.Process, first.At, taken, true)
	}
	return taken < k.believed(first.Holder, taken)-int64(doubt)
}

// rescuedByOlder reports whether a worker that is not of this tree took the
// lease away.
func (k *knowledge) rescuedByOlder(first *run, before int64) bool {
	for _, rescue := range k.rescues {
		if rescue.Holder == first.Holder && rescue.At > first.At && rescue.Began < before && !k.newer(rescue.Process) {
			return true
		}
	}
	return false
}

// buriedAlive finds workers whose leases were released by peers while they
// lived, ran, and could reach the database as well as anybody.
func buriedAlive(k *knowledge) []Violation {
	var found []Violation
	for _, rescue := range k.rescues {
		victim := k.holders[rescue.Holder]
		if rescue.Count == 0 || victim == "" || victim == rescue.Process || !k.newer(victim) || !k.newer(rescue.Process) {
			continue
		}
		if exit := k.exits[victim]; exit != 0 && exit < rescue.At {
			continue
		}
		if !k.troubledBetween(victim, rescue.At-int64(troubled), rescue.At, false) {
			found = append(found, Violation{BuriedAlive, "", fmt.Sprintf(
				"%s released %d leases of %s at %s, which ran all the time and was cut off from nothing that others could reach",
				rescue.Process, rescue.Count, victim, k.since(rescue.At))})
		}
	}
	return found
}

// troubledBetween reports whether a fault aimed at that process alone went on
// in a time. A wall clock that steps is no excuse for ours (clocks false).
func (k *knowledge) troubledBetween(process string, from, to int64, clocks bool) bool {
	begun := map[string]int64{}
	for _, line := range k.Lines {
		of := line.Process != "" && slot(line.Process) == slot(process)
		switch {
		case !of || line.At > to || line.Outcome == string(plan.Clock) && !clocks:
		case line.Event == history.Fault, line.Event == history.Stopped:
			begun[string(line.Event)+line.Note] = line.At
		case line.Event == history.Restored:
			delete(begun, string(history.Fault)+line.Note)
			if line.At >= from {
				return true
			}
		case line.Event == history.Continued:
			delete(begun, string(history.Stopped))
			if line.At >= from {
				return true
			}
		}
	}
	return len(begun) > 0
}

// notTold finds handlers that went on long after another worker had begun their
// job, in a process that ran, without being told to stop.
func notTold(k *knowledge) []Violation {
	var found []Violation
	for job, runs := range k.byJob {
		for i, first := range runs {
			if first.version != history.Newer {
				continue
			}
			for _, second := range runs[i+1:] {
				limit := second.At + int64(tellWithin)
				if second.Process == first.Process || first.over() <= limit || first.told != 0 && first.told <= limit {
					continue
				}
				if !k.stoodBetween(first.Process, second.At, limit) {
					found = append(found, Violation{NotTold, job, fmt.Sprintf("%s worked on it since %s, %s began it at %s, and %s later the first still did not know",
						first.Process, k.since(first.At), second.Process, k.since(second.At), tellWithin)})
				}
				break
			}
		}
	}
	return found
}

// stoodBetween reports whether a process was stopped in a time.
func (k *knowledge) stoodBetween(process string, from, to int64) bool {
	stopped := false
	for _, line := range k.Lines {
		if line.Process != process || line.At > to {
			continue
		}
		switch line.Event {
		case history.Stopped:
			stopped = true
		case history.Continued:
			stopped = false
			if line.At > from {
				return true
			}
		}
	}
	return stopped
}

// losers finds outcomes that the store accepted though another worker had
// leased the job before the holder first asked.
func losers(k *knowledge) []Violation {
	var found []Violation
	for _, record := range k.Lines {
		if record.Event != history.Record || record.Note != "" || record.Outcome == "lost" || !k.newer(record.Process) {
			continue
		}
		own, ok := k.claimOf(record)
		if !ok {
			continue
		}
		for _, other := range k.claims[record.Job] {
			if other.Began > own.At && other.At < record.Began {
				found = append(found, Violation{Loser, record.Job, fmt.Sprintf("%s recorded %q at %s, but %s had leased it at %s",
					record.Process, record.Outcome, k.since(record.At), other.Process, k.since(other.At))})
				break
			}
		}
	}
	return found
}

// claimOf is the lease that an outcome is about.
func (k *knowledge) claimOf(record history.Line) (history.Line, bool) {
	var own history.Line
	for _, claim := range k.claims[record.Job] {
		if claim.Process == record.Process && claim.Tick == record.Tick && claim.Attempt == record.Attempt && claim.Began <= record.Began {
			own = claim
		}
	}
	return own, own.At != 0
}
