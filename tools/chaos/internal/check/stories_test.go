package check_test

import (
	"fmt"
	"maps"

	"github.com/etrainer/backend/tools/chaos/internal/check"
	"github.com/etrainer/backend/tools/chaos/internal/history"
	"github.com/etrainer/backend/tools/chaos/internal/kinds"
	"github.com/etrainer/backend/tools/chaos/internal/plan"
)

type story struct {
	tale *tale
	want []string
}

func broken(t *tale, rules ...string) story { return story{t, rules} }

func good(t *tale) story { return story{t, nil} }

func stories() map[string]story {
	all := map[string]story{}
	for _, some := range []map[string]story{leases(), outcomes(), ticks(), ends()} {
		maps.Copy(all, some)
	}
	return all
}

func leases() map[string]story {
	// Each worker holds the job; a stands from 1 to 20 in some of them.
	stood := func() *tale {
		return begin().start(1, a, 1).fault(1.5, history.Stopped, a, "").start(12, b, 2).end(13, b, 2).fault(20, history.Continued, a, "").
			say(21, of(history.Told, a, 1)).end(21.5, a, 1)
	}
	alive := func() *tale { return beside().start(1, a, 1).beat(2, a, 6).beat(4, a, 6) }
	return map[string]story{
		"a good day":                           good(begin().ack(0.5).done(1, a, 1).with(nil).calm(true)),
		"leased while another is believed":     broken(alive().start(5, b, 2).end(6, b, 2).end(7, a, 1), check.Overlap),
		"leased when another is not believed":  good(alive().start(11, b, 2).end(12, b, 2).end(13, a, 1)),
		"leased when another was told":         good(alive().say(4.5, of(history.Told, a, 1)).start(5, b, 2).end(6, b, 2).end(7, a, 1)),
		"leased after another ended":           good(alive().end(4.5, a, 1).start(5, b, 2).end(6, b, 2)),
		"leased after another died":            good(alive().exit(4.5, a, "signal: killed").start(5, b, 2).end(6, b, 2)),
		"leased by Node, whose clock may step": good(alive().start(5, node, 0).end(6, node, 0).end(7, a, 1)),
		"leased after an older worker rescued": good(alive().rescue(4.5, older, a).start(5, b, 2).end(6, b, 2).end(7, a, 1)),
		"leased while Node's lock is good":     broken(begin().start(1, node, 0).start(5, b, 2).end(6, b, 2).end(7, node, 0), check.Overlap),
		"leased when Node's lock is over":      good(begin().start(1, node, 0).start(25, b, 2).end(26, b, 2).end(27, node, 0)),
		"a live worker is rescued":             broken(alive().rescue(30, b, a).end(31, a, 1), check.BuriedAlive),
		"a live worker has a wrong clock":      broken(alive().fault(3, history.Fault, a, plan.Clock).rescue(30, b, a).end(31, a, 1), check.BuriedAlive),
		"a worker that was cut off is rescued": good(alive().fault(3, history.Fault, "worker-1", plan.Hole).rescue(30, b, a).end(31, a, 1)),
		"a worker soon after is rescued":       good(alive().fault(3, history.Fault, "worker-1", plan.Hole).fault(10, history.Restored, "worker-1", plan.Hole).rescue(30, b, a).end(31, a, 1)),
		"a worker long after is rescued":       broken(alive().fault(3, history.Fault, "worker-1", plan.Hole).fault(4, history.Restored, "worker-1", plan.Hole).rescue(30, b, a).end(31, a, 1), check.BuriedAlive),
		"a dead worker is rescued":             good(alive().exit(5, a, "signal: killed").rescue(30, b, a)),
		"an older worker is rescued":           good(beside().rescue(30, b, older)),
		"a handler is not told":                broken(alive().start(20, b, 2).end(21, b, 2).end(40, a, 1), check.NotTold),
		"a handler is told late":               broken(alive().start(20, b, 2).end(21, b, 2).say(39, of(history.Told, a, 1)).end(40, a, 1), check.NotTold),
		"a handler is told soon":               good(alive().start(20, b, 2).end(21, b, 2).say(25, of(history.Told, a, 1)).end(40, a, 1)),
		"a handler that stood could not be":    good(stood()),
		"a loser records":                      broken(begin().start(1, a, 1).start(20, b, 2).end(21, b, 2).record(21.2, b, 2, "succeeded").end(22, a, 1).record(23, a, 1, "succeeded"), check.Loser),
		"a loser is refused":                   good(begin().start(1, a, 1).start(20, b, 2).end(21, b, 2).end(22, a, 1).say(23, refused(a))),
		"a loser knows":                        good(begin().start(1, a, 1).start(20, b, 2).end(21, b, 2).end(22, a, 1).record(23, a, 1, "lost")),
		"a record was repeated":                good(begin().start(1, a, 1).end(2, a, 1).claim(3, b, 2).say(4, repeated(a, 2.5))),
		"an older loser records":               good(beside().start(1, older, 1).start(20, b, 2).end(21, b, 2).end(22, older, 1).record(23, older, 1, "succeeded")),
	}
}

func refused(process string) history.Line {
	line := of(history.Record, process, 1)
	line.Outcome, line.Note = "succeeded", "lease lost"
	return line
}

// repeated is a record whose first try began earlier.
func repeated(process string, began float64) history.Line {
	line := of(history.Record, process, 1)
	line.Outcome, line.Began = "succeeded", nanos(began+1)
	return line
}

func outcomes() map[string]story {
	dead := func(name, reason string) func(*check.Job) {
		return func(j *check.Job) { j.Name, j.Failed, j.FailReason = name, true, reason }
	}
	failed := func(t *tale, at float64, attempt int) *tale {
		line := of(history.End, a, attempt)
		line.Note = "failed"
		return t.start(at, a, attempt).say(at+0.1, line)
	}
	crashes := func(name string, n int) *tale {
		t := begin()
		for i := range n {
			process := fmt.Sprintf("worker-1.%d", i+2)
			t.live(process, history.Newer).exit(float64(i)+1.5, process, "exit status 3")
			for _, event := range []history.Event{history.Claim, history.Start} {
				line := of(event, process, i+1)
				line.Name = name
				t.say(float64(i+1), line)
			}
		}
		return t
	}
	return map[string]story{
		"acknowledged and gone":              broken(begin().ack(1), check.Acknowledged),
		"acknowledged and due":               broken(begin().ack(1).with(func(j *check.Job) { j.Finished, j.Planned, j.Due = false, true, true }).calm(true), check.Acknowledged),
		"acknowledged, run before":           broken(begin().done(1, a, 1).ack(5).with(nil), check.Acknowledged),
		"acknowledged for later":             good(begin().say(1, later()).with(func(j *check.Job) { j.Finished, j.Planned = false, true })),
		"acknowledged by Node's wrong clock": good(nodeAck(begin().fault(0.5, history.Fault, "node", plan.Clock)).with(func(j *check.Job) { j.Finished, j.Planned = false, true })),
		"acknowledged by Node":               broken(nodeAck(begin()).with(func(j *check.Job) { j.Finished, j.Planned = false, true }), check.Acknowledged),
		"acknowledged, then cancelled":       good(begin().ack(1).cancel(2, "").with(func(j *check.Job) { j.Cancelled = true })),
		"cancelled, then acknowledged":       broken(begin().cancel(1, "").ack(2).with(func(j *check.Job) { j.Cancelled = true }), check.Acknowledged),
		"cancelled, nobody knows when":       good(begin().cancel(1, history.Unknown).ack(2).with(func(j *check.Job) { j.Cancelled = true })),
		"dead with a reason":                 good(failed(begin().ack(0.5), 1, 1).with(dead(kinds.Failing.Name, "failed"))),
		"dead without a reason":              broken(begin().ack(0.5).with(dead(kinds.Failing.Name, "")), check.Acknowledged),
		"innocent, and dead at once":         broken(failed(begin(), 1, 1).with(dead(kinds.Quick.Name, "the worker died")), check.Charged),
		"innocent, and dead by crashes":      good(crashes(kinds.Quick.Name, kinds.Quick.Retry.MaxAttempts).with(dead(kinds.Quick.Name, "the worker died"))),
		"kills its worker for ever":          broken(crashes(kinds.Exiting.Name, kinds.Exiting.Retry.MaxAttempts+1).with(dead(kinds.Exiting.Name, "it died")), check.Attempts),
		"kills its worker until it dies":     good(crashes(kinds.Exiting.Name, kinds.Exiting.Retry.MaxAttempts).with(dead(kinds.Exiting.Name, "it died"))),
		"completed, and nobody did it":       broken(begin().with(nil), check.Unrecorded),
		"one key, two jobs":                  broken(begin().done(1, a, 1).with(nil).with(func(j *check.Job) { j.ID, j.Finished = another, false }), check.TwoJobs),
		"one key of Node, two jobs":          good(begin().with(func(j *check.Job) { j.Key, j.Finished = "node.1-1", false }).with(func(j *check.Job) { j.ID, j.Key, j.Finished = another, "node.1-1", false })),
		"cancelled without a cancel":         broken(begin().claim(2, a, 1).record(3, a, 1, "cancelled").with(func(j *check.Job) { j.Cancelled = true }), check.Eaten),
		"cancelled by an old cancel":         broken(begin().cancel(1, "").claim(2, a, 1).record(3, a, 1, "cancelled").with(func(j *check.Job) { j.Cancelled = true }), check.Eaten),
		"cancelled while it ran":             good(begin().claim(2, a, 1).cancel(2.5, "").record(3, a, 1, "cancelled").with(func(j *check.Job) { j.Cancelled = true })),
		"a damaged job may do what it will":  good(begin().say(0.5, history.Line{Process: "stage", Event: history.Poison, Job: job}).with(func(j *check.Job) { j.Locked, j.Due = true, true }).calm(false).calm(true)),
	}
}

func nodeAck(t *tale) *tale { return t.say(1, of(history.Ack, node, 0)) }

func later() history.Line {
	line := of(history.Ack, "stage", 0)
	line.Note = history.Later
	return line
}

func ticks() map[string]story {
	moved := func(attempt int, tick int64) *tale {
		second := of(history.Start, b, attempt)
		second.Tick = tick
		return begin().start(1, a, 1).exit(2, a, "signal: killed").say(20, second)
	}
	recurring := func(id string) func(*check.Job) {
		return func(j *check.Job) { j.ID, j.Name, j.Recurring = id, kinds.Tick.Name, true }
	}
	tick := func(t *tale, at float64, process, id string) *tale {
		line := of(history.Start, process, 1)
		line.Job, line.Name = id, kinds.Tick.Name
		return t.say(at, line)
	}
	return map[string]story{
		"one attempt, started twice":   broken(begin().start(1, a, 1).exit(2, a, "signal: killed").start(20, b, 1).end(21, b, 1), check.Twice),
		"the next attempt":             good(begin().start(1, a, 1).exit(2, a, "signal: killed").start(20, b, 2).end(21, b, 2)),
		"one attempt, planned anew":    good(begin().done(1, a, 1).ack(5).done(6, b, 1).with(nil)),
		"one attempt, an older worker": good(beside().start(1, older, 1).exit(2, older, "signal: killed").start(20, b, 1).end(21, b, 1)),
		"another tick":                 broken(moved(1, 2000), check.TickChanged),
		"fewer attempts":               broken(begin().start(1, a, 2).exit(2, a, "signal: killed").start(20, b, 1).end(21, b, 1), check.TickChanged),
		"a recurring job twice":        broken(begin().with(recurring(job)).with(recurring(another)), check.TwoDocs),
		"a tick of two documents":      broken(tick(tick(begin(), 1, a, job), 2, b, another).exit(1.5, a, "signal: killed").with(recurring(job)).with(recurring(another)), check.Twice, check.TwoDocs),
		"a tick of one document":       good(tick(begin(), 1, a, job).with(recurring(job))),
	}
}

func ends() map[string]story {
	limited := func(t *tale, at float64, process, id string, event history.Event) *tale {
		line := of(event, process, 1)
		line.Job, line.Name = id, kinds.Limited.Name
		return t.say(at, line)
	}
	three := func(t *tale, process string) *tale {
		for i, id := range []string{job, another, "6c6c6c6c6c6c6c6c6c6c6c6c"} {
			limited(t, 1+float64(i)/10, process, id, history.Start)
			limited(t, 3, process, id, history.End)
		}
		return t
	}
	probe := func(overlapping bool) *tale {
		t := begin()
		for i, id := range []string{job, another} {
			limited(t, 1, "stage", id, history.Probe)
			from := 2.0
			if !overlapping {
				from += float64(2 * i)
			}
			limited(limited(t, from, a, id, history.Start), from+1, a, id, history.End)
		}
		return t
	}
	place := begin()
	place.Places = []check.Place{{Name: kinds.Limited.Name, Holder: holder(a)}}
	due := func(j *check.Job) { j.Finished, j.Planned, j.Due = false, true, true }
	return map[string]story{
		"locked at the end":             broken(begin().with(func(j *check.Job) { j.Locked = true }).calm(true), check.Locked),
		"due at the end":                broken(begin().with(due).calm(false), check.Idle),
		"done at the end, but too late": broken(begin().calm(false), check.Idle),
		"a place is taken":              broken(place, check.Leaked),
		"a place cannot be used":        broken(probe(false), check.Leaked),
		"all places are used":           good(probe(true)),
		"more than the limit":           broken(three(begin(), a), check.Exceeded),
		"more, with an older worker":    good(three(beside(), a)),
		"an unexpected end":             broken(begin().exit(5, a, history.Unexpected+"exit status 2"), check.Ended),
		"an expected end":               good(begin().exit(5, a, "signal: killed")),
		"a refusal":                     broken(begin().say(5, history.Line{Process: "stage", Event: history.Refused, Note: "400"}), check.Unanswered),
		"no answer":                     broken(begin().say(5, history.Line{Process: "stage", Event: history.Unanswered}), check.Unanswered),
	}
}
