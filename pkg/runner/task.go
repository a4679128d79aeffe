package runner

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
	"time"

	"github.com/jonboulle/clockwork"
	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/etrainer/backend/pkg/errs"
	"github.com/etrainer/backend/pkg/job"
	"github.com/etrainer/backend/pkg/queue"
)

// task is one leased job in this process, from the lease to its record.
type task struct {
	lease    *queue.Lease
	handler  Handler
	logger   *slog.Logger
	beat     func(context.Context, *task) error // renews the lease of this task alone
	outlives func(context.Context, *task)       // tells that the handler ignores the end of its context
	clock    clockwork.Clock

	queued time.Time // local clock: since when it waits for a slot; guarded by the table
	size   int       // bytes that it holds; guarded by the table

	mu       sync.Mutex
	stop     context.CancelCauseFunc // set while the handler runs
	ended    error                   // why the handler must stop, when that came before its start
	began    time.Time               // local clock
	called   bool                    // the handler was: nothing had ended the run before
	progress *job.Progress
	logs     []job.LogLine
	cut      int
	dirty    bool // progress or logs are not stored yet
	lost     bool
}

// fragile reports whether this may be a job that kills its workers.
func (t *task) fragile() bool { return t.lease.Lost >= queue.FragileAfter }

// run calls the handler. Panics become failures with their stack.
func (t *task) run(ctx context.Context) (result bson.RawValue, stack string, err error) {
	ctx, stop := context.WithCancelCause(context.WithValue(ctx, taskKey{}, t))
	defer stop(nil)
	if limit := t.handler.definition.Timeout; limit > 0 {
		var free context.CancelFunc
		ctx, free = context.WithTimeoutCause(ctx, limit, fmt.Errorf("%w after %s", ErrTimeout, limit))
		defer free()
	}
	if early := t.begin(stop); early != nil {
		return bson.RawValue{}, "", early
	}
	defer watchEnd(ctx, t.clock, func(ctx context.Context) { t.outlives(ctx, t) })()
	defer func() {
		if p := recover(); p != nil {
			stack, err = string(debug.Stack()), fmt.Errorf("panic: %v", p)
		}
	}()
	result, err = t.handler.run(ctx, t.lease)
	if cause := context.Cause(ctx); err != nil && cause != nil {
		err = fmt.Errorf("%w (%w)", cause, err)
	}
	return result, "", err
}

func (t *task) begin(stop context.CancelCauseFunc) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.stop = stop
	t.began = t.clock.Now()
	t.called = t.ended == nil
	return t.ended
}

// wasCalled reports whether the handler was.
func (t *task) wasCalled() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.called
}

// end asks the handler to stop, now or as soon as it starts.
func (t *task) end(cause error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.lost = t.lost || errors.Is(cause, ErrLeaseLost)
	if t.ended == nil {
		t.ended = cause
	}
	if t.stop != nil {
		t.stop(cause)
	}
}

func (t *task) isLost() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.lost
}

// runningFor tells how long the handler has been running.
func (t *task) runningFor() time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.began.IsZero() {
		return 0
	}
	return t.clock.Now().Sub(t.began)
}

func (t *task) setProgress(percent float64, message string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.progress = &job.Progress{Percent: percent, Message: errs.ShortenTo(message, maxLine), At: t.clock.Now().UTC()}
	t.dirty = true
}

func (t *task) heartbeat(ctx context.Context) error {
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	if err := t.beat(ctx, t); err != nil {
		return err
	}
	return context.Cause(ctx)
}

// report takes what is not stored yet.
func (t *task) report() (queue.Ending, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.dirty {
		return queue.Ending{}, false
	}
	t.dirty = false
	return queue.Ending{Lease: t.lease, Progress: t.progress, Logs: append([]job.LogLine(nil), t.logs...), LogsCut: t.cut}, true
}

// ending starts the description of how the run ended.
func (t *task) ending() queue.Ending {
	t.mu.Lock()
	defer t.mu.Unlock()
	return queue.Ending{Lease: t.lease, Progress: t.progress, Logs: t.logs, LogsCut: t.cut}
}

const (
	maxLines  = 200     // log lines kept with a run
	maxLine   = 1 << 10 // bytes of one line
	maxError  = 4 << 10 // bytes of an error message
	maxStack  = 8 << 10 // bytes of a stack
	maxResult = 1 << 20 // bytes of a result
)

func (t *task) addLine(line job.LogLine) {
	t.mu.Lock()
	defer t.mu.Unlock()
	line.Message = errs.ShortenTo(line.Message, maxLine)
	if len(t.logs) == maxLines {
		t.logs = append(t.logs[:0:0], t.logs[1:]...)
		t.cut++
	}
	t.logs = append(t.logs, line)
	t.dirty = true
}
