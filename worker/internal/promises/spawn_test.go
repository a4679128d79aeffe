package promises

import (
	"bufio"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

// child is a process of ours.
type child struct {
	*exec.Cmd
	t     *testing.T
	input io.WriteCloser
	ready chan struct{} // closed when it has said so
	gone  chan struct{} // closed when it has ended
	said  []string      // what it said before; for one that never got ready
}

// spawn starts this binary again, and waits until it is ready.
func (s *stage) spawn(role string) *child { return s.spawnAll(role, 1)[0] }

// spawnAll starts some of them at once, and waits for all. A child ends with
// the test, however the test ends: its standard input closes.
func (s *stage) spawnAll(role string, n int) []*child {
	s.t.Helper()
	children := make([]*child, n)
	for i := range children {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), childRole+"="+role, childURI+"="+s.server, childDatabase+"="+s.db.Name())
		children[i] = s.launch(cmd, "ready")
	}
	for _, each := range children {
		each.await()
	}
	return children
}

// start starts a command and waits until it prints a line with the word.
func (s *stage) start(cmd *exec.Cmd, word string) *child {
	s.t.Helper()
	c := s.launch(cmd, word)
	c.await()
	return c
}

// launch is start that does not wait.
func (s *stage) launch(cmd *exec.Cmd, word string) *child {
	s.t.Helper()
	input, err := cmd.StdinPipe()
	if err != nil {
		s.t.Fatal(err)
	}
	output, printed, err := os.Pipe()
	if err != nil {
		s.t.Fatal(err)
	}
	cmd.Stdout, cmd.Stderr = printed, printed
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	_ = printed.Close()
	c := &child{Cmd: cmd, t: s.t, input: input, ready: make(chan struct{}), gone: make(chan struct{})}
	go func() {
		defer close(c.gone)
		defer func() { _ = output.Close() }()
		scanner := bufio.NewScanner(output)
		for waiting := true; scanner.Scan(); {
			if waiting && strings.Contains(scanner.Text(), word) {
				waiting = false
				close(c.ready)
			}
			if waiting {
				c.said = append(c.said, scanner.Text())
			}
		}
		_ = cmd.Wait()
	}()
	s.t.Cleanup(c.kill)
	return c
}

// await waits until the child is ready.
func (c *child) await() {
	c.t.Helper()
	select {
	case <-c.ready:
	case <-c.gone:
		c.t.Fatalf("the child ended before it was ready: %s", c.said)
	case <-time.After(patience):
		c.t.Fatal("the child is not ready")
	}
}

// order has the child do what its role does at a moment that the test chooses.
func (c *child) order() {
	c.t.Helper()
	if _, err := io.WriteString(c.input, "now\n"); err != nil {
		c.t.Fatal(err)
	}
}

// kill is kill -9.
func (c *child) kill() {
	_ = c.Process.Kill()
	<-c.gone
}

// stop ends the child in good order.
func (c *child) stop() {
	_ = c.input.Close()
	<-c.gone
}

// terminate is SIGTERM, and waits for the end.
func (c *child) terminate() {
	c.signal(syscall.SIGTERM)
	<-c.gone
}

func (c *child) signal(s syscall.Signal) { _ = c.Process.Signal(s) }
