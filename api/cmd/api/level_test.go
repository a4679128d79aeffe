package main

import (
	"bytes"
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/etrainer/backend/pkg/programtest"
)

// TestLevelAtRunTime changes the level of a real process, which waits for its
// database: by its private port and by the signal.
func TestLevelAtRunTime(t *testing.T) {
	t.Parallel()
	log, port, private := &buffer{}, freePort(t), freePort(t)
	api := exec.Command(programtest.Path(t, "api"))
	api.Stderr = log
	api.Env = append(os.Environ(), "PORT="+port, "API_PRIVATE_PORT="+private, "NODE_ENV=production", "LOG_LEVEL=info", "REDIS_URL=", "ENABLE_CLUSTERING=false",
		"MONGODB_URI=mongodb://127.0.0.1:1/none", "JWT_SECRET_KEY=q8Zt2vXw9Lr5Nb7Kd3Hf6Jm1Pc4Gs0YuTe")
	if err := api.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = api.Process.Kill(); _ = api.Wait() })
	level := "http://127.0.0.1:" + private + "/log-level"
	is := func(want string) {
		t.Helper()
		deadline := time.Now().Add(30 * time.Second)
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for got := ""; got != want; <-tick.C {
			if got = levelAt(t, http.MethodGet, level, ""); time.Now().After(deadline) {
				t.Fatalf("the level is %q, want %s\n%s", got, want, log)
			}
		}
	}
	is("info")
	asked := func() {
		t.Helper()
		reply, err := http.Get("http://127.0.0.1:" + port + "/livez") // a probe is logged at level debug
		if err != nil {
			t.Fatal(err)
		}
		_ = reply.Body.Close()
	}
	asked()
	if got := levelAt(t, http.MethodPut, level, "level=debug"); got != "debug" {
		t.Errorf("the level is set to %q, want debug", got)
	}
	asked()
	for range 2 {
		want := map[string]string{"debug": "info", "info": "debug"}[levelAt(t, http.MethodGet, level, "")]
		if err := api.Process.Signal(syscall.SIGUSR1); err != nil {
			t.Fatal(err)
		}
		is(want)
	}
	if err := api.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := api.Wait(); err != nil {
		t.Errorf("it ended with %v", err)
	}
	if requests, changes := strings.Count(log.String(), `"msg":"request"`), strings.Count(log.String(), `"msg":"log level changed"`); requests != 1 || changes != 3 {
		t.Errorf("%d requests and %d changes are logged, want 1 and 3\n%s", requests, changes, log)
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
