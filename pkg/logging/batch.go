package logging

import (
	"errors"
	"io"
	"sync"
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

// batch writes lines together when there are many: a system call for each is an
// eighth of what a small request costs. A line that comes alone is written at
// once, and so is one that is urgent, with all that wait. It is safe for
// concurrent use.
type batch struct {
	out io.Writer

	mu      sync.Mutex
	waiting []byte
	wrote   time.Time
	timer   *time.Timer // runs while lines wait
}

// Write takes a line.
func (b *batch) Write(line []byte) (int, error) { return len(line), b.take(line, false) }

func (b *batch) take(line []byte, urgent bool) (err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.waiting)+len(line) > batchSize {
		err = b.write() // this line does not go the way of those before it
	}
	first := len(b.waiting) == 0
	b.waiting = append(b.waiting, line...)
	rest := batchTime - time.Since(b.wrote)
	switch {
	case urgent, first && rest <= 0, len(b.waiting) >= batchSize:
		return errors.Join(err, b.write())
	case first && b.timer == nil:
		b.timer = time.AfterFunc(rest, func() { _ = b.Flush() }) // there is nowhere to report it
	case first:
		b.timer.Reset(rest)
	}
	return err
}

// Flush writes what waits.
func (b *batch) Flush() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.write()
}

func (b *batch) write() error {
	if len(b.waiting) == 0 {
		return nil
	}
	_, err := b.out.Write(b.waiting)
	b.waiting, b.wrote = b.waiting[:0], time.Now()
	if cap(b.waiting) > 2*batchSize { // one long line does not keep its memory
		b.waiting = nil
	}
	if b.timer != nil {
		b.timer.Stop()
	}
	return err
}

// urgent is the batch for lines that are written at once.
type urgent struct{ *batch }

// Write takes a line.
func (u urgent) Write(line []byte) (int, error) { return len(line), u.take(line, true) }
