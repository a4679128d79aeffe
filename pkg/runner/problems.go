package runner

import (
	"slices"
	"strings"

	"github.com/etrainer/backend/pkg/fleet"
	"github.com/etrainer/backend/pkg/queue"
)

// maxProblemText bounds each text of a problem in a heartbeat.
const maxProblemText = 500

// problems are what a heartbeat tells of: never nil.
func (p *presence) problems() []queue.Problem {
	list := p.options.Problems.List()
	list = list[:min(len(list), fleet.MaxProblems)]
	told := make([]queue.Problem, len(list))
	for i, problem := range list {
		problem.ID, problem.Name = storable(problem.ID), storable(problem.Name)
		problem.What, problem.Fix = storable(problem.What), storable(problem.Fix)
		told[i] = problem
	}
	return told
}

// storable makes a text short, and one that the database stores.
func storable(text string) string {
	if len(text) > maxProblemText {
		text = text[:maxProblemText] + "…"
	}
	return strings.ToValidUTF8(text, "\uFFFD")
}

func sameProblems(a, b []queue.Problem) bool {
	return slices.EqualFunc(a, b, func(a, b queue.Problem) bool {
		sinceA, sinceB := a.Since, b.Since
		a.Since, b.Since = sinceB, sinceB
		return sinceA.Equal(sinceB) && a == b
	})
}
