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
	for _, l := range e.Log() {
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
		client := e.Client()
		senders.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				status := e.Get(client, "/livez")
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
	e.Until("requests are answered", func() bool { return sent.Load() >= from+more })
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
	if err := e.apis[0].Kill(); err != nil {
		t.Fatal(err)
	}
	<-e.apis[0].Gone
	e.loadFor(sent, 600)
	if err := e.apis[1].Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	<-e.apis[1].Gone
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
	e.Render(e.addresses())
	e.Reload()
	e.Until("the new api is asked", func() bool { return e.share()[e.apis[3].address] > 20 })
	if failed := stop(); len(failed) > 0 {
		t.Errorf("requests failed: %v", failed)
	}
}

// With no api at all the edge says so, in JSON, and quickly.
func TestNobodyAnswers(t *testing.T) {
	t.Parallel()
	e := start(t, 1)
	if err := e.apis[0].Kill(); err != nil {
		t.Fatal(err)
	}
	<-e.apis[0].Gone
	for _, path := range []string{"/", "/api/auth/login", "/health"} {
		reply, body, text := e.fetch(e.Client(), e.request(http.MethodGet, path, nil))
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
		if err := api.Signal(syscall.SIGSTOP); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = api.Signal(syscall.SIGCONT) })
	}
	before := len(e.Log())
	done := make(chan int, 1)
	go func() {
		client := e.Client()
		reply, err := client.Post(e.URL+"/api/auth/login", "application/json", strings.NewReader(`{"email":"a@example.com","password":"x"}`))
		if err != nil {
			done <- 0
			return
		}
		_ = reply.Body.Close()
		done <- reply.StatusCode
	}()
	e.Until("the request waits at an api", func() bool { return connections(t, e) > 0 })
	for _, api := range e.apis {
		_ = api.Kill()
		<-api.Gone
	}
	if status := <-done; status != http.StatusServiceUnavailable {
		t.Errorf("status %d, want 503", status)
	}
	e.Until("the request is logged", func() bool { return len(e.Log()) > before })
	for _, l := range e.Log()[before:] {
		if l.Path == "/api/auth/login" && strings.Contains(l.Upstream, ",") {
			t.Errorf("the POST was sent to %s", l.Upstream)
		}
	}
}

// With an Idempotency-Key it is: the api makes it one job.
func TestPostWithAKeyIsRepeated(t *testing.T) {
	t.Parallel()
	e := start(t, 2)
	if err := e.apis[0].Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	e.Until("a request that waited at the stopped api is answered by the other", func() bool {
		done := make(chan int, 1)
		client := e.Client()
		go func() {
			request := e.request(http.MethodPost, "/api/system/jobs/schedule", strings.NewReader(`{"name":"x"}`))
			request.Header.Set("Idempotency-Key", "k")
			reply, err := client.Do(request)
			if err != nil {
				done <- 0
				return
			}
			_ = reply.Body.Close()
			done <- reply.StatusCode
		}()
		select {
		case <-done: // it went to the other one at once
			return false
		case <-time.After(300 * time.Millisecond):
		}
		_ = e.apis[0].Kill()
		<-e.apis[0].Gone
		if status := <-done; status != http.StatusUnauthorized {
			t.Errorf("status %d, want 401 of the other api", status)
		}
		return true
	})
}

// connections counts those that nginx holds to the apis.
func connections(t *testing.T, e *edge) int {
	t.Helper()
	reply, err := http.Get("http://127.0.0.1:" + e.StatusPort + "/status")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = reply.Body.Close() }()
	var active, accepts, handled, requests, reading, writing, waiting int
	_, _ = fscan(reply.Body, &active, &accepts, &handled, &requests, &reading, &writing, &waiting)
	return writing - 1 // this very request is being written too
}
