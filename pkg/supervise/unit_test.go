package supervise_test

import (
	"errors"
	"log/slog"
	"runtime"
	"testing"

	"github.com/etrainer/backend/pkg/config"
	"github.com/etrainer/backend/pkg/supervise"
)

func logTo(out *output) *slog.Logger { return slog.New(slog.NewTextHandler(out, nil)) }

func TestCount(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int{"auto": min(runtime.GOMAXPROCS(0), supervise.MaxCount), "": min(runtime.GOMAXPROCS(0), supervise.MaxCount), "1": 1, "64": 64} {
		var env supervise.Env
		err := config.Load(&env, config.Options{Environment: map[string]string{"WORKER_COUNT": text, "ENABLE_CLUSTERING": "true"}})
		if err != nil || env.Count.Children() != want || !env.Clustering {
			t.Errorf("WORKER_COUNT=%q: %+v, %v, want %d", text, env, err, want)
		}
	}
	for _, text := range []string{"0", "-1", "65", "two", "1.5"} {
		var count supervise.Count
		if err := count.UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q was read as %v", text, count)
		}
	}
}

func TestWithoutParent(t *testing.T) {
	t.Parallel()
	child, err := supervise.Inherit()
	if child != nil || err != nil {
		t.Fatalf("Inherit = %v, %v", child, err)
	}
	// Every method of none does nothing.
	if ctx := child.Begin(t.Context()); ctx != t.Context() {
		t.Error("Begin made a context")
	}
	child.CountInFlight(func() int { return 1 })
	child.ServesPrivately("127.0.0.1:1")
	readiness := child.Readiness()
	if err := errors.Join(readiness.Start(t.Context()), readiness.Stop(t.Context())); err != nil {
		t.Error(err)
	}
	if listener, err := child.Listener(); listener != nil || err != nil {
		t.Errorf("Listener = %v, %v", listener, err)
	}
	if status, ok := child.Status(); ok {
		t.Errorf("Status = %+v", status)
	}
	if !child.AcceptsEarly() {
		t.Error("a process without a parent does not answer before it is ready")
	}
	child.End(0)
}

func TestPretendedParent(t *testing.T) {
	t.Setenv("SUPERVISE_CHILD", "many")
	if _, err := supervise.Inherit(); !errors.Is(err, config.ErrConfig) {
		t.Errorf("Inherit = %v, want a configuration error", err)
	}
}
