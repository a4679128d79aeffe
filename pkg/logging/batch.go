package logging

import (
	"bytes"
	"errors"
	"io"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// batchTime is how long a line may wait for others. It is also what may be
	// lost with a process that is killed.
	batchTime = 20 * time.Millisecond
	// batchSize is how much is written together, in bytes: what a pipe takes in one
	// piece (PIPE_BUF), since the children of a parent share one.
	batchSize = 4096
)

// batch is a zapcore.WriteSyncer that writes lines together when there are many: a
// system call for each is an eighth of what a small request costs. A line that comes
// alone is written at once. It is safe for concurrent use.
//
// zapcore.BufferedWriteSyncer is not used, because it never writes again after one
// write that failed, such as one of a pipe that was full for a moment. It also keeps
// a goroutine and a ticker that wakes an idle process. A batch counts what a failed
// write lost, and goes on with the next line.
type batch struct {
	out  io.Writer
	wait time.Duration // how long a line may wait; 0 = none does
	lost atomic.Uint64 // lines that were not written

	mu      sync.Mutex
	waiting []byte
	wrote   time.Time
	timer   *time.Timer // runs while lines wait
}

// Write takes a line.
func (b *batch) Write(line []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	var err error
	if len(b.waiting)+len(line) > batchSize {
		err = b.write() // this line does not go the way of those before it
	}
	first := len(b.waiting) == 0
	b.waiting = append(b.waiting, line...)
	rest := b.wait - time.Since(b.wrote)
	switch {
	case first && rest <= 0, len(b.waiting) >= batchSize:
		err = errors.Join(err, b.write())
	case first && b.timer == nil:
		b.timer = time.AfterFunc(rest, func() { _ = b.Sync() }) // what it loses is counted
	case first:
		b.timer.Reset(rest)
	}
	return len(line), err
}

// Sync writes what waits.
func (b *batch) Sync() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.write()
}

func (b *batch) write() error {
	if len(b.waiting) == 0 {
		return nil
	}
	n, err := b.out.Write(b.waiting)
	if err != nil {
		b.lost.Add(uint64(bytes.Count(b.waiting[min(max(n, 0), len(b.waiting)):], []byte("\n"))))
	}
	b.waiting, b.wrote = b.waiting[:0], time.Now()
	if cap(b.waiting) > 2*batchSize { // one long line does not keep its memory
		b.waiting = nil
	}
	if b.timer != nil {
		b.timer.Stop()
	}
	return err
}
