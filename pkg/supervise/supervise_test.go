package supervise_test

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/etrainer/backend/pkg/lifecycle"
	"github.com/etrainer/backend/pkg/supervise"
)

// output is written by processes and read by the test.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// load asks for /pid all the time, from several clients, each request on a new
// connection, until stop; it returns how many were answered and what failed.
func (f *fixture) load() (stop func() (answered int, failures []error)) {
	var mu sync.Mutex
	var answered int
	var failures []error
	var clients sync.WaitGroup
	over := make(chan struct{})
	for range 4 {
		clients.Go(func() {
			for {
				select {
				case <-over:
					return
				default:
				}
				_, err := f.get("/pid")
				mu.Lock()
				if err != nil {
					failures = append(failures, err)
				} else {
					answered++
				}
				mu.Unlock()
			}
		})
	}
	return func() (int, []error) {
		close(over)
		clients.Wait()
		return answered, failures
	}
}

func kill(t *testing.T, pid int, signal syscall.Signal) {
	t.Helper()
	if err := syscall.Kill(pid, signal); err != nil {
		t.Fatalf("signal %d to %d: %v", signal, pid, err)
	}
}

func alive(pid int) bool { return syscall.Kill(pid, 0) == nil }

func TestStatus(t *testing.T) {
	t.Parallel()
	f := start(t, func(o *supervise.Options) { o.Count = 1 }, "")
	f.ready()
	if early, err := f.get("/early"); early != "true" || err != nil {
		t.Errorf("the only child does not accept early: %s, %v", early, err)
	}
	f = start(t, nil, "")
	f.ready()
	hold, open := gate(t)
	held := make(chan string, 1)
	go func() { text, _ := f.get("/hold?gate=" + hold); held <- text }()
	var s supervise.Status
	f.until("the request is counted", func() bool {
		s = f.status()
		return len(s.Workers) == 2 && s.Workers[0].InFlight+s.Workers[1].InFlight == 1
	})
	if s.MasterPID != os.Getpid() || s.WorkerCount != 2 {
		t.Errorf("status = %+v", s)
	}
	for i, each := range s.Workers {
		if each.ID != i+1 || each.PID == 0 || each.IsDead || each.Restarts != 0 || each.Uptime <= 0 || each.Memory < 1<<20 || each.Memory > 1<<30 {
			t.Errorf("worker %+v", each)
		}
	}
	if s.Workers[0].PID == s.Workers[1].PID {
		t.Error("both children are one process")
	}
	open()
	if text := <-held; text != "held to the end" {
		t.Errorf("the request was answered with %q", text)
	}
}

// TestProcessorsAreShared: together the children run no more threads than one
// process would, unless the environment says how many.
func TestProcessorsAreShared(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		children int
		env      []string
		want     int
	}{
		"one child":           {1, nil, runtime.GOMAXPROCS(0)},
		"two children":        {2, nil, (runtime.GOMAXPROCS(0) + 1) / 2},
		"more than there are": {runtime.GOMAXPROCS(0) + 1, nil, 1},
		"told":                {2, []string{"GOMAXPROCS=3"}, 3},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := start(t, func(o *supervise.Options) { o.Count = test.children; o.Env = append(o.Env, test.env...) }, "")
			f.ready()
			if got, err := f.get("/processors"); got != strconv.Itoa(test.want) || err != nil {
				t.Errorf("a child has %s processors, %v; want %d", got, err, test.want)
			}
		})
	}
}

// TestKilledChildren: while children are killed under load no connection is
// refused. Requests that the killed process had accepted are cut off.
func TestKilledChildren(t *testing.T) {
	t.Parallel()
	f := start(t, nil, "")
	s := f.ready()
	stop := f.load()
	const rounds = 3
	for round := range rounds {
		before := pids(s)
		for _, pid := range before { // all of them: connections wait
			kill(t, pid, syscall.SIGKILL)
		}
		s = f.ready(before...)
		if s.Workers[0].Restarts != round+1 {
			t.Errorf("restarts = %+v, want %d", s.Workers, round+1)
		}
	}
	answered, failures := stop()
	for _, err := range failures {
		if strings.Contains(err.Error(), "refused") {
			t.Errorf("refused: %v", err)
		}
	}
	// Each client has one request at a time, so a kill cuts off four at most.
	if answered == 0 || len(failures) > 4*rounds*2 {
		t.Errorf("%d answered, %d failed: %v", answered, len(failures), failures)
	}
}

func TestHungChildIsReplaced(t *testing.T) {
	t.Parallel()
	f := start(t, func(o *supervise.Options) { o.Times.HangAfter = 3 * time.Second }, "")
	s := f.ready()
	hung := s.Workers[0].PID
	kill(t, hung, syscall.SIGSTOP)
	f.until("the hung child is replaced", func() bool { return !alive(hung) })
	s = f.ready(hung)
	if s.Workers[0].Restarts != 1 || s.Workers[1].Restarts != 0 {
		t.Errorf("workers = %+v", s.Workers)
	}
	if !strings.Contains(f.log.String(), "child hangs: killed") {
		t.Error("the log does not tell")
	}
}

func TestCrashLoopEndsTheParent(t *testing.T) {
	t.Parallel()
	f := start(t, func(o *supervise.Options) { o.Times.BrakeAfter = 3; o.Times.BrakeRest = time.Hour }, "crash")
	if code := f.end(); code != lifecycle.ExitFailed {
		t.Errorf("exit code = %d, want 1", code)
	}
	if n := f.starts(); n != 6 {
		t.Errorf("%d starts, want 3 of each of 2 children", n)
	}
}

// TestBrake: one child that crashes again and again rests, and is tried again;
// the parent goes on.
func TestBrake(t *testing.T) {
	t.Parallel()
	f := start(t, func(o *supervise.Options) { o.Times.BrakeAfter = 2; o.Times.BrakeRest = 2 * time.Second }, "")
	s := f.ready()
	f.behave("crash")
	kill(t, s.Workers[0].PID, syscall.SIGKILL)
	f.until("the place rests", func() bool { return strings.Contains(f.log.String(), "its place rests") })
	if s = f.status(); len(s.Workers) != 2 || s.Workers[1].State != supervise.Ready {
		t.Errorf("status = %+v", s)
	}
	f.behave("")
	f.ready()
}

func TestBadConfigEndsTheParent(t *testing.T) {
	t.Parallel()
	for _, behaviour := range []string{"bad config", "late bad config"} {
		t.Run(behaviour, func(t *testing.T) {
			t.Parallel()
			f := start(t, nil, behaviour)
			if code := f.end(); code != lifecycle.ExitBadConfig {
				t.Errorf("exit code = %d, want 2", code)
			}
			if n := f.starts(); n > 2 {
				t.Errorf("%d starts, want no restart of 2 children", n)
			}
		})
	}
}

// TestPanicIsNotBadConfig: Go ends a process that panics with the same code.
func TestPanicIsNotBadConfig(t *testing.T) {
	t.Parallel()
	f := start(t, func(o *supervise.Options) { o.Times.BrakeAfter = 2; o.Count = 1 }, "panic")
	if code := f.end(); code != lifecycle.ExitFailed {
		t.Errorf("exit code = %d, want 1", code)
	}
	if n := f.starts(); n != 2 {
		t.Errorf("%d starts, want 2", n)
	}
}

func TestRoll(t *testing.T) {
	t.Parallel()
	for _, signal := range []syscall.Signal{syscall.SIGHUP, syscall.SIGUSR2} {
		t.Run(signal.String(), func(t *testing.T) {
			t.Parallel()
			f := start(t, nil, "")
			before := pids(f.ready())
			stop := f.load()
			f.signals <- signal
			s := f.ready(before...)
			if early, err := f.get("/early"); early != "false" || err != nil {
				t.Errorf("a child that started beside ready ones accepts early: %s, %v", early, err)
			}
			f.until("the old children are gone", func() bool { return !alive(before[0]) && !alive(before[1]) })
			answered, failures := stop()
			if answered == 0 || len(failures) != 0 {
				t.Errorf("%d answered, failed: %v", answered, failures)
			}
			if s.Workers[0].Restarts+s.Workers[1].Restarts != 0 {
				t.Errorf("a roll counts as restart: %+v", s.Workers)
			}
			if n := f.starts(); n != 4 {
				t.Errorf("%d starts, want 4", n)
			}
		})
	}
}

// TestRollTwice: what is asked for during a roll happens after it.
func TestRollTwice(t *testing.T) {
	t.Parallel()
	f := start(t, nil, "")
	f.ready()
	f.signals <- syscall.SIGHUP
	f.until("the roll has begun", func() bool { return strings.Contains(f.log.String(), "rolling the children") })
	f.signals <- syscall.SIGUSR2
	f.until("both rolls are over", func() bool { return strings.Count(f.log.String(), "rolled the children") == 2 })
	if n := f.starts(); n != 6 {
		t.Errorf("%d starts, want 6", n)
	}
}

// TestRollGivenUp: new children that cannot work leave the old ones in place.
func TestRollGivenUp(t *testing.T) {
	t.Parallel()
	for _, behaviour := range []string{"crash", "bad config", "never ready"} {
		t.Run(behaviour, func(t *testing.T) {
			t.Parallel()
			f := start(t, func(o *supervise.Options) { o.Times.ReadyWithin = 3 * time.Second }, "")
			before := f.ready()
			f.behave(behaviour)
			f.signals <- syscall.SIGHUP
			f.until("the roll is given up", func() bool { return strings.Contains(f.log.String(), "roll given up") })
			after := f.ready()
			if pids(before)[0] != pids(after)[0] || pids(before)[1] != pids(after)[1] {
				t.Errorf("children %v became %v", pids(before), pids(after))
			}
			f.behave("")
			f.signals <- syscall.SIGHUP // mended
			f.ready(pids(before)...)
		})
	}
}

func TestDrain(t *testing.T) {
	t.Parallel()
	f := start(t, nil, "")
	all := pids(f.ready())
	hold, open := gate(t)
	held := make(chan string, 1)
	go func() {
		text, err := f.get("/hold?gate=" + hold)
		held <- fmt.Sprint(text, err)
	}()
	f.until("the request is going on", func() bool {
		s := f.status()
		return len(s.Workers) == 2 && s.Workers[0].InFlight+s.Workers[1].InFlight == 1
	})
	f.signals <- syscall.SIGTERM
	f.until("the idle child has ended", func() bool { return !alive(all[0]) || !alive(all[1]) })
	open()
	if text := <-held; text != "held to the end<nil>" {
		t.Errorf("the request in flight got %q", text)
	}
	if code := f.end(); code != lifecycle.ExitOK {
		t.Errorf("exit code = %d, want 0", code)
	}
	if _, err := f.get("/pid"); err == nil || !strings.Contains(err.Error(), "refused") {
		t.Errorf("after the end: %v, want a closed port", err)
	}
}

// stuck starts children of which one holds a request for ever.
func stuck(t *testing.T, grace time.Duration) *fixture {
	t.Helper()
	f := start(t, func(o *supervise.Options) { o.Grace = grace }, "")
	f.ready()
	hold, _ := gate(t)
	go func() { _, _ = f.get("/hold?gate=" + hold) }()
	f.until("the request is going on", func() bool {
		s := f.status()
		return len(s.Workers) == 2 && s.Workers[0].InFlight+s.Workers[1].InFlight == 1
	})
	f.signals <- syscall.SIGTERM
	f.until("the drain has begun", func() bool { return strings.Contains(f.log.String(), "stopping") })
	return f
}

func TestDrainTakesTooLong(t *testing.T) {
	t.Parallel()
	f := stuck(t, 100*time.Millisecond)
	if code := f.end(); code != lifecycle.ExitFailed {
		t.Errorf("exit code = %d, want 1", code)
	}
	if !strings.Contains(f.log.String(), "child does not end in time: killed") {
		t.Error("the log does not tell")
	}
}

func TestSecondSignal(t *testing.T) {
	t.Parallel()
	f := stuck(t, time.Hour)
	f.signals <- syscall.SIGTERM
	if code := f.end(); code != 143 {
		t.Errorf("exit code = %d, want 143", code)
	}
}

// TestParentDies: children of a killed parent drain, and free the port.
func TestParentDies(t *testing.T) {
	t.Parallel()
	dir, address := t.TempDir(), freeAddress(t)
	if err := os.WriteFile(dir+"/behaviour", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	parent := exec.Command(os.Args[0])
	parent.Env = append(os.Environ(), roleVariable+"=parent", listenVariable+"="+address,
		behaviourVariable+"="+dir+"/behaviour", diaryVariable+"="+dir+"/diary")
	if err := parent.Start(); err != nil {
		t.Fatal(err)
	}
	f := &fixture{t: t, address: address, log: &output{}}
	all := pids(f.ready())
	if err := parent.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = parent.Wait()
	f.until("the children have ended", func() bool { return gone(all[0]) && gone(all[1]) })
	if _, err := f.get("/pid"); err == nil {
		t.Error("the port is still open")
	}
}

// gone reports whether a process has ended; one that nobody waits for, as in a
// container without an init, stays as a zombie.
func gone(pid int) bool {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return true
	}
	_, after, _ := strings.Cut(string(text), ") ")
	return strings.HasPrefix(after, "Z")
}

// TestRealSignals: a parent in a process of its own hears the signals of the
// system, and Inherit refuses a process that only pretends.
func TestRealSignals(t *testing.T) {
	t.Parallel()
	dir, address := t.TempDir(), freeAddress(t)
	if err := os.WriteFile(dir+"/behaviour", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	parent := exec.Command(os.Args[0])
	parent.Env = append(os.Environ(), roleVariable+"=parent", listenVariable+"="+address,
		behaviourVariable+"="+dir+"/behaviour", diaryVariable+"="+dir+"/diary")
	if err := parent.Start(); err != nil {
		t.Fatal(err)
	}
	f := &fixture{t: t, address: address, log: &output{}}
	before := pids(f.ready())
	kill(t, parent.Process.Pid, syscall.SIGHUP)
	f.ready(before...)
	for _, pid := range pids(f.ready()) {
		kill(t, pid, syscall.SIGUSR2) // the parent's business: a child ignores it
	}
	kill(t, parent.Process.Pid, syscall.SIGTERM)
	if err := parent.Wait(); err != nil {
		t.Errorf("the parent ended with %v", err)
	}
}

func TestPrivatePort(t *testing.T) {
	t.Parallel()
	f := start(t, nil, "")
	f.ready()
	base := "http://" + f.private
	for _, path := range []string{"/livez", "/readyz"} {
		if text, err := get(base + path); err != nil {
			t.Errorf("%s: %s %v", path, text, err)
		}
	}
	text, err := get(base + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`etrainer_supervise_children{state="ready"} 2`,
		`etrainer_supervise_unwanted_ends_total 0`,
		`etrainer_build_info{child="1",commit=`,
		`etrainer_build_info{child="2",commit=`,
		`process_resident_memory_bytes{child="1"} `,
		"\nprocess_resident_memory_bytes ",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("/metrics lacks %q:\n%s", want, text)
		}
	}
	if n := strings.Count(text, "# TYPE go_goroutines "); n != 1 {
		t.Errorf("go_goroutines has %d TYPE lines", n)
	}
}

// TestPrivatePortWithoutReadyChildren tells the truth about children that
// cannot work.
func TestPrivatePortWithoutReadyChildren(t *testing.T) {
	t.Parallel()
	f := start(t, nil, "never ready")
	base := "http://" + f.private
	f.until("the port is open", func() bool { _, err := get(base + "/livez"); return err == nil })
	reply, err := http.Get(base + "/readyz")
	if err != nil {
		t.Fatal(err)
	}
	defer reply.Body.Close()
	if reply.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("/readyz = %s, want 503", reply.Status)
	}
}

func TestPrivatePortInUse(t *testing.T) {
	t.Parallel()
	taken, err := supervise.Listen(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	log := &output{}
	code := supervise.Run(t.Context(), supervise.Options{Path: "/nowhere", Count: 1, Private: taken.Name(), Log: logTo(log)})
	if code != lifecycle.ExitFailed || !strings.Contains(log.String(), "address already in use") {
		t.Errorf("code %d, log %s", code, log)
	}
	if _, err := supervise.Listen(t.Context(), taken.Name()); err == nil {
		t.Error("a port in use was opened")
	}
}

// TestEndOfTheContext drains as a signal does.
func TestEndOfTheContext(t *testing.T) {
	t.Parallel()
	f := start(t, nil, "")
	f.ready()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	log := &output{}
	code := supervise.Run(ctx, supervise.Options{
		Path: os.Args[0], Count: 1, Times: quick(), Out: log, Log: logTo(log),
		Env: []string{roleVariable + "=child", behaviourVariable + "=" + f.behaviour, diaryVariable + "=" + f.diary},
	})
	if code != lifecycle.ExitOK {
		t.Errorf("exit code = %d\n%s", code, log)
	}
}

// TestMissingBinary is a crash like any other.
func TestMissingBinary(t *testing.T) {
	t.Parallel()
	times := quick()
	times.BrakeAfter = 2
	if code := supervise.Run(t.Context(), supervise.Options{Path: "/nowhere/api", Count: 2, Times: times}); code != lifecycle.ExitFailed {
		t.Errorf("exit code = %d, want 1", code)
	}
}
