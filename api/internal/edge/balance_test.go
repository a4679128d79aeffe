package edge_test

import (
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// share is how many requests each api got so far, by address. A request that
// was tried at two counts for both.
func (e *edge) share() map[string]int {
	share := map[string]int{}
	for _, l := range e.log() {
		for address := range strings.SplitSeq(l.Upstream, ", ") {
			if address != "" {
				share[address]++
			}
		}
	}
	return share
}

// load sends GET requests without end from several connections, until stopped;
// stop returns how many there were and what failed. Probes have no limit.
func (e *edge) load(connections int) (sent *atomic.Int64, stop func() []int) {
	var senders sync.WaitGroup
	var mu sync.Mutex
	var failed []int
	sent = &atomic.Int64{}
	done := make(chan struct{})
	for range connections {
		client := e.client()
		senders.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				status := e.get(client, "/livez")
				sent.Add(1)
				if status != http.StatusOK {
					mu.Lock()
					failed = append(failed, status)
					mu.Unlock()
				}
			}
		})
	}
	return sent, func() []int {
		close(done)
		senders.Wait()
		return failed
	}
}

func (e *edge) loadFor(sent *atomic.Int64, more int64) {
	from := sent.Load()
	e.until("requests are answered", func() bool { return sent.Load() >= from+more })
}

func TestEveryAPIGetsItsShare(t *testing.T) {
	t.Parallel()
	e := start(t, 3)
	sent, stop := e.load(6)
	e.loadFor(sent, 900)
	if failed := stop(); len(failed) > 0 {
		t.Errorf("requests failed: %v", failed)
	}
	total := 0
	share := e.share()
	for _, n := range share {
		total += n
	}
	for _, api := range e.apis {
		if n := share[api.address]; n < total/6 {
			t.Errorf("%s got %d of %d requests: %v", api.address, n, total, share)
		}
	}
}

// One api is killed under load, and one stops in order: no request that may be
// repeated fails.
func TestFailover(t *testing.T) {
	t.Parallel()
	e := start(t, 3)
	sent, stop := e.load(6)
	e.loadFor(sent, 300)
	if err := e.apis[0].cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	<-e.apis[0].gone
	e.loadFor(sent, 600)
	if err := e.apis[1].cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	<-e.apis[1].gone
	e.loadFor(sent, 600)
	if failed := stop(); len(failed) > 0 {
		t.Errorf("%d of %d requests failed: %v", len(failed), sent.Load(), failed)
	}
}

// A fourth api is noticed after a reload, under load, without a failure.
func TestScaleUp(t *testing.T) {
	t.Parallel()
	e := start(t, 3)
	sent, stop := e.load(4)
	e.loadFor(sent, 200)
	e.addAPI()
	e.render()
	e.reload()
	e.until("the new api is asked", func() bool { return e.share()[e.apis[3].address] > 20 })
	if failed := stop(); len(failed) > 0 {
		t.Errorf("requests failed: %v", failed)
	}
}

// With no api at all the edge says so, in JSON, and quickly.
func TestNobodyAnswers(t *testing.T) {
	t.Parallel()
	e := start(t, 1)
	if err := e.apis[0].cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	<-e.apis[0].gone
	for _, path := range []string{"/", "/api/auth/login", "/health"} {
		reply, body, text := e.fetch(e.client(), e.request(http.MethodGet, path, nil))
		if reply.StatusCode != http.StatusServiceUnavailable || body["error"] != "Service temporarily unavailable" || reply.Header.Get("Retry-After") != "5" {
			t.Errorf("%s: %d %v %s", path, reply.StatusCode, reply.Header, text)
		}
	}
}

// A POST whose api dies under it is not sent to another one: it might have
// been done.
func TestPostIsNotRepeated(t *testing.T) {
	t.Parallel()
	e := start(t, 2)
	for _, api := range e.apis { // stopped, not gone: connections are taken, and nothing is answered
		if err := api.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = api.cmd.Process.Signal(syscall.SIGCONT) })
	}
	before := len(e.log())
	done := make(chan int, 1)
	go func() {
		client := e.client()
		reply, err := client.Post(e.base+"/api/auth/login", "application/json", strings.NewReader(`{"email":"a@example.com","password":"x"}`))
		if err != nil {
			done <- 0
			return
		}
		_ = reply.Body.Close()
		done <- reply.StatusCode
	}()
	e.until("the request waits at an api", func() bool { return connections(t, e) > 0 })
	for _, api := range e.apis {
		_ = api.cmd.Process.Kill()
		<-api.gone
	}
	if status := <-done; status != http.StatusServiceUnavailable {
		t.Errorf("status %d, want 503", status)
	}
	e.until("the request is logged", func() bool { return len(e.log()) > before })
	for _, l := range e.log()[before:] {
		if l.Path == "/api/auth/login" && strings.Contains(l.Upstream, ",") {
			t.Errorf("the POST was sent to %s", l.Upstream)
		}
	}
}

// connections counts those that nginx holds to the apis.
func connections(t *testing.T, e *edge) int {
	t.Helper()
	reply, err := http.Get("http://127.0.0.1:" + e.statusPort + "/status")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = reply.Body.Close() }()
	var active, accepts, handled, requests, reading, writing, waiting int
	_, _ = fscan(reply.Body, &active, &accepts, &handled, &requests, &reading, &writing, &waiting)
	return writing - 1 // this very request is being written too
}

// Old nginx cannot resolve names again: render says so.
func TestResolverNeedsARecentNginx(t *testing.T) {
	t.Parallel()
	needsNginx(t)
	certificate, key, _ := selfMade(t, t.TempDir(), time.Now().Add(time.Hour))
	dir := t.TempDir()
	out, err := renderWith(t, dir, []string{
		"NGINX_CERTIFICATE=" + certificate, "NGINX_CERTIFICATE_KEY=" + key, "NGINX_UPSTREAM=api:8080", "NGINX_RESOLVER=127.0.0.11",
	})
	if err != nil && !strings.Contains(out, "NGINX_RESOLVER needs nginx 1.27.3 or later and this is ") {
		t.Errorf("render: %v %s", err, out)
	}
}
