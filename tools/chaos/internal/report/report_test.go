package report_test

import (
	"strings"
	"testing"
	"time"

	"github.com/etrainer/backend/tools/chaos/internal/check"
	"github.com/etrainer/backend/tools/chaos/internal/history"
	"github.com/etrainer/backend/tools/chaos/internal/plan"
	"github.com/etrainer/backend/tools/chaos/internal/report"
)

var story = check.Story{Lines: []history.Line{
	{At: 1e9, Process: "stage", Event: history.Ack, Job: "a1", Name: "quick", Key: "k"},
	{At: 2e9, Process: "worker-1.1", Event: history.Start, Job: "a1", Name: "quick", Attempt: 1},
	{At: 3e9, Process: "worker-1.1", Event: history.Exit, Note: "signal: killed"},
}}

func TestASeedThatHeld(t *testing.T) {
	t.Parallel()
	p := plan.Plan{Seed: 7, Faults: []plan.Fault{{Kind: plan.Hole}, {Kind: plan.Stop}}}
	got := report.Seed(p, story, nil, 48*time.Second)
	if want := "seed 7 held (48 s, 1 jobs acknowledged, 1 runs, 1 processes killed): black hole, SIGSTOP\n"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// Who reads that a seed failed needs its faults, and what was broken, however
// often.
func TestASeedThatFailed(t *testing.T) {
	t.Parallel()
	p := plan.Plan{Seed: 7, Faults: []plan.Fault{{Kind: plan.Hole, Target: "worker-1", Begin: 2 * time.Second, For: 5 * time.Second}}}
	var violations []check.Violation
	for range 5 {
		violations = append(violations, check.Violation{Rule: check.Locked, Job: "a1", Text: "by worker-1"})
	}
	got := report.Seed(p, story, violations, 48*time.Second)
	for _, want := range []string{
		"seed 7 FAILED", " 2.0 s: black hole of worker-1, for 5.0 s\n", check.Locked + ": job a1: by worker-1\n", check.Locked + ": 2 more\n",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is not in:\n%s", want, got)
		}
	}
}

func TestSummary(t *testing.T) {
	t.Parallel()
	s := report.New()
	s.Add(plan.Plan{Seed: 1, Faults: []plan.Fault{{Kind: plan.Hole}}}, story, nil)
	s.Add(plan.Plan{Seed: 3}, story, []check.Violation{{Rule: check.Locked}, {Rule: check.Locked}, {Rule: check.Twice}})
	s.Add(plan.Plan{Seed: 2}, story, []check.Violation{{Rule: check.Locked}})
	got := s.Text(90 * time.Second)
	for _, want := range []string{
		"3 seeds in 1m30s, 1 held, 2 failed; 3 jobs acknowledged, 3 runs\n", "black hole 1,",
		"broken by 2 seeds: " + check.Locked + " ([2 3])\nbroken by 1 seeds: " + check.Twice,
	} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is not in:\n%s", want, got)
		}
	}
	if s.Failed() != 2 {
		t.Errorf("%d failed", s.Failed())
	}
}

func TestStory(t *testing.T) {
	t.Parallel()
	lines := strings.Split(report.Story(story), "\n")
	if want := "   1.00 s worker-1.1   start     job a1, quick, attempt 1 of 00:00:00.000"; lines[1] != want {
		t.Errorf("%q, want %q", lines[1], want)
	}
}
