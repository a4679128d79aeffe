// Package report puts into words what came of seeds.
package report

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/etrainer/backend/tools/chaos/internal/check"
	"github.com/etrainer/backend/tools/chaos/internal/history"
	"github.com/etrainer/backend/tools/chaos/internal/plan"
)

// mostShown bounds the violations of one rule that are printed for a seed.
const mostShown = 3

// Seed tells of one seed: a line where all promises held, else the plan and
// what was broken.
func Seed(p plan.Plan, story check.Story, violations []check.Violation, took time.Duration) string {
	facts := fmt.Sprintf("%.0f s, %s", took.Seconds(), count(story.Lines))
	if len(violations) == 0 {
		names := make([]string, len(p.Faults))
		for i, f := range p.Faults {
			names[i] = string(f.Kind)
		}
		return fmt.Sprintf("seed %d held (%s): %s\n", p.Seed, facts, strings.Join(names, ", "))
	}
	var text strings.Builder
	fmt.Fprintf(&text, "seed %d FAILED (%s)\n", p.Seed, facts)
	for _, f := range p.Faults {
		fmt.Fprintf(&text, "  fault     %s\n", f)
	}
	shown := map[string]int{}
	for _, v := range violations {
		if shown[v.Rule]++; shown[v.Rule] <= mostShown {
			fmt.Fprintf(&text, "  violation %s\n", v)
		}
	}
	for _, rule := range sorted(shown) {
		if more := shown[rule] - mostShown; more > 0 {
			fmt.Fprintf(&text, "  violation %s: %d more\n", rule, more)
		}
	}
	return text.String()
}

// count tells how much happened.
func count(lines []history.Line) string {
	n := map[history.Event]int{}
	killed := 0
	for _, line := range lines {
		n[line.Event]++
		if line.Event == history.Exit && strings.HasSuffix(line.Note, "killed") {
			killed++
		}
	}
	return fmt.Sprintf("%d jobs acknowledged, %d runs, %d processes killed", n[history.Ack]+n[history.Probe], n[history.Start], killed)
}

func sorted[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for key := range m {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}

// Summary adds up seeds.
type Summary struct {
	seeds, failed int
	kinds         map[plan.Kind]int
	rules         map[string][]uint64 // the seeds that broke each
	acks, runs    int
	rescues       []time.Duration
}

// New returns an empty Summary.
func New() *Summary { return &Summary{kinds: map[plan.Kind]int{}, rules: map[string][]uint64{}} }

// Add takes in a seed.
func (s *Summary) Add(p plan.Plan, story check.Story, violations []check.Violation) {
	s.seeds++
	if len(violations) > 0 {
		s.failed++
	}
	for _, f := range p.Faults {
		s.kinds[f.Kind]++
	}
	for _, v := range violations {
		if seeds := s.rules[v.Rule]; len(seeds) == 0 || seeds[len(seeds)-1] != p.Seed {
			s.rules[v.Rule] = append(seeds, p.Seed)
		}
	}
	for _, line := range story.Lines {
		switch line.Event {
		case history.Ack, history.Probe:
			s.acks++
		case history.Start:
			s.runs++
		}
	}
	s.rescues = append(s.rescues, check.Rescues(story)...)
}

// Failed is how many seeds broke a promise.
func (s *Summary) Failed() int { return s.failed }

// Text is the end of the output.
func (s *Summary) Text(took time.Duration) string {
	var text strings.Builder
	fmt.Fprintf(&text, "\n%d seeds in %s, %d held, %d failed; %d jobs acknowledged, %d runs\n",
		s.seeds, took.Round(time.Second), s.seeds-s.failed, s.failed, s.acks, s.runs)
	var tried []string
	for _, kind := range plan.Kinds() {
		tried = append(tried, fmt.Sprintf("%s %d", kind, s.kinds[kind]))
	}
	fmt.Fprintf(&text, "faults: %s\n", strings.Join(tried, ", "))
	if n := len(s.rescues); n > 0 {
		slices.Sort(s.rescues)
		fmt.Fprintf(&text, "from kill -9 of a worker until its job ran elsewhere: %d times, median %.1f s, longest %.1f s\n",
			n, s.rescues[n/2].Seconds(), s.rescues[n-1].Seconds())
	}
	rules := sorted(s.rules)
	slices.SortStableFunc(rules, func(a, b string) int { return cmp.Compare(len(s.rules[b]), len(s.rules[a])) })
	for _, rule := range rules {
		seeds := slices.Clone(s.rules[rule])
		slices.Sort(seeds)
		fmt.Fprintf(&text, "broken by %d seeds: %s (%v)\n", len(seeds), rule, seeds)
	}
	return text.String()
}
