package queue

import (
	"cmp"
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"
)

// Problem is something in the database that cannot be used, and that only a
// person can put right. It costs nothing but itself: everything else goes on.
type Problem struct {
	Collection string    `bson:"collection" json:"collection"`
	ID         string    `bson:"id" json:"id"`                         // the _id, as text
	Name       string    `bson:"name,omitempty" json:"name,omitempty"` // the job name, where it is known
	What       string    `bson:"what" json:"what"`                     // what is wrong, in one sentence
	Fix        string    `bson:"fix" json:"fix"`                       // what to do, in one sentence
	Since      time.Time `bson:"since" json:"since"`
}

const (
	// maxProblems bounds what is kept; more are counted, and not listed.
	maxProblems = 100
	// problemAge is how long a problem is kept after it was met last.
	problemAge = 15 * time.Minute
)

// Problems collects the problems that the parts of one process meet. Each is
// logged once. The zero value is not usable; a nil *Problems drops everything.
type Problems struct {
	now func() time.Time
	log *slog.Logger

	mu    sync.Mutex
	known map[problemKey]*metProblem
	over  int // reported while the list was full
}

type problemKey struct{ collection, id, what string }

type metProblem struct {
	Problem
	met time.Time
}

// NewProblems returns an empty collection. log receives each problem once, as
// an error.
func NewProblems(now func() time.Time, log *slog.Logger) *Problems {
	return &Problems{now: now, log: log, known: map[problemKey]*metProblem{}}
}

// Report tells of a problem, each time that it is met.
func (p *Problems) Report(ctx context.Context, problem Problem) {
	if p == nil {
		return
	}
	if p.add(problem) {
		p.log.ErrorContext(ctx, "a document cannot be used", slog.String("collection", problem.Collection), slog.String("id", problem.ID),
			slog.String("job_name", problem.Name), slog.String("problem", problem.What), slog.String("fix", problem.Fix))
	}
}

// add reports whether the problem is new.
func (p *Problems) add(problem Problem) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.now()
	key := problemKey{problem.Collection, problem.ID, problem.What}
	if known := p.known[key]; known != nil {
		known.met = now
		return false
	}
	p.forget(now)
	if len(p.known) == maxProblems {
		p.over++
		return p.over == 1 // say once that there are more than the list holds
	}
	problem.Since = now
	p.known[key] = &metProblem{Problem: problem, met: now}
	return true
}

// forget drops what was not met for a while: somebody put it right.
func (p *Problems) forget(now time.Time) {
	for key, known := range p.known {
		if now.Sub(known.met) > problemAge {
			delete(p.known, key)
		}
	}
	if len(p.known) < maxProblems {
		p.over = 0
	}
}

// List returns the present problems, oldest first.
func (p *Problems) List() []Problem {
	if p == nil {
		return nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.forget(p.now())
	list := make([]Problem, 0, len(p.known))
	for _, known := range p.known {
		list = append(list, known.Problem)
	}
	slices.SortFunc(list, func(a, b Problem) int {
		return cmp.Or(a.Since.Compare(b.Since), cmp.Compare(a.Collection, b.Collection), cmp.Compare(a.ID, b.ID))
	})
	return list
}
