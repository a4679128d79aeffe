package logging_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/slogtest"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/etrainer/backend/pkg/config"
	"github.com/etrainer/backend/pkg/logging"
)

// newLog returns a JSON log and a function that reads the one line in it,
// without its time.
func newLog(t *testing.T) (*slog.Logger, func() map[string]any) {
	t.Helper()
	var out bytes.Buffer
	log, err := logging.New(logging.Options{Out: &out, Level: "debug"})
	if err != nil {
		t.Fatalf("New: %v", err)
	}
	return log.Logger, func() map[string]any {
		t.Helper()
		if err := log.Flush(); err != nil {
			t.Errorf("flush: %v", err)
		}
		var line map[string]any
		if err := json.Unmarshal(out.Bytes(), &line); err != nil {
			t.Fatalf("not one JSON line: %v\n%s", err, out.String())
		}
		if _, err := time.Parse(time.RFC3339Nano, fmt.Sprint(line["time"])); err != nil {
			t.Errorf("time: %v", err)
		}
		delete(line, "time")
		return line
	}
}

func TestJSONLine(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	log, err := logging.New(logging.Options{Out: &out, Service: "worker", Version: "v1"})
	if err != nil {
		t.Fatalf("New: %v", err)
	}
	log.Debug("not written")
	log.Warn("job failed", slog.String("job_name", "send-email"), slog.Duration("took", 1500*time.Millisecond), slog.Int("attempt", 2))
	var line map[string]any
	if err := json.Unmarshal(out.Bytes(), &line); err != nil {
		t.Fatalf("not one JSON line: %v\n%s", err, out.String())
	}
	if at := fmt.Sprint(line["time"]); !strings.HasSuffix(at, "Z") || len(at) != len("2006-01-02T15:04:05.000Z") {
		t.Errorf("time = %q, want UTC with milliseconds", at)
	}
	delete(line, "time")
	want := map[string]any{
		"level": "warn", "msg": "job failed", "service": "worker", "version": "v1",
		"job_name": "send-email", "took": "1.5s", "attempt": 2.0,
	}
	if diff := cmp.Diff(want, line); diff != "" {
		t.Errorf("line (-want +got):\n%s", diff)
	}
}

func TestConsoleLine(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	log, err := logging.New(logging.Options{Out: &out, Format: logging.FormatFor("development"), Service: "worker", Version: "v1"})
	if err != nil {
		t.Fatalf("New: %v", err)
	}
	log.Info("running", slog.Int("port", 8080))
	if got := out.String(); !strings.HasSuffix(got, " INFO running port=8080\n") {
		t.Errorf("line = %q", got)
	}
}

func TestOptions(t *testing.T) {
	t.Parallel()
	if got := logging.FormatFor("production"); got != logging.FormatJSON {
		t.Errorf("format in production = %q", got)
	}
	for _, level := range []string{"debug", "INFO", "Warn", "error", ""} {
		if _, err := logging.New(logging.Options{Level: level}); err != nil {
			t.Errorf("level %q: %v", level, err)
		}
	}
	tests := map[string]logging.Options{
		`log level "loud" is unknown: use debug, info, warn or error`: {Level: "loud"},
		`log format "xml" is unknown: use json or console`:            {Format: "xml"},
	}
	for want, options := range tests {
		if _, err := logging.New(options); err == nil || err.Error() != want {
			t.Errorf("error = %v, want %q", err, want)
		}
	}
}

func TestLevels(t *testing.T) {
	t.Parallel()
	for at, want := range map[string]string{"debug": "dIWE", "info": "IWE", "warn": "WE", "error": "E"} {
		var out bytes.Buffer
		log, err := logging.New(logging.Options{Out: &out, Level: at, Format: logging.FormatConsole})
		if err != nil {
			t.Fatalf("New: %v", err)
		}
		log.Debug("d")
		log.Info("I")
		log.Warn("W")
		log.Error("E")
		var got strings.Builder
		for line := range strings.Lines(out.String()) {
			got.WriteByte(line[len(line)-2])
		}
		if got.String() != want {
			t.Errorf("level %s writes %q, want %q", at, got.String(), want)
		}
	}
}

func TestContextAttributesStandOnEveryLine(t *testing.T) {
	t.Parallel()
	log, read := newLog(t)
	request := logging.With(t.Context(), slog.String("request_id", "r1"))
	run := logging.With(request, slog.String("job_id", "j1"), slog.String("token", "hunter2"))
	logging.With(request, slog.String("job_id", "of a sibling"))

	log.With(slog.String("component", "poller")).InfoContext(run, "leased", slog.Int("jobs", 3))
	want := map[string]any{
		"level": "info", "msg": "leased", "request_id": "r1", "job_id": "j1", "token": "[hidden]", "component": "poller", "jobs": 3.0,
	}
	if diff := cmp.Diff(want, read()); diff != "" {
		t.Errorf("line (-want +got):\n%s", diff)
	}
	if got := logging.From(run); len(got) != 3 {
		t.Errorf("From = %v, want three attributes", got)
	}
	if got := logging.From(context.Background()); got != nil {
		t.Errorf("From of an empty context = %v", got)
	}
}

// level is a type that prints itself.
type level int

func (l level) String() string { return fmt.Sprintf("mongodb://u:hunter2@level%d", int(l)) }

func TestSecretsAreHidden(t *testing.T) {
	t.Parallel()
	const uri, hidden = "mongodb://user:hunter2@host/db", "mongodb://[hidden]@host/db"
	tests := map[string]struct {
		attr slog.Attr
		want any
	}{
		"key":                {slog.String("password", "hunter2"), "[hidden]"},
		"part of a key":      {slog.String("accessToken", "hunter2"), "[hidden]"},
		"empty secret":       {slog.String("password", ""), ""},
		"any under a key":    {slog.Any("Authorization", []string{"Bearer hunter2"}), "[hidden]"},
		"number under a key": {slog.Int("tokens", 3), 3.0},
		"config.Secret":      {slog.Any("value", config.Secret("hunter2")), "[hidden]"},
		"address":            {slog.String("target", uri), hidden},
		"error":              {slog.Any("error", fmt.Errorf("ping: %w", errors.New("dial "+uri))), "ping: dial " + hidden},
		"stringer":           {slog.Any("level", level(1)), "mongodb://[hidden]@level1"},
		"panic":              {slog.Any("error", (*os.PathError)(nil)), "panic: runtime error: invalid memory address or nil pointer dereference"},
		"list":               {slog.Any("targets", []string{uri, "x"}), []any{hidden, "x"}},
		"group":              {slog.Group("mongodb", slog.String("uri", uri), slog.String("secret", "hunter2")), map[string]any{"uri": hidden, "secret": "[hidden]"}},
		"plain":              {slog.Any("counts", map[string]int{"a": 1}), map[string]any{"a": 1.0}},
	}
	for name, test := range tests {
		for how, add := range map[string]func(*slog.Logger) *slog.Logger{
			"line":   nil,
			"logger": func(log *slog.Logger) *slog.Logger { return log.With(test.attr) },
		} {
			t.Run(name+" on a "+how, func(t *testing.T) {
				t.Parallel()
				log, read := newLog(t)
				if add != nil {
					add(log).Info("connected")
				} else {
					log.Info("connected", test.attr)
				}
				if diff := cmp.Diff(test.want, read()[test.attr.Key]); diff != "" {
					t.Errorf("value (-want +got):\n%s", diff)
				}
			})
		}
	}
	t.Run("message", func(t *testing.T) {
		t.Parallel()
		log, read := newLog(t)
		log.Info("connect to " + uri)
		if got := read()["msg"]; got != "connect to "+hidden {
			t.Errorf("message = %q", got)
		}
	})
}

func TestGroups(t *testing.T) {
	t.Parallel()
	log, read := newLog(t)
	log.WithGroup("pool").Info("stats", slog.Int("open", 2), slog.String("secret", "hunter2"))
	want := map[string]any{"level": "info", "msg": "stats", "pool": map[string]any{"open": 2.0, "secret": "[hidden]"}}
	if diff := cmp.Diff(want, read()); diff != "" {
		t.Errorf("line (-want +got):\n%s", diff)
	}
}

// TestHandler holds the JSON log to the rules of log/slog.
func TestHandler(t *testing.T) {
	t.Parallel()
	var out *bytes.Buffer
	slogtest.Run(t, func(t *testing.T) slog.Handler { //nolint:thelper // it makes the handler
		out = &bytes.Buffer{}
		log, err := logging.New(logging.Options{Out: out})
		if err != nil {
			t.Fatal(err)
		}
		return log.Handler()
	}, func(t *testing.T) map[string]any { //nolint:thelper // it reads what was written
		var line map[string]any
		if err := json.Unmarshal(out.Bytes(), &line); err != nil {
			t.Fatalf("not one JSON line: %v\n%s", err, out.String())
		}
		return line
	})
}

// bomb cannot be written.
type bomb struct{}

func (bomb) MarshalJSON() ([]byte, error) { panic("boom") }

func TestOddValues(t *testing.T) {
	t.Parallel()
	log, read := newLog(t)
	log.Log(t.Context(), slog.LevelInfo+2, "a \"quoted\"\nbroken \xff line",
		slog.Float64("not_a_number", math.NaN()), slog.Uint64("most", math.MaxUint64), slog.Bool("yes", true), slog.Any("nothing", nil),
		slog.Time("at", time.Date(2026, 1, 2, 3, 4, 5, 6_999_999, time.FixedZone("", 3600))), slog.Any("raw", json.RawMessage(`{"a":1}`)),
		slog.Any("unwritable", make(chan int)), slog.Any("bomb", bomb{}))
	got := read()
	if text, _ := got["unwritable"].(string); !strings.Contains(text, "unsupported type") {
		t.Errorf("unwritable = %v", got["unwritable"])
	}
	delete(got, "unwritable")
	want := map[string]any{
		"level": "info+2", "msg": "a \"quoted\"\nbroken \ufffd line", "not_a_number": "NaN", "most": float64(math.MaxUint64), "yes": true,
		"bomb": "panic: boom", "nothing": nil, "at": "2026-01-02T02:04:05.006Z", "raw": map[string]any{"a": 1.0},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("line (-want +got):\n%s", diff)
	}
}

func TestConsoleHidesSecretsToo(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	log, err := logging.New(logging.Options{Out: &out, Format: logging.FormatConsole})
	if err != nil {
		t.Fatal(err)
	}
	ctx := logging.With(t.Context(), slog.String("request_id", "r1"), slog.String("token", "hunter2"))
	log.WithGroup("pool").With(slog.String("secret", "hunter2")).InfoContext(ctx, "dial redis://:hunter2@h", slog.Any("error", errors.New("redis://:hunter2@h is away")))
	got := out.String()
	if strings.Contains(got, "hunter2") || !strings.Contains(got, "request_id=r1") {
		t.Errorf("line = %q", got)
	}
}

// writes keeps each piece that is written.
type writes struct {
	mu     sync.Mutex
	pieces []string
	broken error
}

func (w *writes) Write(piece []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.pieces = append(w.pieces, string(piece))
	return len(piece), w.broken
}

// messages are the messages in each piece.
func (w *writes) messages(t *testing.T) (all [][]string) {
	t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, piece := range w.pieces {
		var messages []string
		for line := range strings.Lines(piece) {
			var parsed struct{ Msg string }
			if err := json.Unmarshal([]byte(line), &parsed); err != nil {
				t.Fatalf("line %q: %v", line, err)
			}
			messages = append(messages, parsed.Msg)
		}
		all = append(all, messages)
	}
	return all
}

func newWrites(t *testing.T) (*logging.Log, *writes) {
	t.Helper()
	out := &writes{}
	log, err := logging.New(logging.Options{Out: out})
	if err != nil {
		t.Fatal(err)
	}
	return log, out
}

func TestManyLinesAreWrittenTogether(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		log, out := newWrites(t)
		want := func(want ...[]string) {
			t.Helper()
			synctest.Wait()
			if diff := cmp.Diff(want, out.messages(t)); diff != "" {
				t.Fatalf("pieces (-want +got):\n%s", diff)
			}
		}
		log.Info("alone")
		want([]string{"alone"})
		log.Info("soon after")
		log.Info("and another")
		want([]string{"alone"})
		time.Sleep(20 * time.Millisecond)
		together := []string{"soon after", "and another"}
		want([]string{"alone"}, together)
		log.Info("waits")
		log.Warn("does not")
		want([]string{"alone"}, together, []string{"waits", "does not"})
		time.Sleep(time.Second) // no timer writes it again
		log.Info("alone again")
		log.Info("the last")
		if err := log.Flush(); err != nil {
			t.Error(err)
		}
		want([]string{"alone"}, together, []string{"waits", "does not"}, []string{"alone again"}, []string{"the last"})
	})
}

func TestPiecesFitIntoAPipe(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		log, out := newWrites(t)
		for i := range 100 {
			log.Info(fmt.Sprint(i), slog.String("text", strings.Repeat("x", 300)))
		}
		log.Info("long", slog.String("text", strings.Repeat("x", 10_000)))
		log.Info("end")
		if err := log.Flush(); err != nil {
			t.Error(err)
		}
		next := 0
		for i, messages := range out.messages(t) {
			if len(out.pieces[i]) > 4096 && len(messages) > 1 {
				t.Errorf("a piece of %d bytes with %d lines", len(out.pieces[i]), len(messages))
			}
			for _, message := range messages {
				if next < 100 && message != fmt.Sprint(next) {
					t.Errorf("line %d is %s", next, message)
				}
				next++
			}
		}
		if next != 102 || len(out.pieces) > 15 {
			t.Errorf("%d lines in %d pieces", next, len(out.pieces))
		}
	})
}

func TestLinesOfManyGoroutines(t *testing.T) {
	t.Parallel()
	log, out := newWrites(t)
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 500 {
				log.Info("line")
			}
		})
	}
	all.Wait()
	if err := log.Flush(); err != nil {
		t.Error(err)
	}
	total := 0
	for _, messages := range out.messages(t) {
		total += len(messages)
	}
	if total != 4000 {
		t.Errorf("%d lines, want 4000", total)
	}
}

func TestFlushTellsWhatFailed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) { // so that flush comes before the timer
		log, out := newWrites(t)
		log.Info("alone")
		out.broken = errors.New("no space left")
		log.Info("waits")
		if err := log.Flush(); !errors.Is(err, out.broken) {
			t.Errorf("flush = %v", err)
		}
		if err := log.Flush(); err != nil {
			t.Errorf("flush of nothing = %v", err)
		}
	})
}

func TestALineIsNotLostWithThoseBefore(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) { // so that no timer writes between
		log, out := newWrites(t)
		log.Info("alone")
		log.Info("waits", slog.String("text", strings.Repeat("x", 3000)))
		out.broken = errors.New("no space left")
		log.Info("next", slog.String("text", strings.Repeat("x", 3000)))
		out.broken = nil
		if err := log.Flush(); err != nil {
			t.Errorf("flush = %v", err)
		}
		if diff := cmp.Diff([][]string{{"alone"}, {"waits"}, {"next"}}, out.messages(t)); diff != "" {
			t.Errorf("pieces (-want +got):\n%s", diff)
		}
	})
}

func BenchmarkLine(b *testing.B) {
	log, err := logging.New(logging.Options{Out: io.Discard, Service: "api"})
	if err != nil {
		b.Fatal(err)
	}
	ctx := logging.With(b.Context(), slog.String("request_id", "0123456789abcdef"))
	b.ReportAllocs()
	for b.Loop() {
		log.LogAttrs(ctx, slog.LevelInfo, "request", slog.String("method", "GET"), slog.String("route", "/health"), slog.Int("status", 200), slog.Duration("took", time.Millisecond))
	}
}
