package process_test

import (
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/etrainer/backend/tools/chaos/internal/history"
	"github.com/etrainer/backend/tools/chaos/internal/process"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const patience = 20 * time.Second

// output collects what a process prints.
type output struct {
	mu   sync.Mutex
	text strings.Builder
}

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(b)
}

func (o *output) has(text string) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return strings.Contains(o.text.String(), text)
}

type bench struct {
	*testing.T
	folder string
	out    output
	p      *process.Process
}

// start runs a shell script that knows the name of its life as $0.
func start(t *testing.T, script string, change func(*process.Spec)) *bench {
	t.Helper()
	b := &bench{T: t, folder: t.TempDir()}
	log, err := history.Open(b.folder, "stage", nil)
	if err != nil {
		t.Fatal(err)
	}
	spec := process.Spec{
		Name: "p", Command: func(life string) *exec.Cmd { return exec.Command("sh", "-c", script, life) },
		Ready: "ready", History: log, Output: &b.out,
	}
	if change != nil {
		change(&spec)
	}
	b.p = process.Start(spec)
	t.Cleanup(func() { _, _ = b.p.Stop(true, patience), log.Close() })
	if err := b.p.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	return b
}

func (b *bench) until(what string, holds func() bool) {
	b.Helper()
	deadline := time.Now().Add(patience)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		if time.Now().After(deadline) {
			b.Fatalf("not within %s: %s", patience, what)
		}
		<-tick.C
	}
}

// exits are the notes of the ends so far.
func (b *bench) exits() []string {
	b.Helper()
	lines, err := history.Read(b.folder)
	if err != nil {
		b.Fatal(err)
	}
	var notes []string
	for _, line := range lines {
		notes = append(notes, line.Process+" "+line.Note)
	}
	return notes
}

func TestAKilledProcessIsStartedAgain(t *testing.T) {
	t.Parallel()
	b := start(t, `echo "$0 ready"; cat`, nil)
	b.p.Signal(syscall.SIGKILL)
	b.until("it lives again", func() bool { return b.out.has("p.2 ready") })
	if got := b.p.Life(); got != "p.2" {
		t.Errorf("its life is %s", got)
	}
	if got := b.exits(); len(got) != 1 || got[0] != "p.1 signal: killed" {
		t.Errorf("the ends are %q", got)
	}
	b.p.Say([]byte("hello"))
	b.until("it repeats what is said", func() bool { return b.out.has("hello\n") })
	if err := b.p.Stop(false, patience); err != nil {
		t.Errorf("Stop: %v", err)
	}
}

func TestAnEndThatNobodyAskedFor(t *testing.T) {
	t.Parallel()
	for code, want := range map[string]string{"3": "p.1 exit status 3", "1": "p.1 unexpected: exit status 1", "0": "p.1 unexpected: exit code 0"} {
		b := start(t, `echo ready; exit `+code, func(s *process.Spec) { s.Allowed = []int{3} })
		b.until("its end is noted", func() bool { return len(b.exits()) > 0 })
		if got := b.exits()[0]; got != want {
			t.Errorf("exit %s: %q, want %q", code, got, want)
		}
	}
}

func TestStopAndContinue(t *testing.T) {
	t.Parallel()
	b := start(t, `echo ready; cat`, nil)
	b.p.Signal(syscall.SIGSTOP)
	b.until("it stands", b.p.IsStopped)
	b.p.Signal(syscall.SIGCONT)
	b.until("it goes on", func() bool { return !b.p.IsStopped() })
}

func TestOneThatDoesNotStop(t *testing.T) {
	t.Parallel()
	b := start(t, `trap "" TERM; echo ready; while :; do sleep 0.05; done`, nil)
	if err := b.p.Stop(true, 200*time.Millisecond); err == nil || !strings.Contains(err.Error(), "did not stop within") {
		t.Errorf("Stop: %v", err)
	}
	b = start(t, `echo ready; cat; exit 4`, nil)
	if err := b.p.Stop(false, patience); err == nil || !strings.Contains(err.Error(), "exit status 4") {
		t.Errorf("Stop: %v", err)
	}
}
