package check

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/etrainer/backend/tools/chaos/internal/history"
	"github.com/etrainer/backend/tools/chaos/internal/kinds"
)

// The rules about the end, when all faults are over.
const (
	Locked     = "a job stayed locked after the faults were over"
	Idle       = "a due job was not taken after the faults were over"
	Leaked     = "a place of a concurrency limit leaked"
	Exceeded   = "a concurrency limit was exceeded"
	Ended      = "a process ended by itself, or did not stop in good order"
	Unanswered = "a good request was refused, or never answered"
)

// locked finds what is locked when all workers have stopped. A lock of Node's
// stands for its lifetime, by the rules of Agenda.
func locked(k *knowledge) []Violation {
	var found []Violation
	for _, job := range k.Jobs {
		if job.Locked && !k.poison[job.ID] && job.LockedBy != history.Node {
			found = append(found, Violation{Locked, job.ID, fmt.Sprintf("%q (%s) is locked by %s, and all workers have stopped", job.Name, job.Key, job.LockedBy)})
		}
	}
	return found
}

// idle finds jobs that were not done in the time after the faults. The jobs of
// a name tell it together.
func idle(k *knowledge) []Violation {
	if k.settled {
		return nil
	}
	late := map[string]int{}
	example := map[string]string{}
	for _, job := range k.Jobs {
		if !k.poison[job.ID] && (job.Due || job.Locked) && slices.Contains(kinds.Once(), job.Name) {
			late[job.Name]++
			example[job.Name] = job.ID
		}
	}
	var found []Violation
	for name, n := range late {
		found = append(found, Violation{Idle, example[name], fmt.Sprintf("%d jobs of %q, this one among them, were not done within %s", n, name, k.calm.For)})
	}
	if len(found) == 0 && k.calm.At != 0 {
		found = append(found, Violation{Idle, "", fmt.Sprintf("the jobs needed more than %s, and were done when the workers stopped", k.calm.For)})
	}
	return found
}

// places finds places of limits that are taken when nothing runs.
func places(k *knowledge) []Violation {
	var found []Violation
	for _, place := range k.Places {
		found = append(found, Violation{Leaked, "", fmt.Sprintf("a place of %q is taken by %s, and all workers have stopped", place.Name, place.Holder)})
	}
	return append(found, k.probes()...)
}

// probes finds that a limited name cannot use all of its places at the end.
func (k *knowledge) probes() []Violation {
	var times []*run
	probed := 0
	for _, line := range k.Lines {
		if line.Event != history.Probe || line.Name != kinds.Limited.Name {
			continue
		}
		probed++
		times = append(times, k.byJob[line.Job]...)
	}
	most := 0
	for _, r := range times {
		most = max(most, during(times, r.At))
	}
	if probed >= kinds.Limit && most < kinds.Limit {
		return []Violation{{Leaked, "", fmt.Sprintf("at the end only %d of %d jobs of %q ran at once; its limit is %d", most, probed, kinds.Limited.Name, kinds.Limit)}}
	}
	return nil
}

func during(runs []*run, at int64) int {
	n := 0
	for _, r := range runs {
		if r.At <= at && at < r.over() {
			n++
		}
	}
	return n
}

// limits finds more runs at once than the limit allows, all of them by workers
// whose leases were good.
func limits(k *knowledge) []Violation {
	var found []Violation
	var limited []*run
	for _, r := range k.runs {
		if r.Name == kinds.Limited.Name && r.version == history.Newer && k.onlyNewer(r.Job) {
			limited = append(limited, r)
		}
	}
	for _, r := range limited {
		n := 0
		for _, other := range limited {
			good := other.At <= r.At && r.At < other.over() && (other.told == 0 || other.told > r.At) && r.At < k.believed(other.Holder, r.At)-int64(doubt)
			if good || other == r {
				n++
			}
		}
		if n > kinds.Limit && !k.olderPresent() {
			found = append(found, Violation{Exceeded, r.Job, fmt.Sprintf("at %s %d jobs of %q ran at once; its limit is %d", k.since(r.At), n, r.Name, kinds.Limit)})
			break
		}
	}
	return found
}

func (k *knowledge) olderPresent() bool {
	for _, version := range k.versions {
		if version == history.Older {
			return true
		}
	}
	return false
}

// processes finds processes that ended by themselves.
func processes(k *knowledge) []Violation {
	var found []Violation
	for _, line := range k.Lines {
		if line.Event == history.Exit && strings.HasPrefix(line.Note, history.Unexpected) {
			found = append(found, Violation{Ended, "", fmt.Sprintf("%s at %s: %s", line.Process, k.since(line.At), strings.TrimPrefix(line.Note, history.Unexpected))})
		}
	}
	return found
}

// answers finds enqueues that the api did not accept.
func answers(k *knowledge) []Violation {
	var found []Violation
	for _, line := range k.Lines {
		if line.Event == history.Refused || line.Event == history.Unanswered {
			found = append(found, Violation{Unanswered, "", fmt.Sprintf("enqueue of %q (%s), %s after it was asked for first: %s",
				line.Name, line.Key, time.Duration(line.At-line.Began).Round(time.Second), line.Note)})
		}
	}
	return found
}
