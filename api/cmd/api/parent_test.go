package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	neturl "net/url"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/etrainer/backend/pkg/mongodb/mongotest"
	"github.com/etrainer/backend/pkg/programtest"
)

// TestRollOfAnAPI builds the program, makes it a parent of two, and rolls them
// while it is asked: every answer has to come from a process that can serve.
func TestRollOfAnAPI(t *testing.T) {
	t.Parallel()
	address, err := neturl.Parse(mongotest.URI(t))
	if err != nil {
		t.Fatal(err)
	}
	db := mongotest.Database(t)
	mongotest.Migrate(t, db)
	address.Path = "/" + db.Name()
	log, port := &buffer{}, freePort(t)
	parent := exec.Command(programtest.Path(t, "api"))
	parent.Stderr = log
	parent.Env = append(os.Environ(), "ENABLE_CLUSTERING=true", "WORKER_COUNT=2", "PORT="+port, "API_PRIVATE_PORT="+freePort(t), "RATE_LIMIT_MAX_REQUESTS=0", "NODE_ENV=production",
		"MONGODB_URI="+address.String(), "JWT_SECRET_KEY=q8Zt2vXw9Lr5Nb7Kd3Hf6Jm1Pc4Gs0YuTe")
	if err := parent.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = parent.Process.Kill() })
	base := "http://" + net.JoinHostPort("127.0.0.1", port)
	url := base + "/api/system/jobs"
	logged := func(text string, times int) {
		t.Helper()
		deadline := time.Now().Add(time.Minute)
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for strings.Count(log.String(), text) < times {
			if time.Now().After(deadline) {
				t.Fatalf("%q was not logged %d times\n%s", text, times, log)
			}
			<-tick.C
		}
	}
	logged(`"child ready"`, 2)
	var health struct {
		Cluster struct {
			ID  string `json:"worker_id"`
			PID int    `json:"pid"`
		} `json:"cluster"`
	}
	reply, err := http.Get(base + "/health")
	if err != nil {
		t.Fatal(err)
	}
	err = errors.Join(json.NewDecoder(reply.Body).Decode(&health), reply.Body.Close())
	if child := health.Cluster; err != nil || child.ID != "1" && child.ID != "2" || child.PID == 0 || child.PID == parent.Process.Pid {
		t.Errorf("/health tells of the child %+v, %v", child, err)
	}

	over, asked := make(chan struct{}), make(chan map[string]int, 1)
	go func() { asked <- askUntil(over, url) }()
	for round := range 2 {
		if err := parent.Process.Signal(syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
		logged(`"rolled the children"`, round+1)
	}
	close(over)
	if answers := <-asked; len(answers) != 1 || answers["401 Unauthorized"] == 0 {
		t.Errorf("answers = %v, want nothing but 401", answers)
	}
	if err := parent.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := parent.Wait(); err != nil {
		t.Errorf("the parent ended with %v\n%s", err, log)
	}
}

// askUntil asks on kept and on new connections in turn, and counts the answers.
func askUntil(over <-chan struct{}, url string) map[string]int {
	answers := map[string]int{}
	kept := &http.Client{Transport: &http.Transport{}}
	defer kept.CloseIdleConnections()
	clients := []*http.Client{kept, {Transport: &http.Transport{DisableKeepAlives: true}}}
	for i := 0; ; i++ {
		select {
		case <-over:
			return answers
		default:
		}
		reply, err := clients[i%2].Get(url)
		if err != nil {
			answers[fmt.Sprint(err)]++
			continue
		}
		_, _ = io.Copy(io.Discard, reply.Body)
		_ = reply.Body.Close()
		answers[reply.Status]++
	}
}
