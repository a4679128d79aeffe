package job_test

import (
	"testing"
	"time"

	"github.com/etrainer/backend/pkg/job"
)

func TestKnownStates(t *testing.T) {
	t.Parallel()
	if n := len(job.States()); n != 6 {
		t.Errorf("%d states, want Agenda's 6", n)
	}
	for _, state := range job.States() {
		if !state.Known() {
			t.Errorf("%s is not known", state)
		}
	}
	for _, state := range []job.State{"", "paused", "Running"} {
		if state.Known() {
			t.Errorf("%q is known", state)
		}
	}
}

func TestConditions(t *testing.T) {
	t.Parallel()
	before, at, after := instant.Add(-time.Minute), instant, instant.Add(time.Minute)
	for _, c := range []struct {
		title                        string
		document                     job.Document
		dead, cancelled, interrupted bool
	}{
		{"fresh", job.Document{NextRunAt: after}, false, false, false},
		{"running the first time", job.Document{LockedAt: at, LastRunAt: at}, false, false, true},
		{"running again", job.Document{LockedAt: at, LastRunAt: at, LastFinishedAt: before}, false, false, true},
		{"succeeded", job.Document{LastRunAt: before, LastFinishedAt: at}, false, false, false},
		{"succeeded within a millisecond", job.Document{LastRunAt: at, LastFinishedAt: at}, false, false, false},
		{"failed for good", job.Document{LastRunAt: before, LastFinishedAt: at, FailedAt: at}, true, false, false},
		{"failed, to be retried", job.Document{LastFinishedAt: at, FailedAt: at, NextRunAt: after}, false, false, false},
		{"failed before its last success", job.Document{LastFinishedAt: at, FailedAt: before}, false, false, false},
		{"being retried", job.Document{LastFinishedAt: before, FailedAt: before, LockedAt: at, LastRunAt: at}, false, false, true},
		{"cancelled while waiting", job.Document{CancelledAt: at}, false, true, false},
		{"cancel asked for, still running", job.Document{CancelledAt: at, LockedAt: at, LastRunAt: at}, false, false, true},
		{"lost by a crashed worker", job.Document{LastRunAt: at, NextRunAt: at}, false, false, true},
	} {
		got := [3]bool{c.document.Dead(), c.document.Cancelled(), c.document.Interrupted()}
		if want := [3]bool{c.dead, c.cancelled, c.interrupted}; got != want {
			t.Errorf("%s: dead, cancelled, interrupted are %t, want %t", c.title, got, want)
		}
	}
}

func TestUnfinishedOutcomes(t *testing.T) {
	t.Parallel()
	for outcome, want := range map[job.Outcome]bool{
		job.Open: true, job.Retrying: true, job.Snoozed: true, job.Released: true, job.Lost: true,
		job.Succeeded: false, job.Dead: false, job.Cancelled: false, job.Discarded: false, job.Skipped: false, "": false,
	} {
		if got := outcome.Unfinished(); got != want {
			t.Errorf("%q is unfinished: %t, want %t", outcome, got, want)
		}
	}
}
