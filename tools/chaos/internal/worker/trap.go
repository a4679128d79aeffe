package worker

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"sync"
	"sync/atomic"
	"syscall"

	"go.mongodb.org/mongo-driver/v2/event"

	"github.com/etrainer/backend/tools/chaos/internal/history"
)

// Step is a moment in the work of a worker.
type Step struct {
	// At is a call of the store or of the fleet (lease, open, renew, record,
	// runs, rescue, arm, beat), or a part of a handler (start, effect).
	At string `json:"at"`
	// Command is the command to the database within that call, from 1; 0 =
	// the call itself.
	Command int `json:"command,omitempty"`
	// After: the command was answered, the call has returned, the part is
	// done. Otherwise it has not begun.
	After bool `json:"after,omitempty"`
}

func (s Step) String() string {
	edge := "before"
	if s.After {
		edge = "after"
	}
	if s.Command == 0 {
		return edge + " " + s.At
	}
	return fmt.Sprintf("%s command %d of %s", edge, s.Command, s.At)
}

// Trap is what happens when a worker reaches a step next.
type Trap struct {
	Step
	Stop bool `json:"stop,omitempty"` // SIGSTOP in place of SIGKILL; the stage lets it go on
}

// traps holds the trap that is set, and sees all steps.
type traps struct {
	set    atomic.Pointer[Trap]
	spring func(*Trap)
}

func newTraps(log *history.Log) *traps {
	return &traps{spring: func(trap *Trap) { endOrStop(log, trap) }}
}

// endOrStop is what a trap does to this process.
func endOrStop(log *history.Log, trap *Trap) {
	log.Write(history.Line{Event: history.Trap, Note: trap.Step.String()})
	if trap.Stop {
		log.Write(history.Line{Event: history.Stopped})
		_ = syscall.Kill(os.Getpid(), syscall.SIGSTOP)
		return
	}
	_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
	select {} // nothing after the step happens
}

// obey reads traps, one line of JSON each, until the input ends: the stage
// wants this worker to stop.
func (t *traps) obey(input io.Reader) error {
	for lines := bufio.NewScanner(input); lines.Scan(); {
		trap := &Trap{}
		if err := json.Unmarshal(lines.Bytes(), trap); err != nil {
			return fmt.Errorf("read a trap: %w", err)
		}
		t.set.Store(trap)
	}
	return nil
}

// reach springs the trap of a step.
func (t *traps) reach(step Step) {
	trap := t.set.Load()
	if trap == nil || trap.Step != step || !t.set.CompareAndSwap(trap, nil) {
		return
	}
	t.spring(trap)
}

// call is a call of the store that goes on; it counts its commands.
type call struct {
	at string

	mu sync.Mutex
	n  map[int64]int // by the driver's id of the command
}

type callKey struct{}

// call runs a call of the store, with its steps. The commands of one call are
// told from others by the context.
func (t *traps) call(ctx context.Context, at string, do func(context.Context)) {
	t.reach(Step{At: at})
	do(context.WithValue(ctx, callKey{}, &call{at: at, n: map[int64]int{}}))
	t.reach(Step{At: at, After: true})
}

// monitor sees the commands of all calls.
func (t *traps) monitor() *event.CommandMonitor {
	after := func(ctx context.Context, id int64) {
		if c, ok := ctx.Value(callKey{}).(*call); ok {
			t.reach(Step{At: c.at, Command: c.number(id), After: true})
		}
	}
	return &event.CommandMonitor{
		Started: func(ctx context.Context, e *event.CommandStartedEvent) {
			if c, ok := ctx.Value(callKey{}).(*call); ok {
				t.reach(Step{At: c.at, Command: c.number(e.RequestID)})
			}
		},
		Succeeded: func(ctx context.Context, e *event.CommandSucceededEvent) { after(ctx, e.RequestID) },
		Failed:    func(ctx context.Context, e *event.CommandFailedEvent) { after(ctx, e.RequestID) },
	}
}

// number is the place of a command within its call, from 1.
func (c *call) number(id int64) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.n[id] == 0 {
		c.n[id] = len(c.n) + 1
	}
	return c.n[id]
}
