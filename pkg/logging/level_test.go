package logging_test

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/etrainer/backend/pkg/logging"
)

func newLevelled(t *testing.T, level string) *logging.Log {
	t.Helper()
	log, err := logging.New(logging.Options{Out: io.Discard, Level: level})
	if err != nil {
		t.Fatal(err)
	}
	return log
}

// writes returns the levels at which both ways write, such as "warn error".
func writesAt(t *testing.T, log *logging.Log) string {
	t.Helper()
	var at []string
	for _, level := range []slog.Level{slog.LevelDebug, slog.LevelInfo, slog.LevelWarn, slog.LevelError} {
		byLibrary := log.Zap.Core().Enabled(zapLevel(level))
		if by := log.Enabled(t.Context(), level); by != byLibrary {
			t.Errorf("level %s: slog writes: %t, zap writes: %t", level, by, byLibrary)
		}
		if byLibrary {
			at = append(at, strings.ToLower(level.String()))
		}
	}
	return strings.Join(at, " ")
}

func TestLevelByRequest(t *testing.T) {
	t.Parallel()
	log := newLevelled(t, "warn")
	child := log.With(slog.String("component", "made before the change"))
	server := httptest.NewServer(log.Level)
	t.Cleanup(server.Close)
	if got := log.Level.Changed(); got != "" {
		t.Errorf("changed to %q at the start", got)
	}
	const form, object = "application/x-www-form-urlencoded", "application/json"
	for _, test := range []struct {
		method, query, kind, body string
		status                    int
		answer, writes            string
	}{
		{"GET", "", "", "", 200, `{"level":"warn"}`, "warn error"},
		{"PUT", "", form, "level=debug", 200, `{"level":"debug"}`, "debug info warn error"},
		{"PUT", "", object, `{"level":"ERROR"}`, 200, `{"level":"error"}`, "error"},
		{"PUT", "?level=info", "", "", 200, `{"level":"info"}`, "info warn error"},
		{"PUT", "", form, "level=fatal", 400, `{"error":"log level \"fatal\" is unknown: use debug, info, warn or error"}`, "info warn error"},
		{"PUT", "", form, "", 400, `{"error":"log level \"\" is unknown: use debug, info, warn or error"}`, "info warn error"},
		{"PUT", "", object, "debug", 400, `{"error":"the body is not JSON such as {\"level\":\"debug\"}: `, "info warn error"},
		{"PUT", "", object, `{"level":"` + strings.Repeat("x", 2000), 400, `{"error":"the body is not JSON`, "info warn error"},
		{"DELETE", "", "", "", 405, `{"error":"use GET or PUT"}`, "info warn error"},
	} {
		request, err := http.NewRequestWithContext(t.Context(), test.method, server.URL+test.query, strings.NewReader(test.body))
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Content-Type", test.kind)
		reply, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(reply.Body)
		_ = reply.Body.Close()
		if err != nil || reply.StatusCode != test.status || !strings.HasPrefix(string(text), test.answer) {
			t.Errorf("%s %s %s: %d %s, want %d %s", test.method, test.query, test.body, reply.StatusCode, text, test.status, test.answer)
		}
		if got := writesAt(t, log); got != test.writes {
			t.Errorf("after %s %s %s it writes %s, want %s", test.method, test.query, test.body, got, test.writes)
		}
	}
	if log.Level.Changed() != "info" || !child.Enabled(t.Context(), slog.LevelInfo) || child.Enabled(t.Context(), slog.LevelDebug) {
		t.Error("the change did not reach a logger that was made before")
	}
}

// TestLevelBySignal sends real signals to this process.
func TestLevelBySignal(t *testing.T) { //nolint:paralleltest // the signal reaches every log that listens
	for start, want := range map[string][]string{"warn": {"debug", "warn"}, "debug": {"info", "debug"}} {
		log := newLevelled(t, start)
		release := log.Level.ToggleOnSignal()
		for _, level := range want {
			if err := syscall.Kill(syscall.Getpid(), syscall.SIGUSR1); err != nil {
				t.Fatal(err)
			}
			deadline := time.Now().Add(10 * time.Second)
			for log.Level.String() != level {
				if time.Now().After(deadline) {
					t.Fatalf("the level that was %s is %s, want %s", start, log.Level, level)
				}
				time.Sleep(time.Millisecond)
			}
		}
		release()
	}
}

func FuzzLevel(f *testing.F) {
	for _, seed := range []string{"debug", "WARN", "fatal", "", " info", "Level(3)"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		log := newLevelled(t, "warn")
		err := log.Level.Set(text)
		lower := strings.ToLower(text)
		if valid := lower == "debug" || lower == "info" || lower == "warn" || lower == "error"; valid != (err == nil) {
			t.Errorf("Set(%q) = %v", text, err)
		}
		if err == nil && log.Level.String() != lower || err != nil && log.Level.String() != "warn" {
			t.Errorf("Set(%q) made it %s", text, log.Level)
		}
	})
}
