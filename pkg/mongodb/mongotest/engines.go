package mongotest

import (
	"bufio"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// stopTimeout is how long the engines may take to end.
const stopTimeout = 10 * time.Second

// shared are the engines of this test binary.
var shared engines

// engines is one "dev db" process, started when first asked for.
type engines struct {
	once sync.Once
	err  error

	process
}

// process is a running "dev db".
type process struct {
	addresses addresses
	cmd       *exec.Cmd
	stdin     io.Closer
}

type addresses struct{ mongodb, redis string }

func (e *engines) get(t testing.TB) addresses {
	t.Helper()

	e.once.Do(func() { e.process, e.err = start() })

	if e.err != nil {
		t.Fatalf("mongotest: no engines: %v (or set %s and %s)", e.err, uriVariable, redisVariable)
	}

	return e.addresses
}

// start runs "dev db". Its standard input is a pipe that nobody writes to:
// when this process ends, even killed, the pipe closes and the engines end.
func start(args ...string) (p process, err error) {
	program, err := build()
	if err != nil {
		return p, err
	}

	p.cmd = exec.Command(program, append([]string{"db"}, args...)...)
	p.cmd.Stderr = os.Stderr

	if p.stdin, err = p.cmd.StdinPipe(); err != nil {
		return p, err
	}

	stdout, err := p.cmd.StdoutPipe()
	if err != nil {
		return p, err
	}

	if err := p.cmd.Start(); err != nil {
		return p, err
	}

	p.addresses, err = readAddresses(stdout)

	return p, err
}

// readAddresses reads what "dev db" prints when it is ready.
func readAddresses(r io.Reader) (addresses, error) {
	var a addresses

	lines := bufio.NewScanner(r)
	for a.mongodb == "" || a.redis == "" {
		if !lines.Scan() {
			return a, fmt.Errorf("dev db ended before it was ready: %w", lines.Err())
		}

		switch name, value, _ := strings.Cut(lines.Text(), "="); name {
		case "MONGODB_URI":
			a.mongodb = value
		case "REDIS_URL":
			a.redis = value
		}
	}

	return a, nil
}

// stop ends the engines if they were started.
func (p process) stop() error {
	if p.cmd == nil {
		return nil
	}

	if err := p.stdin.Close(); err != nil {
		return err
	}

	late := time.AfterFunc(stopTimeout, func() { _ = p.cmd.Process.Kill() })
	defer late.Stop()

	if err := p.cmd.Wait(); err != nil {
		return fmt.Errorf("stop the engines: %w", err)
	}

	return nil
}

// build returns the path of the dev program, which it builds first if it is
// missing or older than its sources. Test binaries that run at the same time
// wait for each other.
func build() (string, error) {
	root, err := Repository()
	if err != nil {
		return "", err
	}

	bin := filepath.Join(root, "bin")
	if err := os.MkdirAll(bin, 0o755); err != nil {
		return "", err
	}

	unlock, err := lock(filepath.Join(bin, ".dev.lock"))
	if err != nil {
		return "", err
	}
	defer unlock()

	program, source := filepath.Join(bin, "dev"), filepath.Join(root, "tools", "dev")
	if fresh(program, source) {
		return program, nil
	}

	cmd := exec.Command("go", "build", "-o", program, "./cmd/dev")
	cmd.Dir = source
	cmd.Env = append(os.Environ(), "GOWORK=off")

	if output, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build tools/dev: %w\n%s", err, output)
	}

	// A build that changes nothing leaves the old time.
	now := time.Now()

	return program, os.Chtimes(program, now, now)
}

// Repository finds the folder of go.work above the working directory.
func Repository() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}

	for {
		if _, err := os.Stat(filepath.Join(dir, "go.work")); err == nil {
			return dir, nil
		}

		parent := filepath.Dir(dir)
		if parent == dir {
			return "", fmt.Errorf("no go.work in or above the working directory")
		}

		dir = parent
	}
}

// fresh reports whether the program is newer than every file of its source.
func fresh(program, source string) bool {
	built, err := os.Stat(program)
	if err != nil {
		return false
	}

	newer := false
	err = filepath.WalkDir(source, func(_ string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}

		info, err := entry.Info()
		if err == nil && info.ModTime().After(built.ModTime()) {
			newer = true
			return fs.SkipAll
		}

		return err
	})

	return err == nil && !newer
}

// lock holds a file lock until the returned function is called.
func lock(path string) (unlock func(), err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}

	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}

	return func() { _ = f.Close() }, nil
}
