package plan

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/etrainer/backend/tools/chaos/internal/worker"
)

// The processes that faults aim at.
const (
	API  = "api"
	Node = "node"
)

// Workers are the workers of this tree.
var Workers = []string{"worker-1", "worker-2", "worker-3"}

// OlderWorker is the older worker beside them, where a plan has one.
const OlderWorker = "older-1"

// Window is the time in which faults begin, and Last the one at which all have
// ended.
const (
	Window = 22 * time.Second
	Last   = 36 * time.Second
)

// Plan is all that a seed decides.
type Plan struct {
	Seed   uint64
	Faults []Fault // in the order of their beginnings
}

// New draws the plan of a seed. At most two faults go on at once. Neighbouring
// seeds begin with different kinds, so that any row of as many seeds as there
// are kinds tries them all.
func New(seed uint64) Plan {
	d := &dice{rand.New(rand.NewPCG(seed, 11))}
	kinds := Kinds()
	first := d.fault(kinds[int(seed%uint64(len(kinds)))], time.Second)
	p := Plan{Seed: seed, Faults: []Fault{first}}
	for track, at := range []time.Duration{first.end(), d.between(2*time.Second, 6*time.Second)} {
		for {
			at += d.between(time.Second/2, 3*time.Second)
			if at > Window {
				break
			}
			next := d.fault(oneOf(d, likely), at)
			if next.Kind == Older && (p.Has(Older) || track == 1) {
				continue
			}
			p.Faults = append(p.Faults, next)
			at = next.end()
		}
	}
	slices.SortStableFunc(p.Faults, func(a, b Fault) int { return cmp.Compare(a.Begin, b.Begin) })
	return p
}

// Has reports whether a kind is among the faults.
func (p Plan) Has(kind Kind) bool {
	return slices.ContainsFunc(p.Faults, func(f Fault) bool { return f.Kind == kind })
}

// Only returns the plan without the faults of other kinds; "" = with all.
func (p Plan) Only(kind Kind) Plan {
	if kind != "" {
		p.Faults = slices.DeleteFunc(p.Faults, func(f Fault) bool { return f.Kind != kind })
	}
	return p
}

func (p Plan) String() string {
	lines := []string{fmt.Sprintf("seed %d", p.Seed)}
	for _, f := range p.Faults {
		lines = append(lines, "  "+f.String())
	}
	return strings.Join(lines, "\n")
}

type dice struct{ *rand.Rand }

// likely are the kinds from which further faults are drawn: those at a step
// come more often, for there are many steps. The large payload only ever comes
// first: it makes the embedded engine slow for all that follows.
var likely = slices.DeleteFunc(
	append(Kinds(), KillAt, KillAt, KillAt, StopAt, StopAt, Stop, KillDatabase, Hole),
	func(kind Kind) bool { return kind == BigPayload },
)

func (d *dice) between(from, to time.Duration) time.Duration {
	return (from + time.Duration(d.Float64()*float64(to-from))).Round(100 * time.Millisecond)
}

func oneOf[T any](d *dice, of []T) T { return of[d.IntN(len(of))] }

// fault draws what a kind leaves open.
func (d *dice) fault(kind Kind, begin time.Duration) Fault {
	f := Fault{Kind: kind, Begin: begin}
	switch kind {
	case KillAt:
		f.Target, f.Step, f.For = oneOf(d, Workers), oneOf(d, steps), 8*time.Second
	case KillArm:
		f.Target, f.Step, f.For = oneOf(d, Workers), worker.Step{At: "arm", Command: 1 + d.IntN(2), After: d.IntN(2) == 0}, 6*time.Second
	case StopAt:
		f.Target, f.Step, f.For = oneOf(d, Workers), oneOf(d, steps), d.between(13*time.Second, 18*time.Second)
	case Stop: // past the lease: six seconds, confirmed and found by peers
		f.Target, f.For = oneOf(d, Workers), d.between(11*time.Second, 16*time.Second)
	case Clock:
		f.Target, f.Away, f.For = oneOf(d, append([]string{API, Node}, Workers...)), oneOf(d, []time.Duration{-11 * time.Minute, 11 * time.Minute}), d.between(12*time.Second, 20*time.Second)
	case KillEnqueue:
		f.Target, f.After, f.For = API, d.IntN(2) == 0, 5*time.Second
	case KillNode:
		f.Target = Node
	case Hole:
		f.Target, f.For = d.someOrAll(), d.between(5*time.Second, 16*time.Second)
	case Refuse:
		f.Target, f.For = d.someOrAll(), d.between(3*time.Second, 14*time.Second)
	case Tear:
		f.Target, f.For = d.someOrAll(), d.between(time.Second, 4*time.Second)
	case Delay:
		f.Target, f.Slow, f.For = d.someOrAll(), 500*time.Millisecond, d.between(6*time.Second, 12*time.Second)
	case KillDatabase, KillRedis:
		f.For = d.between(time.Second, 8*time.Second)
	case MuteRedis:
		f.For = d.between(4*time.Second, 10*time.Second)
	case BigPayload:
		f.For = 5 * time.Second
	case Older:
		f.Target, f.For = OlderWorker, d.between(14*time.Second, 20*time.Second)
	case Exits, Deaf, OddResults, Poison, FlushRedis: // at once
	}
	f.For = min(f.For, Last-f.Begin)
	return f
}

// someOrAll is a process that is cut off alone, or "" for all of them.
func (d *dice) someOrAll() string { return oneOf(d, append([]string{"", API}, Workers...)) }

// steps are where workers are killed and stopped. The commands of a lease are:
// find, claim, read back, look at earlier runs, start; those of a record: the
// outcomes, and what follows where some did not match.
var steps = func() []worker.Step {
	steps := []worker.Step{
		{At: "lease", After: true}, {At: "start", After: true}, {At: "effect"}, {At: "effect", After: true}, {At: "record"}, {At: "record", After: true},
	}
	for at, commands := range map[string]int{"lease": 4, "record": 1, "runs": 1, "beat": 1, "renew": 1, "rescue": 2} {
		for command := range commands {
			steps = append(steps, worker.Step{At: at, Command: command + 1}, worker.Step{At: at, Command: command + 1, After: true})
		}
	}
	slices.SortFunc(steps, func(a, b worker.Step) int { return cmp.Compare(a.String(), b.String()) })
	return steps
}()
