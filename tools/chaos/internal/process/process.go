package process

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"syscall"
	"time"

	"github.com/etrainer/backend/tools/chaos/internal/history"
)

// restartAfter is the pause before a process that ended is started again.
const restartAfter = time.Second

// Spec says what to run.
type Spec struct {
	Name string
	// Command makes the command of one life; life is the name of the process
	// with the number of the life, as in "worker-1.2".
	Command func(life string) *exec.Cmd
	// Ready is a text in its output after which it works; "" = at once.
	Ready string
	// Allowed are exit codes with which it may end without anybody's asking;
	// AnyExit allows all.
	Allowed []int
	AnyExit bool
	// Once: it is not started again.
	Once bool

	History *history.Log // receives its ends
	Output  io.Writer    // receives what it prints
}

// Process is a process that is kept running from Start until Stop.
type Process struct {
	spec  Spec
	done  chan struct{} // closed when it has ended for good
	ready chan struct{} // closed when its first life is ready

	mu       sync.Mutex
	cmd      *exec.Cmd
	input    io.WriteCloser
	life     int
	stopping bool
	halted   chan struct{} // closed when it must not be started again
}

// Start starts a process.
func Start(spec Spec) *Process {
	p := &Process{spec: spec, done: make(chan struct{}), ready: make(chan struct{}), halted: make(chan struct{})}
	go p.keep() // until Stop
	return p
}

// Ready waits until the first life is ready.
func (p *Process) Ready(ctx context.Context) error {
	select {
	case <-p.ready:
		return nil
	case <-p.done:
		return fmt.Errorf("%s ended before it was ready", p.spec.Name)
	case <-ctx.Done():
		return fmt.Errorf("%s is not ready: %w", p.spec.Name, context.Cause(ctx))
	}
}

// Life is the name of the present life.
func (p *Process) Life() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.lifeName()
}

func (p *Process) lifeName() string { return fmt.Sprintf("%s.%d", p.spec.Name, p.life) }

// Signal sends a signal to the present life.
func (p *Process) Signal(s syscall.Signal) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cmd != nil {
		_ = p.cmd.Process.Signal(s) // it may just have ended
	}
}

// Say writes a line to the input of the present life.
func (p *Process) Say(line []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.input != nil {
		_, _ = p.input.Write(append(line, '\n')) // it may just have ended
	}
}

// IsStopped reports whether the present life is stopped by SIGSTOP.
func (p *Process) IsStopped() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.cmd != nil && state(p.cmd.Process.Pid) == 'T'
}

// Stop ends the process in good order: by the end of its input, and SIGTERM
// where term says so. It kills what does not end within the time, and reports
// that, or an exit code that is not 0, as an error.
func (p *Process) Stop(term bool, within time.Duration) error {
	p.mu.Lock()
	if !p.stopping {
		p.stopping = true
		close(p.halted)
	}
	cmd, input := p.cmd, p.input
	p.mu.Unlock()
	if input != nil {
		_ = input.Close()
	}
	if cmd != nil && term {
		_ = cmd.Process.Signal(syscall.SIGTERM)
	}
	timer := time.NewTimer(within)
	defer timer.Stop()
	select {
	case <-p.done:
	case <-timer.C:
		p.Signal(syscall.SIGKILL)
		<-p.done
		return fmt.Errorf("%s did not stop within %s", p.spec.Name, within)
	}
	if cmd != nil && cmd.ProcessState != nil && !cmd.ProcessState.Success() {
		return fmt.Errorf("%s did not stop in good order: %s", p.spec.Name, cmd.ProcessState)
	}
	return nil
}

// keep holds its thread: the kernel ends the children of a thread that ends
// (Pdeathsig), and not only those of a process.
func (p *Process) keep() {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	defer close(p.done)
	for {
		err := p.liveOnce()
		if errors.Is(err, errHalted) || p.note(err) || p.spec.Once {
			return
		}
		timer := time.NewTimer(restartAfter)
		select {
		case <-p.halted:
		case <-timer.C:
		}
		timer.Stop()
	}
}

// note writes down how a life ended, and reports whether somebody asked for it.
func (p *Process) note(err error) (asked bool) {
	p.mu.Lock()
	life, used := p.lifeName(), time.Duration(0)
	if p.cmd != nil && p.cmd.ProcessState != nil {
		used = p.cmd.ProcessState.UserTime() + p.cmd.ProcessState.SystemTime()
	}
	p.cmd, p.input = nil, nil
	stopping := p.stopping
	p.mu.Unlock()
	text := "exit code 0"
	if err != nil {
		text = err.Error()
	}
	if !stopping && !p.allowed(err) {
		text = history.Unexpected + text
	}
	p.spec.History.Write(history.Line{Event: history.Exit, Process: life, Note: text, For: used})
	return stopping
}

// allowed reports whether a process may end so: kill -9 is always of ours.
func (p *Process) allowed(err error) bool {
	exit := new(exec.ExitError)
	if p.spec.AnyExit || !errors.As(err, &exit) {
		return p.spec.AnyExit
	}
	if status, ok := exit.Sys().(syscall.WaitStatus); ok && status.Signaled() && status.Signal() == syscall.SIGKILL {
		return true
	}
	for _, code := range p.spec.Allowed {
		if exit.ExitCode() == code {
			return true
		}
	}
	return false
}

var errHalted = errors.New("it is being stopped")

func (p *Process) liveOnce() error {
	output, printed, err := os.Pipe()
	if err != nil {
		return err
	}
	cmd, err := p.begin(printed)
	_ = printed.Close()
	if err != nil {
		_ = output.Close()
		return err
	}
	read := make(chan struct{})
	go func() { // ends with the process, which alone holds the pipe
		defer close(read)
		defer output.Close()
		p.read(output)
	}()
	err = cmd.Wait()
	<-read
	return err
}

func (p *Process) begin(printed *os.File) (*exec.Cmd, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stopping {
		return nil, errHalted
	}
	p.life++
	cmd := p.spec.Command(p.lifeName())
	cmd.Stdout, cmd.Stderr = printed, printed
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	input, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	p.cmd, p.input = cmd, input
	return cmd, nil
}
