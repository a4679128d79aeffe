package main

import (
	"bytes"
	"encoding/json"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// TestLevelAtRunTime changes the level of a real process, which waits for its
// database: by its private port and by the signal.
func TestLevelAtRunTime(t *testing.T) {
	t.Parallel()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := strconv.Itoa(free.Addr().(*net.TCPAddr).Port)
	_ = free.Close()
	worker, log := exec.Command(program), &journal{}
	worker.Stderr = log
	worker.Env = append(os.Environ(), asProgram+"=1", "CONFIG_FILE=", "NODE_ENV=production", "PUSH_DRIVER=log", "LOG_LEVEL=info", "REDIS_URL=", "ENABLE_CLUSTERING=false",
		"MONGODB_URI=mongodb://127.0.0.1:1/none", "WORKER_HOST=127.0.0.1", "WORKER_PORT="+port)
	if err := worker.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = worker.Process.Kill(); _ = worker.Wait() })
	level := "http://127.0.0.1:" + port + "/log-level"
	is := func(want string) {
		t.Helper()
		until(t, "the level is "+want, func() bool { return levelAt(t, http.MethodGet, level, "") == want })
	}
	is("info")
	if got := levelAt(t, http.MethodPut, level, "level=warn"); got != "warn" {
		t.Errorf("the level is set to %q, want warn", got)
	}
	for _, want := range []string{"debug", "info"} {
		if err := worker.Process.Signal(syscall.SIGUSR1); err != nil {
			t.Fatal(err)
		}
		is(want)
	}
	if err := worker.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := worker.Wait(); err != nil {
		t.Errorf("it ended with %v", err)
	}
	if changes := strings.Count(log.String(), `"msg":"log level changed"`); changes != 3 {
		t.Errorf("%d changes are logged, want 3\n%s", changes, log)
	}
}

// levelAt asks a private port for the level, or sets it; "" = nobody answers.
func levelAt(t *testing.T, method, url, form string) string {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, url, bytes.NewBufferString(form))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	reply, err := http.DefaultClient.Do(request)
	if err != nil {
		return ""
	}
	defer func() { _ = reply.Body.Close() }()
	var body struct{ Level string }
	if err := json.NewDecoder(reply.Body).Decode(&body); err != nil {
		t.Error(err)
	}
	return body.Level
}
