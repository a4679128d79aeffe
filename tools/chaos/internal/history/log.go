package history

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"sync"

	"golang.org/x/sys/unix"
)

// suffix ends the name of every file of a history.
const suffix = ".history"

// Log writes the lines of one process. It is safe for concurrent use.
type Log struct {
	process string
	server  func() int64

	mu   sync.Mutex
	file *os.File
}

// Open returns the Log of a process, in the folder of the seed's history.
// server is the database's time in milliseconds since 1970; nil = unknown.
func Open(folder, process string, server func() int64) (*Log, error) {
	file, err := os.OpenFile(filepath.Join(folder, process+suffix), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the history of %s: %w", process, err)
	}
	if server == nil {
		server = func() int64 { return 0 }
	}
	return &Log{process: process, server: server, file: file}, nil
}

// Write appends a line. It fills in the times and the process where the line
// has none. A history that cannot be written proves nothing, so that is a
// panic.
func (l *Log) Write(line Line) {
	if line.Process == "" {
		line.Process = l.process
	}
	line.Server = l.server()
	l.mu.Lock()
	defer l.mu.Unlock()
	line.At = Now()
	text, err := json.Marshal(line)
	if err == nil {
		_, err = l.file.Write(append(text, '\n'))
	}
	if err != nil {
		panic(fmt.Sprintf("write the history of %s: %v", l.process, err))
	}
}

// Close closes the file.
func (l *Log) Close() error { return l.file.Close() }

// Now is the time of the machine that no fault touches, in nanoseconds.
func Now() int64 {
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &now); err != nil {
		panic(fmt.Sprintf("read the monotonic clock: %v", err))
	}
	return now.Nano()
}
