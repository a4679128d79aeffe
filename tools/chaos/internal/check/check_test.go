package check_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/etrainer/backend/tools/chaos/internal/check"
	"github.com/etrainer/backend/tools/chaos/internal/history"
	"github.com/etrainer/backend/tools/chaos/internal/kinds"
	"github.com/etrainer/backend/tools/chaos/internal/plan"
)

// tale builds a story line by line. Times are in seconds.
type tale struct {
	check.Story
}

// a and b are two workers, each with its holder.
const (
	a, b    = "worker-1.1", "worker-2.1"
	older   = "older-1.1"
	node    = "node.1"
	job     = "6a6a6a6a6a6a6a6a6a6a6a6a"
	another = "6b6b6b6b6b6b6b6b6b6b6b6b"
)

func holder(process string) string { return "holder of " + process }

// begin is a tale in which two workers and Node live.
func begin() *tale {
	return (&tale{}).live(a, history.Newer).live(b, history.Newer).live(node, history.Node)
}

// beside is begin with an older worker.
func beside() *tale { return begin().live(older, history.Older) }

func (t *tale) live(process, version string) *tale {
	return t.say(0, history.Line{Process: process, Event: history.Life, Note: version}).beat(0, process, 6)
}

func nanos(seconds float64) int64 { return int64(seconds * 1e9) }

func (t *tale) say(at float64, line history.Line) *tale {
	line.At = nanos(at + 1) // nothing happens at 0, which stands for never
	if line.Began == 0 {
		line.Began = line.At
	}
	t.Lines = append(t.Lines, line)
	return t
}

func (t *tale) beat(at float64, process string, seconds int) *tale {
	return t.say(at, history.Line{Process: process, Event: history.Beat, Holder: holder(process), For: time.Duration(seconds) * time.Second})
}

// of is a line about a run of the job.
func of(event history.Event, process string, attempt int) history.Line {
	return history.Line{Process: process, Event: event, Job: job, Name: kinds.Quick.Name, Tick: 1000, Attempt: attempt, Holder: holder(process), Key: "key"}
}

func (t *tale) claim(at float64, process string, attempt int) *tale {
	return t.say(at, of(history.Claim, process, attempt))
}

func (t *tale) start(at float64, process string, attempt int) *tale {
	return t.claim(at, process, attempt).say(at+0.01, of(history.Start, process, attempt))
}

func (t *tale) end(at float64, process string, attempt int) *tale {
	return t.say(at, of(history.End, process, attempt))
}

func (t *tale) record(at float64, process string, attempt int, outcome string) *tale {
	line := of(history.Record, process, attempt)
	line.Outcome = outcome
	return t.say(at, line)
}

func (t *tale) fault(at float64, event history.Event, process string, kind plan.Kind) *tale {
	return t.say(at, history.Line{Process: process, Event: event, Outcome: string(kind), Note: string(kind)})
}

func (t *tale) rescue(at float64, by, of string) *tale {
	return t.say(at, history.Line{Process: by, Event: history.Rescue, Holder: holder(of), Count: 1})
}

func (t *tale) ack(at float64) *tale {
	line := of(history.Ack, "stage", 0)
	return t.say(at, line)
}

func (t *tale) cancel(at float64, note string) *tale {
	line := of(history.Cancel, "stage", 0)
	line.Note = note
	return t.say(at, line)
}

func (t *tale) exit(at float64, process, note string) *tale {
	return t.say(at, history.Line{Process: process, Event: history.Exit, Note: note})
}

// done is a good run.
func (t *tale) done(at float64, process string, attempt int) *tale {
	return t.start(at, process, attempt).end(at+0.1, process, attempt).record(at+0.2, process, attempt, "succeeded")
}

// with puts the job into the database; change nil = as completed.
func (t *tale) with(change func(*check.Job)) *tale {
	j := check.Job{ID: job, Name: kinds.Quick.Name, Key: "key", Finished: true}
	if change != nil {
		change(&j)
	}
	t.Jobs = append(t.Jobs, j)
	return t
}

// calm ends the faults.
func (t *tale) calm(settled bool) *tale {
	t.say(100, history.Line{Process: "stage", Event: history.Calm, For: time.Minute})
	if settled {
		t.say(110, history.Line{Process: "stage", Event: history.Settled})
	}
	return t
}

// TestRules tells one story for each way to break a rule, and its innocent
// twins.
func TestRules(t *testing.T) {
	t.Parallel()
	for name, test := range stories() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			story := test.tale.Story
			slices.SortStableFunc(story.Lines, func(a, b history.Line) int { return int(a.At - b.At) })
			var got []string
			for _, v := range check.Check(story) {
				if !slices.Contains(got, v.Rule) {
					got = append(got, v.Rule)
				}
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s%s", diff, fmt.Sprint(check.Check(story)))
			}
		})
	}
}
