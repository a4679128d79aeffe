package supervise

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/etrainer/backend/pkg/lifecycle"
)

// process is one running child. Only the loop of the parent touches its
// fields.
type process struct {
	id        int
	cmd       *exec.Cmd
	status    chan []byte // one line for the child; the newest wins
	startedAt time.Time
	seenAt    time.Time // last report, or the start
	last      report
	reported  bool
	leaving   bool // told to stop, or killed: its end is no surprise
	killed    bool
	deadline  time.Time // when what is leaving is killed; zero = never
}

// spawn starts a child. heard and ended are called from a goroutine that ends
// with the process.
func spawn(options Options, id int, alone bool, now time.Time, heard func(*process, report), ended func(*process, int)) (*process, error) {
	reports, reportsOfChild, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("open a pipe: %w", err)
	}
	defer reportsOfChild.Close()
	statusOfChild, status, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("open a pipe: %w", errors.Join(err, reports.Close()))
	}
	defer statusOfChild.Close()

	cmd := exec.Command(options.Path, options.Args...) //nolint:noctx // signals end it, in order
	cmd.Stdout, cmd.Stderr = options.Out, options.Out
	cmd.ExtraFiles = []*os.File{options.Listener, reportsOfChild, statusOfChild}
	if options.Listener == nil {
		cmd.ExtraFiles[0] = reportsOfChild // any file: the child does not look at it
	}
	cmd.Env = append(cmd.Environ(), options.Env...)
	if !slices.ContainsFunc(cmd.Env, func(each string) bool { return strings.HasPrefix(each, processorsVariable) }) {
		cmd.Env = append(cmd.Env, processorsVariable+strconv.Itoa(share(runtime.GOMAXPROCS(0), options.Count)))
	}
	cmd.Env = append(cmd.Env, childVariable+"="+strconv.Itoa(id), beatVariable+"="+options.Times.Beat.String(),
		listenerVariable+"="+strconv.FormatBool(options.Listener != nil), aloneVariable+"="+strconv.FormatBool(alone))
	// A group of its own: Ctrl-C reaches the parent alone, which stops its
	// children in order.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start child %d: %w", id, errors.Join(err, reports.Close(), status.Close()))
	}
	p := &process{id: id, cmd: cmd, status: make(chan []byte, 1), startedAt: now, seenAt: now, last: report{State: Starting}}
	gone := make(chan struct{})
	go func() {
		readReports(reports, func(r report) { heard(p, r) })
		_ = reports.Close()
		code := exitCode(cmd.Wait())
		close(gone)
		ended(p, code)
	}()
	go p.send(status, gone)
	return p, nil
}

// processorsVariable is how many processors a Go program uses at once.
const processorsVariable = "GOMAXPROCS="

// share is how many processors each child uses. Together they are as many as
// one process would use: with more, the children take them from each other, and
// each request costs more.
func share(processors, children int) int { return max(1, (processors+children-1)/children) }

// readReports reads until the child closes the pipe, which its end does.
func readReports(in io.Reader, heard func(report)) {
	lines := bufio.NewScanner(in)
	for lines.Scan() {
		var r report
		if json.Unmarshal(lines.Bytes(), &r) == nil { // a report that cannot be read counts as missed
			heard(r)
		}
	}
	_, _ = io.Copy(io.Discard, in) // after a line that is too long the child must still be able to write
}

// send writes status lines until the process is gone. Closing the pipe is what
// tells a child that its parent has died, so that happens last.
func (p *process) send(out *os.File, gone <-chan struct{}) {
	defer out.Close()
	for {
		select {
		case line := <-p.status:
			_ = out.SetWriteDeadline(time.Now().Add(time.Second)) // a child that does not read must not keep us
			_, _ = out.Write(line)                                // it may just have ended
		case <-gone:
			return
		}
	}
}

// tell gives the newest status to the child, without waiting.
func (p *process) tell(line []byte) {
	select {
	case <-p.status:
	default:
	}
	p.status <- line
}

// stop asks the process to drain. It is asked once: programs take a second
// signal as an order to end at once.
func (p *process) stop(deadline time.Time) {
	if p.leaving {
		return
	}
	p.leaving, p.deadline = true, deadline
	_ = p.cmd.Process.Signal(syscall.SIGTERM) // it may have ended already
}

// kill ends the process at once. A stopped (SIGSTOP) one ends as well.
func (p *process) kill() {
	p.leaving, p.killed, p.deadline = true, true, time.Time{}
	_ = p.cmd.Process.Kill() // it may have ended already
}

func (p *process) ready() bool { return p.last.State == Ready && !p.leaving }

func (p *process) pid() int { return p.cmd.Process.Pid }

// badConfig reports whether an exit code means that no restart can help.
func (p *process) badConfig(code int) bool {
	return code == lifecycle.ExitBadConfig && !p.killed && (!p.reported || p.last.BadConfig)
}

// endedInOrder reports whether a process that was asked to stop did so. One
// that was still loading has no handler for the signal yet, and dies of it.
func (p *process) endedInOrder(code int) bool {
	return code == lifecycle.ExitOK || !p.reported && code == 128+int(syscall.SIGTERM)
}

// exitCode is that of the process; 128 plus the number of the signal that
// ended it.
func exitCode(err error) int {
	exit, ok := errors.AsType[*exec.ExitError](err)
	switch {
	case err == nil:
		return 0
	case !ok:
		return lifecycle.ExitFailed
	}
	if waited, ok := exit.Sys().(syscall.WaitStatus); ok && waited.Signaled() {
		return 128 + int(waited.Signal())
	}
	return exit.ExitCode()
}
