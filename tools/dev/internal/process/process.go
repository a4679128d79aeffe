// Package process runs the programs of the product as children: it forwards
// what they print line by line, starts them again when they end by
// themselves, and takes them along when this process ends, however it ends.
package process

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"
)

// The pauses before a restart: the first, and the longest. They double while
// the program keeps ending within steadyAfter.
const (
	firstPause   = time.Second
	longestPause = 30 * time.Second
	steadyAfter  = time.Minute
)

// lastWords is how long the output of a program that has ended is read.
const lastWords = time.Second

// exitBadConfig is the exit code of a program that a restart cannot mend.
const exitBadConfig = 2

// Spec says what to run.
type Spec struct {
	Name string    // begins each line that it prints; may be padded with spaces
	Path string    // of the binary
	Args []string  // without the binary
	Env  []string  // added to the environment of this process
	Out  io.Writer // receives what it prints; shared with others through Lines
}

// Child is a running program. Create it with Start.
type Child struct {
	spec   Spec
	cancel context.CancelFunc
	done   chan struct{}

	mu      sync.Mutex
	process *os.Process
	err     error
}

// Start starts the program and keeps it running until Stop or Kill.
func Start(ctx context.Context, spec Spec) *Child {
	ctx, cancel := context.WithCancel(ctx)
	c := &Child{spec: spec, cancel: cancel, done: make(chan struct{})}
	go c.keepRunning(ctx)
	return c
}

// Done is closed when the program has ended for good; Err tells why.
func (c *Child) Done() <-chan struct{} { return c.done }

// Err is what ended the program: nil after Stop.
func (c *Child) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// Stop asks the program to end, and does not wait.
func (c *Child) Stop() {
	c.cancel()
	c.signal(syscall.SIGTERM)
}

// Kill ends the program at once.
func (c *Child) Kill() {
	c.cancel()
	c.signal(syscall.SIGKILL)
}

func (c *Child) signal(s os.Signal) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.process != nil {
		_ = c.process.Signal(s) // it may have ended already
	}
}

// keepRunning holds its thread, because the kernel ends the children of a
// thread that ends (Pdeathsig), and not only those of a process.
func (c *Child) keepRunning(ctx context.Context) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	defer close(c.done)
	name, pause := strings.TrimSpace(c.spec.Name), firstPause
	for {
		began := time.Now()
		err := c.runOnce(ctx)
		if ctx.Err() != nil {
			return
		}
		if exit := new(exec.ExitError); errors.As(err, &exit) && exit.ExitCode() == exitBadConfig || errors.Is(err, os.ErrNotExist) {
			c.fail(fmt.Errorf("%s cannot run: %w", name, err))
			return
		}
		if time.Since(began) > steadyAfter {
			pause = firstPause
		}
		fmt.Fprintf(c.spec.Out, "dev │ %s ended (%s); starting it again in %s\n", name, outcome(err), pause)
		timer := time.NewTimer(pause)
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-timer.C:
		}
		pause = min(2*pause, longestPause)
	}
}

func (c *Child) fail(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.err = err
}

func outcome(err error) string {
	if err == nil {
		return "exit code 0"
	}
	return err.Error()
}

func (c *Child) runOnce(ctx context.Context) error {
	cmd := exec.Command(c.spec.Path, c.spec.Args...)
	cmd.Env = append(os.Environ(), c.spec.Env...)
	// A group of its own: Ctrl-C in a terminal reaches only this process,
	// which decides the order of the end.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	dieWithParent(cmd.SysProcAttr)
	reader, writer, err := os.Pipe()
	if err != nil {
		return err
	}
	defer reader.Close()
	cmd.Stdout, cmd.Stderr = writer, writer
	if err := c.start(ctx, cmd); err != nil {
		_ = writer.Close()
		return err
	}
	_ = writer.Close()
	forwarded := make(chan struct{})
	go func() {
		defer close(forwarded)
		forward(c.spec.Out, c.spec.Name, reader)
	}()
	err = cmd.Wait()
	// A program that it started may hold the pipe open: what is in it counts.
	_ = reader.SetReadDeadline(time.Now().Add(lastWords))
	<-forwarded
	return err
}

// start starts the command unless the child is being stopped: a signal that
// comes in between must find the process.
func (c *Child) start(ctx context.Context, cmd *exec.Cmd) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	c.process = cmd.Process
	return nil
}
