package main

import (
	"bytes"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/etrainer/backend/pkg/lifecycle"
	"github.com/etrainer/backend/pkg/mongodb/mongotest"
)

// asProgram makes this test binary the worker itself.
const asProgram = "TEST_AS_WORKER"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		main()
	}
	mongotest.Main(m)
}

// fails runs the worker, which has to end by itself, and returns its exit code
// and log.
func fails(t *testing.T, settings ...string) (code int, log string) {
	t.Helper()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), program)
	cmd.Env = append(os.Environ(), append([]string{asProgram + "=1", "CONFIG_FILE=", "NODE_ENV=production", "PUSH_DRIVER=log"}, settings...)...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	_ = cmd.Run() // the exit code says it
	return cmd.ProcessState.ExitCode(), stderr.String()
}

// TestOldNames starts with the names of the Node backend: they work, and the log
// says what to rename. Ours counts where both are set.
func TestOldNames(t *testing.T) {
	t.Parallel()
	// A database that was never migrated ends the start.
	code, log := fails(t, "MONGODB_URI="+mongotest.URI(t)+mongotest.Database(t).Name(), "WORKER_PORT=0",
		"AGENDA_MAX_CONCURRENCY=10", "AGENDA_PROCESS_EVERY=10 seconds", "WORKER_JOB_CONCURRENCY=3", "AGENDA_DEFAULT_CONCURRENCY=5")
	if code != lifecycle.ExitBadConfig {
		t.Errorf("exit code %d", code)
	}
	for _, want := range []string{
		"AGENDA_MAX_CONCURRENCY is the old name of WORKER_CONCURRENCY: it works, but rename it",
		"AGENDA_PROCESS_EVERY is the old name of WORKER_POLL_INTERVAL: it works, but rename it",
		"WORKER_JOB_CONCURRENCY is set beside AGENDA_DEFAULT_CONCURRENCY, which is its old name: WORKER_JOB_CONCURRENCY counts; remove AGENDA_DEFAULT_CONCURRENCY",
	} {
		if strings.Count(log, want) != 1 {
			t.Errorf("the log has not one line with %q", want)
		}
	}
	if t.Failed() {
		t.Log(log)
	}
}

// TestFileOfSettings starts with a file that holds an old name and one that is
// written wrongly.
func TestFileOfSettings(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "etrainer.yaml")
	text := "MONGODB_URI: " + mongotest.URI(t) + mongotest.Database(t).Name() + "\nWORKER_PORT: 0\nAGENDA_PROCESS_EVERY: 10 seconds\nWORKER_CONCURENCY: 3\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	// A database that was never migrated ends the start.
	code, log := fails(t, "CONFIG_FILE="+file)
	for _, want := range []string{
		"AGENDA_PROCESS_EVERY is the old name of WORKER_POLL_INTERVAL: it works, but rename it",
		"WORKER_CONCURENCY in " + file + " is unknown and has no effect: rename it to WORKER_CONCURRENCY, or remove it",
		"migrate up",
	} {
		if code != lifecycle.ExitBadConfig || !strings.Contains(log, want) {
			t.Errorf("exit code %d, and the log lacks %q\n%s", code, want, log)
		}
	}
}

// TestPortInUse ends with one sentence that names the variable and the mend,
// alone and as a parent.
func TestPortInUse(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	port := strconv.Itoa(taken.Addr().(*net.TCPAddr).Port)
	for _, clustering := range []string{"false", "true"} {
		code, log := fails(t, "MONGODB_URI=mongodb://127.0.0.1:1/none", "WORKER_HOST=127.0.0.1", "WORKER_PORT="+port, "ENABLE_CLUSTERING="+clustering)
		want := `WORKER_PORT is \"` + port + `\", where another process listens: end that process, or set WORKER_PORT to another port`
		if code != lifecycle.ExitFailed || strings.Count(log, want) != 1 {
			t.Errorf("ENABLE_CLUSTERING=%s: exit code %d, want 1 and one line with %q\n%s", clustering, code, want, log)
		}
	}
}
