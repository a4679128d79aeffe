package stage

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/etrainer/backend/tools/chaos/internal/history"
	"github.com/etrainer/backend/tools/chaos/internal/process"
)

// serverPatience is how long a server may take to start.
const serverPatience = 60 * time.Second

// server is a database or a Redis that can be killed and started again on the
// same data. Each life may have another address.
type server struct {
	name    string
	command func() *exec.Cmd
	ready   string // is in its output when it works
	prefix  string // begins the line of its output that ends with its address; "" = fixed
	log     *history.Log
	output  io.Writer

	mu      sync.Mutex
	process *process.Process
	address string
}

// newDatabase is the embedded database, with its files in a folder.
func newDatabase(dev, folder string, log *history.Log, output io.Writer) *server {
	return &server{
		name: "database", ready: "REDIS_URL=", prefix: "MONGODB_URI=mongodb://", log: log, output: output,
		command: func() *exec.Cmd { return exec.Command(dev, "db", "--dir", folder) },
	}
}

// newRedis is the real Redis, or the embedded one where binary is "".
func newRedis(binary, dev, folder string, log *history.Log, output io.Writer) *server {
	s := &server{name: "redis", log: log, output: output}
	if binary == "" {
		s.ready, s.prefix = "REDIS_URL=", "REDIS_URL=redis://"
		s.command = func() *exec.Cmd { return exec.Command(dev, "db", "--dir", filepath.Join(folder, "unused")) }
		return s
	}
	socket := filepath.Join(folder, "redis.sock") // no port that somebody else may take
	s.ready, s.address = "eady to accept connections", "unix:"+socket
	s.command = func() *exec.Cmd {
		return exec.Command(binary, "--port", "0", "--unixsocket", socket, "--save", "", "--appendonly", "no", "--dir", folder)
	}
	return s
}

// start begins a life and waits until it works.
func (s *server) start(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, serverPatience)
	defer cancel()
	p := process.Start(process.Spec{
		Name: s.name, Command: func(string) *exec.Cmd { return s.command() }, Ready: s.ready, Once: true, AnyExit: true,
		History: s.log, Output: &finder{server: s},
	})
	s.mu.Lock()
	s.process = p
	s.mu.Unlock()
	return p.Ready(ctx)
}

// kill is kill -9.
func (s *server) kill() {
	s.mu.Lock()
	p := s.process
	s.mu.Unlock()
	if p != nil {
		p.Signal(syscall.SIGKILL)
		_ = p.Stop(false, serverPatience) // killed is what it says
	}
}

// target is the present address, for proxies.
func (s *server) target() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.address
}

// finder passes output on, and finds the address in it.
type finder struct {
	server *server
	line   bytes.Buffer
}

func (f *finder) Write(text []byte) (int, error) {
	f.line.Write(text)
	for {
		line, err := f.line.ReadString('\n')
		if err != nil {
			f.line.WriteString(line)
			break
		}
		if after, found := strings.CutPrefix(strings.TrimSpace(line), f.server.prefix); found && f.server.prefix != "" {
			f.server.mu.Lock()
			f.server.address = strings.TrimSuffix(after, "/")
			f.server.mu.Unlock()
		}
	}
	if _, err := f.server.output.Write(text); err != nil {
		return 0, fmt.Errorf("pass on the output of %s: %w", f.server.name, err)
	}
	return len(text), nil
}
