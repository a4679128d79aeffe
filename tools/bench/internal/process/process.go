package process

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const (
	// readyTime is how long a program may take to become ready.
	readyTime = 30 * time.Second
	// askEvery is how often it is asked meanwhile.
	askEvery = 2 * time.Millisecond
	// stopTime is how long it may take to stop before it is killed.
	stopTime = 15 * time.Second
)

// ErrNotReady means that a program ended, or did not become ready in time.
var ErrNotReady = errors.New("the program did not become ready")

// Process is a running program. It belongs to one goroutine.
type Process struct {
	command *exec.Cmd
	began   time.Time
	said    []byte // the last that it logged, for an error; read it after exited
	exited  chan struct{}
}

// Start starts a program with the given environment and nothing else of
// ours, so that settings of the caller's shell do not matter.
func Start(path string, env ...string) (*Process, error) {
	// To read a log costs the processors more than to write it: it goes to a file.
	output, err := os.CreateTemp("", filepath.Base(path)+"-*.log")
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", path, err)
	}
	_ = os.Remove(output.Name()) // it lives as long as it is open
	p := &Process{command: exec.Command(path), exited: make(chan struct{})}
	p.command.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME")}, env...)
	p.command.Stdout, p.command.Stderr = output, output
	p.began = time.Now()
	if err := p.command.Start(); err != nil {
		_ = output.Close()
		return nil, fmt.Errorf("start %s: %w", path, err)
	}
	go func() { // ends with the process, which Stop ends
		_ = p.command.Wait()
		p.said = end(output)
		_ = output.Close()
		close(p.exited)
	}()
	return p, nil
}

// AwaitReady asks url until it answers 200, and returns the time since the
// start of the program.
func (p *Process) AwaitReady(ctx context.Context, url string) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, readyTime)
	defer cancel()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	ticker := time.NewTicker(askEvery)
	defer ticker.Stop()
	for {
		if ready(ctx, client, url) {
			return time.Since(p.began), nil
		}
		select {
		case <-ctx.Done():
			return 0, fmt.Errorf("%w in %s", ErrNotReady, readyTime)
		case <-p.exited:
			return 0, fmt.Errorf("%w: %s", ErrNotReady, bytes.TrimSpace(p.said))
		case <-ticker.C:
		}
	}
}

// end returns the last lines of a log; without them an error is short.
func end(log *os.File) []byte {
	const most = 4 << 10
	size, _ := log.Seek(0, io.SeekEnd)
	text := make([]byte, min(size, most))
	n, _ := log.ReadAt(text, size-int64(len(text)))
	return text[:n]
}

func ready(ctx context.Context, client *http.Client, url string) bool {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return false
	}
	response, err := client.Do(request)
	if err != nil {
		return false
	}
	_ = response.Body.Close()
	return response.StatusCode == http.StatusOK
}

// Stop asks the program to stop, and kills it when it does not.
func (p *Process) Stop() {
	_ = p.command.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.exited:
	case <-time.After(stopTime):
		_ = p.command.Process.Kill()
		<-p.exited
	}
}

// Signal sends a signal to the program.
func (p *Process) Signal(signal os.Signal) error { return p.command.Process.Signal(signal) }

// Children lists the pids of the processes that the program has started and
// that have not ended, where the system tells.
func (p *Process) Children() []int {
	files, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", p.command.Process.Pid)) // the pattern is well formed
	var pids []int
	for _, file := range files {
		text, _ := os.ReadFile(file) // the thread may have ended
		for field := range strings.FieldsSeq(string(text)) {
			if pid, err := strconv.Atoi(field); err == nil {
				pids = append(pids, pid)
			}
		}
	}
	return pids
}

// Memory is that of the process.
func (p *Process) Memory() (Memory, error) { return MemoryOf(p.command.Process.Pid) }

// FreePort returns a TCP port of the loopback interface that was free a
// moment ago.
func FreePort() (string, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("find a free port: %w", err)
	}
	port := listener.Addr().(*net.TCPAddr).Port
	return strconv.Itoa(port), listener.Close()
}
