package runner_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/etrainer/backend/pkg/catalog"
	"github.com/etrainer/backend/pkg/job"
	"github.com/etrainer/backend/pkg/queue"
	"github.com/etrainer/backend/pkg/runner"
)

func TestHandlerGetsItsJobAndItsResultIsKept(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	type result struct {
		Sum  int       `json:"sum"`
		When time.Time `json:"when"`
	}
	got := make(chan noteJob, 1)
	b.start(b.options(handler("a", func(_ context.Context, j noteJob) (any, error) {
		got <- j
		return result{Sum: j.Payload.N * 2, When: time.Date(2024, 1, 17, 0, 0, 0, 0, time.UTC)}, nil
	})))
	due := time.Now().Add(-time.Hour).Truncate(time.Millisecond)
	id := b.enqueue("a", note{N: 21}, queue.At(due))

	j := receive(t, "the job", got)
	if j.ID != id || j.Name != "a" || j.Payload.N != 21 || j.Attempt != 1 || !j.Tick.Equal(due) {
		t.Errorf("the handler got %+v", j)
	}
	run := b.ended(id)
	if text := resultOf(t, run); run.Outcome != job.Succeeded || text != `{"sum":42,"when":"2024-01-17T00:00:00Z"}` {
		t.Errorf("%s with %s", run.Outcome, text)
	}
	b.state(id, job.Completed)
}

func TestPayloadThatCannotBeReadFailsForGood(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	called := make(chan noteJob, 10)
	b.start(b.options(handler("a", func(_ context.Context, j noteJob) (any, error) { called <- j; return nil, nil })))
	for payload, want := range map[string]string{
		`{"n":"many"}`: `decode data of job "a"`,
		`{"n":-1}`:     "n is negative",
		`[]`:           `decode data of job "a"`,
	} {
		run := b.ended(b.enqueue("a", json.RawMessage(payload)))
		if run.Outcome != job.Dead || !strings.Contains(run.Error, want) {
			t.Errorf("%s: %s, %q; want dead with %q", payload, run.Outcome, run.Error, want)
		}
	}
	if len(called) != 0 {
		t.Errorf("the handler was called with %+v", <-called)
	}
}

func TestResultsThatCannotBeKeptFailForGood(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	results := []any{strings.Repeat("x", 2<<20), make(chan int)}
	b.start(b.options(
		handler("a", func(_ context.Context, j noteJob) (any, error) { return results[j.Payload.N], nil }),
	))
	for n, want := range []string{"and a run keeps at most 1048576", "the result cannot be stored"} {
		run := b.ended(b.enqueue("a", note{N: n}))
		if run.Outcome != job.Dead || !strings.Contains(run.Error, want) {
			t.Errorf("result %d: %s, %q; want dead with %q", n, run.Outcome, run.Error, want)
		}
	}
}

// What a handler tells is there while it runs, and stays.
func TestProgressAndLinesCanBeWatched(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	letGo := make(chan struct{})
	b.start(b.options(handler("a", func(ctx context.Context, _ noteJob) (any, error) {
		runner.Logger(ctx).Info("halfway", slog.Int("rows", 7))
		runner.Progress(ctx, 50, "rows counted")
		<-letGo
		runner.Logger(ctx).With("part", 2).WithGroup("file").Warn("late", "size", 3, "name", "week 1", "of", time.Date(2026, 11, 16, 0, 0, 0, 0, time.UTC))
		runner.Progress(ctx, 250, "done")
		return nil, nil
	})))
	id := b.enqueue("a", nil)
	var run job.Run
	eventually(t, "the progress is stored with the run and the job while the handler runs", func() bool {
		runs := b.runs(id)
		if len(runs) == 1 && runs[0].Progress != nil && b.get(id).Progress != nil {
			run = runs[0]
			return true
		}
		return false
	})
	if run.Outcome != job.Open || run.Progress.Percent != 50 || run.Progress.Message != "rows counted" {
		t.Errorf("while it runs: %s, %+v", run.Outcome, run.Progress)
	}
	if diff := cmp.Diff([]string{"info halfway rows=7"}, said(t, run)); diff != "" {
		t.Errorf("lines while it runs:\n%s", diff)
	}
	if p := b.get(id).Progress; *p != 50 {
		t.Errorf("the job's progress is %v; dashboards of Agenda show it", *p)
	}
	close(letGo)
	run = b.ended(id)
	if run.Outcome != job.Succeeded || run.Progress.Percent != 100 || run.Progress.Message != "done" {
		t.Errorf("after its end: %s, %+v", run.Outcome, run.Progress)
	}
	if diff := cmp.Diff([]string{"info halfway rows=7", `warn late part=2 file.size=3 file.name="week 1" file.of=2026-11-16T00:00:00.000Z`}, said(t, run)); diff != "" {
		t.Errorf("lines after its end:\n%s", diff)
	}
}

// masked is a value that hides itself from logs by LogValue alone.
type masked string

func (masked) LogValue() slog.Value { return slog.StringValue("***") }

func TestLinesAreBounded(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	b.start(b.options(handler("a", func(ctx context.Context, j noteJob) (any, error) {
		log := runner.Logger(ctx)
		if j.Payload.N == 1 {
			log.Info(strings.Repeat("é", 2000), "broken", "\xff")
			log.Debug("secret", "token", masked("hunter2"))
			log.With("token", masked("hunter2")).Error("secret")
			return nil, nil
		}
		for i := range 250 {
			log.Info(fmt.Sprintf("line %d", i))
		}
		return nil, nil
	})))

	run := b.ended(b.enqueue("a", note{N: 0}))
	if len(run.Logs) != 200 || run.LogsCut != 50 || run.Logs[0].Message != "line 50" || run.Logs[199].Message != "line 249" {
		t.Errorf("%d lines kept, %d cut; want the newest 200", len(run.Logs), run.LogsCut)
	}

	run = b.ended(b.enqueue("a", note{N: 1}))
	long := run.Logs[0].Message
	if len(long) > 1024 || !utf8.ValidString(long) || !strings.HasSuffix(long, "é…") {
		t.Errorf("a long line has %d bytes and ends with %q", len(long), long[len(long)-8:])
	}
	if diff := cmp.Diff([]string{"debug secret token=***", "error secret token=***"}, said(t, run)[1:]); diff != "" {
		t.Errorf("lines:\n%s", diff)
	}
}

// The log of the process gets the lines as well, with the job's id.
func TestLinesReachTheLogOfTheProcess(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	o := b.options(handler("a", func(ctx context.Context, _ noteJob) (any, error) {
		runner.Logger(ctx).Info("from the handler", "rows", 7)
		runner.Logger(ctx).Debug("only for the record")
		return nil, nil
	}))
	log := &lockedBuffer{}
	o.Log = slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelInfo}))
	b.start(o)
	id := b.enqueue("a", nil)
	run := b.ended(id)
	if want := fmt.Sprintf(`msg="from the handler" job_name=a job_id=%s attempt=1 rows=7`, id.Hex()); !strings.Contains(log.String(), want) {
		t.Errorf("the log is %q; want a line with %q", log, want)
	}
	if strings.Contains(log.String(), "only for the record") || len(run.Logs) != 2 {
		t.Errorf("a debug line is for the record alone; the record has %d lines", len(run.Logs))
	}
}

func TestProgressIsWithinItsBounds(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	given := []float64{-5, 250, math.NaN(), 33.3}
	b.start(b.options(handler("a", func(ctx context.Context, j noteJob) (any, error) {
		runner.Progress(ctx, given[j.Payload.N], strings.Repeat("x", 5000))
		return nil, nil
	})))
	for n, want := range []float64{0, 100, 0, 33.3} {
		got := b.ended(b.enqueue("a", note{N: n})).Progress
		if got == nil || got.Percent != want || len(got.Message) > 1024 {
			t.Errorf("progress %v is stored as %+v, want %v", given[n], got, want)
		}
	}
}

// Code that handlers call may be called by others, too.
func TestOutsideARun(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	runner.Progress(ctx, 50, "nobody sees this")
	runner.Logger(ctx).Info("nobody sees this")
	if err := runner.Heartbeat(ctx); err != nil {
		t.Errorf("Heartbeat: %v", err)
	}
	ended, cancel := context.WithCancel(ctx)
	cancel()
	if err := runner.Heartbeat(ended); !errors.Is(err, context.Canceled) {
		t.Errorf("Heartbeat of an ended context: %v", err)
	}
}

func TestHandlersAreWiredOnce(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	defer func() {
		if got := fmt.Sprint(recover()); got != `runner: "a" has two handlers` {
			t.Errorf("the panic is %s", got)
		}
	}()
	runner.New(b.options(noop("a"), noop("b"), noop("a")))
}

func TestHandlerKnowsItsDefinition(t *testing.T) {
	t.Parallel()
	h := noop("a", func(d *catalog.Definition) { d.Concurrency = 3 })
	if d := h.Definition(); d.Name != "a" || d.Concurrency != 3 {
		t.Errorf("the definition is %+v", d)
	}
}

// A recurring job runs tick after tick, and each tick is a record of its own.
func TestRecurringJobRunsEachTick(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	var ticks []time.Time
	got := make(chan noteJob, 100)
	b.start(b.options(handler("a", func(_ context.Context, j noteJob) (any, error) { got <- j; return nil, nil })))
	armed, err := b.store.Arm(t.Context(), queue.Recurring{Name: "a", Repeat: everySecond})
	if err != nil || armed != queue.ArmedCreated {
		t.Fatalf("Arm: %s, %v", armed, err)
	}
	if err := b.hub.Publish(t.Context(), dueSignal); err != nil {
		t.Fatal(err)
	}
	var id bson.ObjectID
	for range 3 {
		j := receive(t, "a tick", got)
		id, ticks = j.ID, append(ticks, j.Tick)
	}
	for i, tick := range ticks[1:] {
		if tick.Sub(ticks[i]) < time.Second {
			t.Errorf("tick %s came after %s", tick, ticks[i])
		}
	}
	for i, run := range b.outcomes(id, 3)[:3] {
		if run.Outcome != job.Succeeded || run.Attempt != 1 || !run.Tick.Equal(ticks[i]) {
			t.Errorf("run %d: %s, attempt %d of %s; want the first of %s", i, run.Outcome, run.Attempt, run.Tick, ticks[i])
		}
	}
}
