package check

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/etrainer/backend/tools/chaos/internal/history"
)

// Story is what is known about a seed at its end.
type Story struct {
	Lines  []history.Line // in order
	Jobs   []Job          // of the collection
	Places []Place        // that are taken of limits
}

// Job is a job at the end. Fields that are damaged count as absent.
type Job struct {
	ID         string // hex, or what poison.ID says of a foreign one
	Name       string
	Key        string // of its payload
	Recurring  bool
	Locked     bool
	LockedBy   string
	Due        bool // its time has come
	Planned    bool // it has a time
	Finished   bool // a run of it ended
	Failed     bool // the last one failed
	FailReason string
	Cancelled  bool
}

// dead reports whether the job failed for good.
func (j Job) dead() bool { return j.Failed && !j.Planned && !j.Locked }

// Place is a place of a limit that is taken.
type Place struct{ Name, Holder string }

// Violation is a broken promise.
type Violation struct {
	Rule string // one of the constants of this package
	Job  string // hex; "" = it is about no single one
	Text string
}

func (v Violation) String() string {
	if v.Job == "" {
		return v.Rule + ": " + v.Text
	}
	return v.Rule + ": job " + v.Job + ": " + v.Text
}

// Check returns every violation.
func Check(story Story) []Violation {
	k := learn(story)
	var all []Violation
	for _, rule := range []func(*knowledge) []Violation{
		overlaps, buriedAlive, notTold, losers, acknowledged, recorded, twice, ticks, attempts, locked, idle, places, limits, cancels, processes, answers,
	} {
		all = append(all, rule(k)...)
	}
	return all
}

// run is one call of a handler.
type run struct {
	history.Line      // its start
	effect, told, end int64
	gone              int64 // when its process ended; 0 = it did not
	err               string
	claim             history.Line // zero = unknown
	record            history.Line // zero = unknown
	version           string
}

// over is when the handler ran no more.
func (r *run) over() int64 {
	switch {
	case r.end != 0:
		return r.end
	case r.gone != 0:
		return r.gone
	default:
		return 1<<63 - 1
	}
}

// knowledge is the story in the order in which rules ask for it.
type knowledge struct {
	Story
	versions map[string]string // of processes
	exits    map[string]int64  // of processes: when they ended
	runs     []*run            // in the order of their starts
	byJob    map[string][]*run
	claims   map[string][]history.Line // by job
	beats    map[string][]history.Line // accepted ones, by holder
	holders  map[string]string         // process of each holder
	rescues  []history.Line
	poison   map[string]bool
	jobs     map[string]Job // by id
	calm     history.Line
	settled  bool
}

func learn(story Story) *knowledge {
	k := &knowledge{
		Story: story, versions: map[string]string{}, exits: map[string]int64{}, byJob: map[string][]*run{},
		claims: map[string][]history.Line{}, beats: map[string][]history.Line{}, holders: map[string]string{},
		poison: map[string]bool{}, jobs: map[string]Job{},
	}
	for _, job := range story.Jobs {
		k.jobs[job.ID] = job
	}
	for _, line := range story.Lines {
		switch line.Event {
		case history.Life:
			k.versions[line.Process] = line.Note
		case history.Exit:
			k.exits[line.Process] = line.At
		case history.Claim:
			k.claims[line.Job] = append(k.claims[line.Job], line)
		case history.Beat:
			k.holders[line.Holder] = line.Process
			if line.Note == "" {
				k.beats[line.Holder] = append(k.beats[line.Holder], line)
			}
		case history.Rescue:
			k.rescues = append(k.rescues, line)
		case history.Poison:
			k.poison[line.Job] = true
		case history.Calm:
			k.calm = line
		case history.Settled:
			k.settled = true
		}
	}
	k.learnRuns()
	return k
}

// learnRuns joins the lines of each call of a handler.
func (k *knowledge) learnRuns() {
	type key struct {
		process, job string
		tick         int64
		attempt      int
	}
	going := map[key]*run{}
	for _, line := range k.Lines {
		at := key{line.Process, line.Job, line.Tick, line.Attempt}
		r := going[at]
		switch {
		case line.Event == history.Start && !k.poison[line.Job] && !foreign(line.Job):
			r = &run{Line: line, version: k.versions[line.Process], gone: k.exits[line.Process]}
			for _, claim := range k.claims[line.Job] {
				if claim.Process == line.Process && claim.Tick == line.Tick && claim.Attempt == line.Attempt && claim.At < line.At {
					r.claim = claim
				}
			}
			going[at] = r
			k.runs, k.byJob[line.Job] = append(k.runs, r), append(k.byJob[line.Job], r)
		case r == nil:
		case line.Event == history.Effect:
			r.effect = line.At
		case line.Event == history.Told:
			r.told = line.At
		case line.Event == history.End:
			r.end, r.err = line.At, line.Note
		case line.Event == history.Record:
			r.record = line
		}
	}
}

// foreign reports whether the id of a job is none of ours: damaged documents
// have ids that a handler is not told.
func foreign(id string) bool { return id == strings.Repeat("0", 24) }

// newer reports whether a process is of this tree.
func (k *knowledge) newer(process string) bool { return k.versions[process] == history.Newer }

// onlyNewer reports whether all of a job's claims and runs were by workers of
// this tree: what an older one or Node does is no fault of ours.
func (k *knowledge) onlyNewer(job string) bool {
	return !slices.ContainsFunc(k.byJob[job], func(r *run) bool { return r.version != history.Newer }) &&
		!slices.ContainsFunc(k.claims[job], func(l history.Line) bool { return !k.newer(l.Process) })
}

// believed is until when a holder may be believed, as far as is known at a
// time: its last heartbeat that the fleet accepted says so.
func (k *knowledge) believed(holder string, at int64) int64 {
	var until int64
	for _, beat := range k.beats[holder] { // in order
		if beat.At <= at {
			until = beat.Began + int64(beat.For)
		}
	}
	return until
}

// slot is the place of a process: its name without the number of its life.
func slot(process string) string {
	name, _, _ := strings.Cut(process, ".")
	return name
}

// since puts a time into words.
func (k *knowledge) since(at int64) string {
	if len(k.Lines) == 0 {
		return "0 s"
	}
	return fmt.Sprintf("%.2f s", time.Duration(at-k.Lines[0].At).Seconds())
}
