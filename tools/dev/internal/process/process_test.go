package process_test

import (
	"bufio"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/etrainer/backend/tools/dev/internal/process"
)

// patience is how long a test waits for something that must happen.
const patience = 30 * time.Second

// output collects what a child prints, line by line.
type output struct {
	t     *testing.T
	lines chan string
}

func (o *output) next() string {
	o.t.Helper()

	select {
	case line := <-o.lines:
		return line
	case <-time.After(patience):
		o.t.Fatal("nothing was printed")
		return ""
	}
}

// after skips lines until one contains the text, and returns what follows it.
func (o *output) after(text string) string {
	o.t.Helper()

	for {
		if _, rest, ok := strings.Cut(o.next(), text); ok {
			return rest
		}
	}
}

// run starts a program that plays a role.
func run(t *testing.T, role string) (*process.Child, *output) {
	t.Helper()

	r, w := io.Pipe()
	out := &output{t: t, lines: make(chan string, 1000)}
	read := make(chan struct{})

	go func() {
		defer close(read)

		lines := bufio.NewScanner(r)
		lines.Buffer(nil, 1<<20)

		for lines.Scan() {
			out.lines <- lines.Text()
		}
	}()

	child := process.Start(t.Context(), process.Spec{
		Name: "name  ", Path: os.Args[0], Env: []string{roleVariable + "=" + role}, Out: process.Lines(w),
	})

	t.Cleanup(func() {
		child.Kill()
		<-child.Done()
		_ = w.Close()
		<-read
	})

	return child, out
}

func ends(t *testing.T, c *process.Child) error {
	t.Helper()

	select {
	case <-c.Done():
		return c.Err()
	case <-time.After(patience):
		t.Fatal("the child does not end")
		return nil
	}
}

func TestEveryLineIsForwardedWithTheName(t *testing.T) {
	t.Parallel()

	_, out := run(t, "talker")

	for _, want := range []string{"first", "second", strings.Repeat("x", 64<<10), strings.Repeat("x", 100_000-64<<10), "last"} {
		if got := out.next(); got != "name   │ "+want {
			t.Errorf("got %.40q…, want %.40q… behind the name", got, want)
		}
	}

	if got, want := out.next(), "dev │ name ended (exit code 0); starting it again in 1s"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}

	if got := out.next(); got != "name   │ first" {
		t.Errorf("got %q: it was not started again", got)
	}
}

func TestPausesBetweenRestartsDouble(t *testing.T) {
	t.Parallel()

	_, out := run(t, "crasher")

	began := time.Now()

	for _, want := range []string{"1s", "2s"} {
		if got := out.after("ended (exit status 3); starting it again in "); got != want {
			t.Errorf("the pause is %s, want %s", got, want)
		}

		out.after("crashing")
	}

	if took := time.Since(began); took < 3*time.Second {
		t.Errorf("it was started twice again within %s", took)
	}
}

func TestStopInAPauseEndsItAtOnce(t *testing.T) {
	t.Parallel()

	child, out := run(t, "crasher")
	out.after("starting it again in 1s")
	out.after("starting it again in 2s")

	began := time.Now()
	child.Stop()

	if err := ends(t, child); err != nil {
		t.Error(err)
	}

	if took := time.Since(began); took > 1500*time.Millisecond {
		t.Errorf("the end took %s", took)
	}
}

func TestStopLetsTheProgramDrain(t *testing.T) {
	t.Parallel()

	child, out := run(t, "polite")
	out.after("pid ")
	child.Stop()
	out.after("drained")

	if err := ends(t, child); err != nil {
		t.Error(err)
	}

	child.Stop()
	child.Kill()
}

func TestKillEndsAProgramThatDoesNotListen(t *testing.T) {
	t.Parallel()

	child, out := run(t, "stubborn")
	out.after("pid ")
	child.Kill()

	if err := ends(t, child); err != nil {
		t.Error(err)
	}
}

func TestKilledProgramIsStartedAgain(t *testing.T) {
	t.Parallel()

	_, out := run(t, "polite")

	first := number(t, out.after("pid "))
	if err := syscall.Kill(first, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}

	if got := out.after("ended ("); got != "signal: killed); starting it again in 1s" {
		t.Errorf("it said %q", got)
	}

	if second := number(t, out.after("pid ")); second == first {
		t.Errorf("the program is still process %d", first)
	}
}

func TestWhatARestartCannotMendEndsForGood(t *testing.T) {
	t.Parallel()

	t.Run("a refused configuration", func(t *testing.T) {
		t.Parallel()

		child, _ := run(t, "misconfigured")
		if err := ends(t, child); err == nil || !strings.Contains(err.Error(), "name cannot run: exit status 2") {
			t.Errorf("error is %v", err)
		}
	})

	t.Run("a missing binary", func(t *testing.T) {
		t.Parallel()

		child := process.Start(t.Context(), process.Spec{Name: "api", Path: "no/such/binary", Out: io.Discard})
		if err := ends(t, child); err == nil || !strings.Contains(err.Error(), "no/such/binary") {
			t.Errorf("error is %v, want one that names the binary", err)
		}
	})
}

func TestChildrenDieWithTheirParent(t *testing.T) {
	t.Parallel()

	if runtime.GOOS != "linux" {
		t.Skip("only Linux ties a child to its parent")
	}

	parent := exec.Command(os.Args[0])
	parent.Env = append(os.Environ(), roleVariable+"=parent")

	stdout, err := parent.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}

	if err := parent.Start(); err != nil {
		t.Fatal(err)
	}

	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}

	_, pid, _ := strings.Cut(strings.TrimSpace(line), "pid ")
	child := number(t, pid)

	if err := parent.Process.Kill(); err != nil {
		t.Fatal(err)
	}

	_ = parent.Wait()

	for deadline := time.Now().Add(patience); alive(child); {
		if time.Now().After(deadline) {
			_ = syscall.Kill(child, syscall.SIGKILL)
			t.Fatalf("process %d outlives its parent", child)
		}

		time.Sleep(5 * time.Millisecond) // between two looks at /proc
	}
}

// alive reports whether a process runs; a zombie does not.
func alive(pid int) bool {
	status, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return false
	}

	_, state, _ := strings.Cut(string(status), ") ")

	return !strings.HasPrefix(state, "Z") && !strings.HasPrefix(state, "X")
}

func number(t *testing.T, s string) int {
	t.Helper()

	n, err := strconv.Atoi(s)
	if err != nil {
		t.Fatal(err)
	}

	return n
}
