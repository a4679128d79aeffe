package supervise_test

import (
	"fmt"
	"net/http"
	"strings"
	"syscall"
	"testing"

	"github.com/etrainer/backend/pkg/logging"
	"github.com/etrainer/backend/pkg/supervise"
)

// TestChildrenFollowTheLevel sets the level at the private port of the parent: it
// reaches the children, and those that start later.
func TestChildrenFollowTheLevel(t *testing.T) {
	t.Parallel()
	var level *logging.Level
	f := start(t, func(o *supervise.Options) {
		log, err := logging.New(logging.Options{Out: o.Out})
		if err != nil {
			t.Fatal(err)
		}
		level, o.Level, o.Log = log.Level, log.Level, log.Logger
	}, "")
	first := f.ready()
	if text, err := f.get("/level"); err != nil || !strings.HasSuffix(text, " info") {
		t.Errorf("a child begins with %q, %v", text, err)
	}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPut, "http://"+f.private+"/log-level?level=debug", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	reply, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	_ = reply.Body.Close()
	if reply.StatusCode != http.StatusOK || level.String() != "debug" {
		t.Errorf("%s, and the parent is at %s", reply.Status, level)
	}
	f.follow("debug", pids(first)...)

	f.signals <- syscall.SIGHUP // a roll
	f.follow("debug", pids(f.ready(pids(first)...))...)
}

// follow waits until each of these children says that it has a level.
func (f *fixture) follow(level string, pids ...int) {
	f.t.Helper()
	for _, pid := range pids {
		f.until(fmt.Sprintf("child %d is at %s", pid, level), func() bool {
			text, err := f.get("/level")
			return err == nil && text == fmt.Sprint(pid, " ", level)
		})
	}
}
