package supervise_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/etrainer/backend/pkg/drain"
	"github.com/etrainer/backend/pkg/lifecycle"
	"github.com/etrainer/backend/pkg/logging"
	"github.com/etrainer/backend/pkg/metrics"
	"github.com/etrainer/backend/pkg/supervise"
)

// The test binary plays the programs that it supervises. Behaviour is in a
// file, so that a test can change it for the next child.
const (
	roleVariable      = "SUPERVISE_TEST_ROLE"
	behaviourVariable = "SUPERVISE_TEST_BEHAVIOUR"
	diaryVariable     = "SUPERVISE_TEST_DIARY" // a file with a line for each start
	listenVariable    = "SUPERVISE_TEST_LISTEN"
)

func TestMain(m *testing.M) {
	switch os.Getenv(roleVariable) {
	case "child":
		os.Exit(child())
	case "parent":
		os.Exit(parentProcess())
	}
	// The client of the private port keeps its connections.
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		http.DefaultClient.CloseIdleConnections()
		os.Exit(code)
	}))
}

// child is the supervised program: a web server that tells its pid.
func child() (code int) {
	diary, err := os.OpenFile(os.Getenv(diaryVariable), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return lifecycle.ExitFailed
	}
	fmt.Fprintln(diary, os.Getpid())
	behaviour, err := os.ReadFile(os.Getenv(behaviourVariable))
	if err != nil {
		return lifecycle.ExitFailed
	}
	if string(behaviour) == "bad config" {
		return lifecycle.ExitBadConfig
	}
	me, err := supervise.Inherit()
	if err != nil || me == nil {
		return lifecycle.ExitFailed
	}
	log, err := logging.New(logging.Options{Out: io.Discard})
	if err != nil {
		return lifecycle.ExitFailed
	}
	me.FollowLevel(log.Level)
	ctx := me.Begin(context.Background())
	defer func() { me.End(code) }()
	switch string(behaviour) {
	case "crash":
		return 3
	case "late bad config":
		return lifecycle.ExitBadConfig
	case "panic":
		panic("the child was told to")
	case "never ready":
		<-ctx.Done()
	}
	group := lifecycle.NewGroup(nil)
	group.Add("server", &server{child: me, level: log.Level})
	group.Add("readiness", me.Readiness())
	return lifecycle.Run(ctx, slog.New(slog.DiscardHandler), group, lifecycle.RunOptions{Grace: 20 * time.Second})
}

type server struct {
	child   *supervise.Child
	level   *logging.Level
	http    *drain.Server
	private *http.Server
}

func (s *server) Start(context.Context) error {
	listener, err := s.child.Listener()
	if err != nil {
		return err
	}
	var inFlight atomic.Int64
	s.child.CountInFlight(func() int { return int(inFlight.Load()) })
	mux := http.NewServeMux()
	mux.HandleFunc("/pid", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, os.Getpid()) })
	mux.HandleFunc("/early", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, s.child.AcceptsEarly()) })
	mux.HandleFunc("/status", func(w http.ResponseWriter, _ *http.Request) {
		status, _ := s.child.Status()
		_ = json.NewEncoder(w).Encode(status)
	})
	mux.HandleFunc("/level", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, os.Getpid(), " ", s.level) })
	mux.HandleFunc("/processors", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, runtime.GOMAXPROCS(0)) })
	mux.HandleFunc("/hold", func(w http.ResponseWriter, r *http.Request) { // until its gate opens
		inFlight.Add(1)
		defer inFlight.Add(-1)
		w.WriteHeader(http.StatusOK)
		_ = http.NewResponseController(w).Flush()
		if _, err := os.ReadFile(r.FormValue("gate")); err == nil {
			fmt.Fprint(w, "held to the end")
		}
	})
	s.http = drain.New(&http.Server{Handler: mux}, listener)
	go s.http.Serve()

	registry := metrics.New("child", nil)
	private := http.NewServeMux()
	private.Handle("/metrics", registry.Handler())
	private.HandleFunc("/readyz", func(http.ResponseWriter, *http.Request) {})
	own, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	s.private = &http.Server{Handler: private}
	go s.private.Serve(own)
	s.child.ServesPrivately(own.Addr().String())
	return nil
}

func (s *server) Stop(ctx context.Context) error {
	defer s.private.Close()
	return s.http.Stop(ctx)
}

// parentProcess is a parent in a process of its own, which a test may kill.
func parentProcess() int {
	listener, err := supervise.Listen(context.Background(), os.Getenv(listenVariable))
	if err != nil {
		return lifecycle.ExitFailed
	}
	self, err := supervise.Self()
	if err != nil {
		return lifecycle.ExitFailed
	}
	return supervise.Run(context.Background(), supervise.Options{
		Path: self, Env: []string{roleVariable + "=child"}, Count: 2, Listener: listener, Times: quick(),
	})
}

// quick are times for tests: restarts at once, and patience with a machine that
// has much to do.
func quick() supervise.Times {
	return supervise.Times{
		Beat: 20 * time.Millisecond, HangAfter: time.Minute, ReadyWithin: time.Minute,
		FirstPause: 10 * time.Millisecond, LongPause: 50 * time.Millisecond, BrakeAfter: 50, BrakeRest: 50 * time.Millisecond,
	}
}

// fixture is a running parent.
type fixture struct {
	t         *testing.T
	address   string
	private   string
	behaviour string
	diary     string
	signals   chan os.Signal
	done      chan struct{}
	code      int
	log       *output
}

// start runs a parent in this process, with children that behave.
func start(t *testing.T, change func(*supervise.Options), behaviour string) *fixture {
	t.Helper()
	dir := t.TempDir()
	f := &fixture{
		t: t, behaviour: dir + "/behaviour", diary: dir + "/diary", signals: make(chan os.Signal, 4), done: make(chan struct{}), log: &output{},
	}
	f.behave(behaviour)
	listener, err := supervise.Listen(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f.address = listener.Name()
	f.private = freeAddress(t)
	options := supervise.Options{
		Path: os.Args[0], Count: 2, Listener: listener, Private: f.private, Times: quick(), Grace: 20 * time.Second,
		Env: []string{roleVariable + "=child", behaviourVariable + "=" + f.behaviour, diaryVariable + "=" + f.diary},
		Out: f.log, Log: slog.New(slog.NewTextHandler(f.log, nil)), Signals: f.signals,
	}
	if change != nil {
		change(&options)
	}
	go func() {
		defer close(f.done)
		f.code = supervise.Run(context.Background(), options)
	}()
	t.Cleanup(func() {
		f.signals <- syscall.SIGTERM
		<-f.done
		if t.Failed() {
			t.Log(f.log)
		}
	})
	return f
}

func (f *fixture) behave(text string) {
	f.t.Helper()
	if err := os.WriteFile(f.behaviour, []byte(text), 0o600); err != nil {
		f.t.Fatal(err)
	}
}

// starts counts the children that were ever started.
func (f *fixture) starts() int {
	text, err := os.ReadFile(f.diary)
	if err != nil {
		return 0
	}
	return strings.Count(string(text), "\n")
}

// end waits for the end of the parent.
func (f *fixture) end() int {
	f.t.Helper()
	select {
	case <-f.done:
		return f.code
	case <-time.After(time.Minute):
		f.t.Fatal("the parent does not end")
		return -1
	}
}

// get returns the body of a path, on a connection of its own.
func (f *fixture) get(path string) (string, error) { return get("http://" + f.address + path) }

func get(url string) (string, error) {
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: time.Minute}
	reply, err := client.Get(url)
	if err != nil {
		return "", err
	}
	defer reply.Body.Close()
	body, err := io.ReadAll(reply.Body)
	if err == nil && reply.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", reply.Status, body)
	}
	return string(body), err
}

// status asks a child what its parent says.
func (f *fixture) status() supervise.Status {
	f.t.Helper()
	text, err := f.get("/status")
	if err != nil {
		return supervise.Status{}
	}
	var s supervise.Status
	if err := json.Unmarshal([]byte(text), &s); err != nil {
		f.t.Fatalf("status %q: %v", text, err)
	}
	return s
}

// ready waits until every child is, none of them one of the former, and
// returns them.
func (f *fixture) ready(former ...int) supervise.Status {
	f.t.Helper()
	var s supervise.Status
	f.until("all children are ready", func() bool {
		s = f.status()
		for _, each := range s.Workers {
			if each.State != supervise.Ready || slices.Contains(former, each.PID) {
				return false
			}
		}
		return len(s.Workers) > 0
	})
	return s
}

// gate makes a named pipe: a request for /hold waits until open lets it go.
func gate(t *testing.T) (path string, open func()) {
	t.Helper()
	path = t.TempDir() + "/gate"
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	return path, func() {
		t.Helper()
		writer, err := os.OpenFile(path, os.O_WRONLY, 0) // waits for the reader
		if err != nil {
			t.Fatal(err)
		}
		_ = writer.Close()
	}
}

func pids(s supervise.Status) []int {
	var out []int
	for _, each := range s.Workers {
		out = append(out, each.PID)
	}
	return out
}

// until polls a condition, with a generous limit.
func (f *fixture) until(what string, holds func() bool) {
	f.t.Helper()
	deadline := time.Now().Add(time.Minute)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		if time.Now().After(deadline) {
			f.t.Fatalf("it never came about that %s\n%s", what, f.log)
		}
		<-tick.C
	}
}

func freeAddress(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return "127.0.0.1:" + strconv.Itoa(listener.Addr().(*net.TCPAddr).Port)
}
