package runner_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/etrainer/backend/pkg/catalog"
	"github.com/etrainer/backend/pkg/job"
	"github.com/etrainer/backend/pkg/queue"
	"github.com/etrainer/backend/pkg/runner"
)

var errBoom = errors.New("boom")

// Each way to end a run, and what becomes of the job.
func TestVerdicts(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	ends := []struct {
		title   string
		end     func(context.Context) (any, error)
		outcome job.Outcome
		text    string
		state   job.State
	}{
		{"nothing", func(context.Context) (any, error) { return nil, nil }, job.Succeeded, "", job.Completed},
		{"an error", func(context.Context) (any, error) { return nil, errBoom }, job.Retrying, "boom", job.Failed},
		{"Snooze", func(context.Context) (any, error) { return nil, runner.Snooze(time.Hour) }, job.Snoozed, "snoozed for 1h0m0s", job.Scheduled},
		{"Snooze, wrapped", func(context.Context) (any, error) { return nil, fmt.Errorf("quota: %w", runner.Snooze(time.Hour)) }, job.Snoozed, "quota: snoozed", job.Scheduled},
		{"Discard", func(context.Context) (any, error) { return nil, runner.Discard("the user is gone") }, job.Discarded, "the user is gone", job.Completed},
		{"Cancel", func(context.Context) (any, error) { return nil, runner.Cancel("not wanted") }, job.Cancelled, "not wanted", job.Completed},
		{"Permanent", func(context.Context) (any, error) { return nil, runner.Permanent(errBoom) }, job.Dead, "boom", job.Failed},
		{"Permanent of nil", func(context.Context) (any, error) { return nil, runner.Permanent(nil) }, job.Succeeded, "", job.Completed},
		{"a panic", func(context.Context) (any, error) { panic("at the disco") }, job.Retrying, "panic: at the disco", job.Failed},
		{"a panic with nil in hand", func(context.Context) (any, error) { var m map[string]int; m["a"] = 1; return nil, nil }, job.Retrying, "panic: assignment to entry in nil map", job.Failed}, //nolint:govet,staticcheck // the nil dereference is the point
	}
	b.start(b.options(handler("a", func(ctx context.Context, j noteJob) (any, error) { return ends[j.Payload.N].end(ctx) },
		func(d *catalog.Definition) { d.Retry.Delay = time.Hour })))
	for n, c := range ends {
		id := b.enqueue("a", note{N: n})
		run := b.ended(id)
		if run.Outcome != c.outcome || !strings.HasPrefix(run.Error, c.text) || (run.Error == "") != (c.text == "") {
			t.Errorf("%s: %s, %q; want %s, %q", c.title, run.Outcome, run.Error, c.outcome, c.text)
		}
		if got := b.get(id).State(b.store.Now()); got != c.state {
			t.Errorf("%s: the job is %s, want %s", c.title, got, c.state)
		}
		if panics := strings.HasPrefix(run.Error, "panic"); panics != strings.Contains(run.Stack, "verdict_test.go") {
			t.Errorf("%s: the stack is %q", c.title, run.Stack)
		}
	}
}

func TestRetriesUntilExhausted(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	b.start(b.options(handler("a", func(_ context.Context, j noteJob) (any, error) { return nil, fmt.Errorf("boom %d", j.Attempt) },
		func(d *catalog.Definition) { d.Retry.MaxAttempts = 3 })))
	id := b.enqueue("a", nil)
	runs := b.outcomes(id, 3)
	for i, want := range []job.Outcome{job.Retrying, job.Retrying, job.Dead} {
		if run := runs[i]; run.Outcome != want || run.Attempt != i+1 || run.Error != fmt.Sprintf("boom %d", i+1) || !run.Tick.Equal(runs[0].Tick) {
			t.Errorf("run %d: %s, attempt %d, %q, tick %s; want %s", i+1, run.Outcome, run.Attempt, run.Error, run.Tick, want)
		}
	}
	document := b.get(id)
	if !document.Dead() || document.FailCount != 3 || document.FailReason != "boom 3" || !document.FailedAt.Equal(document.LastFinishedAt) {
		t.Errorf("the job is left as %+v", document)
	}
}

func TestSuccessAfterFailuresResetsTheCount(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	b.start(b.options(handler("a", func(_ context.Context, j noteJob) (any, error) {
		if j.Attempt < 3 {
			return nil, errBoom
		}
		return "third time lucky", nil
	})))
	id := b.enqueue("a", nil)
	if runs := b.outcomes(id, 3); runs[2].Outcome != job.Succeeded {
		t.Errorf("the third run: %s", runs[2].Outcome)
	}
	eventually(t, "the count is reset", func() bool { return b.get(id).FailCount == 0 })
	b.state(id, job.Completed)
}

// Snoozing is not failing: it takes none of the attempts.
func TestSnoozingTakesNoAttempts(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	b.start(b.options(handler("a", func(_ context.Context, j noteJob) (any, error) {
		if j.Attempt <= 3 {
			return nil, runner.Snooze(time.Millisecond)
		}
		return nil, errBoom
	}, func(d *catalog.Definition) { d.Retry.MaxAttempts = 2 })))
	runs := b.outcomes(b.enqueue("a", nil), 5)
	for i, want := range []job.Outcome{job.Snoozed, job.Snoozed, job.Snoozed, job.Retrying, job.Dead} {
		if runs[i].Outcome != want {
			t.Errorf("run %d: %s, want %s", i+1, runs[i].Outcome, want)
		}
	}
}

func TestBackoffIsKept(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	b.start(b.options(handler("a", func(context.Context, noteJob) (any, error) { return nil, errBoom },
		func(d *catalog.Definition) { d.Retry = job.Retry{Delay: 10 * time.Minute, Jitter: -1} })))
	id := b.enqueue("a", nil)
	run, next := b.ended(id), b.get(id).NextRunAt
	// The plan is made before the outcome is written, a moment later.
	if wait := next.Sub(*run.FinishedAt); wait > 10*time.Minute || wait < 10*time.Minute-patience {
		t.Errorf("the next attempt is %s after the end of the first, want 10m", wait)
	}
}

// readSettings keeps the settings that a runner has read last.
type readSettings struct {
	queue.Controller
	last atomic.Pointer[map[string]job.Settings]
}

func (r *readSettings) Settings(ctx context.Context) (map[string]job.Settings, error) {
	settings, err := r.Controller.Settings(ctx)
	if err == nil {
		r.last.Store(&settings)
	}
	return settings, err
}

// change stores settings and waits until the runner knows them: a job that is
// leased in the moment of a change runs by the old ones.
func (r *readSettings) change(b *bench, set job.Settings) {
	b.t.Helper()
	if err := b.client.ChangeSettings(b.t.Context(), set); err != nil {
		b.t.Fatal(err)
	}
	eventually(b.t, "the runner reads the settings", func() bool {
		last := r.last.Load()
		return last != nil && cmp.Equal((*last)[set.Name].Retry, set.Retry)
	})
}

// Operators change the policy of a name without a deployment.
func TestOperatorsRetryPolicyCounts(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	fails := handler("a", func(context.Context, noteJob) (any, error) { return nil, errBoom },
		func(d *catalog.Definition) { d.Retry.MaxAttempts = 5 })
	options, settings := b.options(fails), &readSettings{Controller: b.store}
	options.Settings = settings
	b.start(options)
	settings.change(b, job.Settings{Name: "a", Retry: &job.Retry{MaxAttempts: 1}})
	if run := b.ended(b.enqueue("a", nil)); run.Outcome != job.Dead {
		t.Errorf("with one attempt: %s, want dead", run.Outcome)
	}
	settings.change(b, job.Settings{Name: "a"})
	if runs := b.outcomes(b.enqueue("a", nil), 5); runs[0].Outcome != job.Retrying || runs[4].Outcome != job.Dead {
		t.Errorf("without the setting: %s … %s, want five attempts", runs[0].Outcome, runs[4].Outcome)
	}
}

func TestTimeout(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	causes := make(chan error, 10)
	b.start(b.options(handler("a", func(ctx context.Context, _ noteJob) (any, error) {
		<-ctx.Done()
		causes <- context.Cause(ctx)
		return nil, ctx.Err()
	}, func(d *catalog.Definition) { d.Timeout, d.Retry.MaxAttempts = 50*time.Millisecond, 1 })))
	run := b.ended(b.enqueue("a", nil))
	if cause := <-causes; !errors.Is(cause, runner.ErrTimeout) {
		t.Errorf("the handler was told %v, want ErrTimeout", cause)
	}
	if run.Outcome != job.Dead || !strings.HasPrefix(run.Error, "the run timed out after 50ms") {
		t.Errorf("%s, %q", run.Outcome, run.Error)
	}
}

func TestLongErrorsAreCut(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	b.start(b.options(handler("a", func(context.Context, noteJob) (any, error) {
		return nil, runner.Permanent(errors.New(strings.Repeat("x", 1<<20)))
	})))
	id := b.enqueue("a", nil)
	if run := b.ended(id); len(run.Error) != 4096 || !strings.HasSuffix(run.Error, "…") {
		t.Errorf("the error has %d bytes, want 4096", len(run.Error))
	}
	if n := len(b.get(id).FailReason); n != 4096 {
		t.Errorf("failReason has %d bytes, want 4096", n)
	}
}
