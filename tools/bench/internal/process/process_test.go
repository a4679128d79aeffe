package process_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/etrainer/backend/tools/bench/internal/process"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestMemoryOfThisProcess(t *testing.T) {
	t.Parallel()
	m, err := process.MemoryOf(os.Getpid())
	if runtime.GOOS != "linux" {
		if !errors.Is(err, process.ErrNoMemory) {
			t.Fatalf("the error is %v, want ErrNoMemory", err)
		}
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	if m.Resident < 1 || m.Peak < m.Resident {
		t.Errorf("this process holds %+v MB", m)
	}
}

func TestCommandsFromMetrics(t *testing.T) {
	t.Parallel()
	server := serve(t, `# TYPE etrainer_mongodb_command_seconds histogram
etrainer_mongodb_command_seconds_bucket{command="find",outcome="ok",le="0.1"} 5
etrainer_mongodb_command_seconds_sum{command="find",outcome="ok"} 0.5
etrainer_mongodb_command_seconds_count{command="find",outcome="ok"} 7
etrainer_mongodb_command_seconds_count{command="find",outcome="failed"} 2
etrainer_mongodb_command_seconds_count{command="update",outcome="ok"} 3
go_goroutines 12
`)
	got, err := process.Commands(t.Context(), server)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]float64{"find": 9, "update": 3}, got); diff != "" {
		t.Error(diff)
	}
	if _, err := process.Commands(t.Context(), serve(t, "go_goroutines 12\n")); !errors.Is(err, process.ErrNoCommands) {
		t.Errorf("metrics without commands: the error is %v, want ErrNoCommands", err)
	}
}

func serve(t *testing.T, text string) string {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(text)) }))
	t.Cleanup(func() {
		server.Close()
		http.DefaultClient.CloseIdleConnections()
	})
	return server.URL
}

// A program that ends at once is told by what it printed.
func TestProgramThatEnds(t *testing.T) {
	t.Parallel()
	p, err := process.Start("/bin/sh", "ENV=/dev/null") // reads its commands from nothing
	if err != nil {
		t.Fatal(err)
	}
	defer p.Stop()
	if _, err := p.AwaitReady(t.Context(), "http://127.0.0.1:1/"); !errors.Is(err, process.ErrNotReady) {
		t.Errorf("the error is %v, want ErrNotReady", err)
	}
}

func TestProgramThatIsNotThere(t *testing.T) {
	t.Parallel()
	if _, err := process.Start("/no/such/program"); err == nil || !strings.Contains(err.Error(), "/no/such/program") {
		t.Errorf("the error is %v; it is to name the program", err)
	}
}
