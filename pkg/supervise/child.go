package supervise

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/signal"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/etrainer/backend/pkg/config"
	"github.com/etrainer/backend/pkg/lifecycle"
	"github.com/etrainer/backend/pkg/logging"
)

// What a parent tells a child by its environment. They are between the two, and
// nobody sets them by hand.
const (
	childVariable    = "SUPERVISE_CHILD"
	beatVariable     = "SUPERVISE_BEAT"
	listenerVariable = "SUPERVISE_LISTENER"
	aloneVariable    = "SUPERVISE_ALONE"
)

type inheritance struct {
	ID       int           `env:"SUPERVISE_CHILD"`
	Beat     time.Duration `env:"SUPERVISE_BEAT" envDefault:"1s"`
	Listener bool          `env:"SUPERVISE_LISTENER"`
	Alone    bool          `env:"SUPERVISE_ALONE"`
}

// The descriptors that a child inherits.
const (
	listenerFD = 3
	reportsFD  = 4
	statusFD   = 5
)

// ErrParentGone is the cause of the end of a child's context when its parent
// has died.
var ErrParentGone = errors.New("the parent process has died")

// Child is a child's side of its parent. A nil Child is a process without a
// parent: its methods do nothing.
type Child struct {
	id       int
	alone    bool
	beat     time.Duration
	listener *os.File // nil = none
	reports  *os.File
	orders   *os.File       // what the parent tells
	level    *logging.Level // nil = the parent does not set it

	writing  sync.Mutex
	report   report // guarded by writing
	inFlight atomic.Pointer[func() int]
	status   atomic.Pointer[Status]
	over     chan struct{} // closed by End
	end      func()
	running  sync.WaitGroup
}

// Inherit returns this process' Child, or nil if no parent started it. Call it
// once. A process that is told of a parent, and finds none, gets an error that
// is config.ErrConfig.
func Inherit() (*Child, error) {
	var told inheritance
	if err := config.Load(&told, config.Options{}); err != nil {
		return nil, err
	}
	if told.ID == 0 {
		return nil, nil
	}
	c := &Child{id: told.ID, alone: told.Alone, beat: told.Beat, report: report{State: Starting}, over: make(chan struct{})}
	c.end = sync.OnceFunc(func() { close(c.over) })
	var errs [3]error
	c.reports, errs[0] = inherited(reportsFD, "reports")
	c.orders, errs[1] = inherited(statusFD, "status")
	if told.Listener {
		c.listener, errs[2] = inherited(listenerFD, "listener")
	}
	if errors.Join(errs[:]...) != nil {
		return nil, config.Problem{Variable: childVariable, Fault: "is set, and there is no parent", Mend: "unset it; parents set it for their children"}
	}
	return c, nil
}

// inherited opens a descriptor that the parent left.
func inherited(fd int, name string) (*os.File, error) {
	if err := syscall.SetNonblock(fd, true); err != nil {
		return nil, os.NewSyscallError("fcntl", err)
	}
	syscall.CloseOnExec(fd)
	return os.NewFile(uintptr(fd), name), nil
}

// ID is the number of this child's place, from 1; 0 without a parent.
func (c *Child) ID() int {
	if c == nil {
		return 0
	}
	return c.id
}

// Listener returns the parent's listener; nil if it has none to give. Closing
// it closes this process' share: the port stays open.
func (c *Child) Listener() (net.Listener, error) {
	if c == nil || c.listener == nil {
		return nil, nil
	}
	listener, err := net.FileListener(c.listener)
	if err != nil {
		return nil, fmt.Errorf("use the parent's listener: %w", err)
	}
	return listener, nil
}

// AcceptsEarly reports whether this process should answer before it is ready,
// to say that it is not: true unless a sibling was ready when it started. Then
// what it cannot serve yet is better left to the sibling, which accepts from the
// same queue.
func (c *Child) AcceptsEarly() bool { return c == nil || c.alone }

// Begin starts to report, and returns a context that ends with ErrParentGone
// when the parent dies. SIGHUP and SIGUSR2 are the parent's, so this process
// ignores them from here on. Call End at the end.
func (c *Child) Begin(ctx context.Context) context.Context {
	if c == nil {
		return ctx
	}
	signal.Ignore(syscall.SIGHUP, syscall.SIGUSR2)
	ctx, cancel := context.WithCancelCause(ctx)
	c.running.Go(func() { c.read(cancel) })
	c.running.Go(c.keepReporting)
	return ctx
}

// read takes in the parent's status until the pipe ends.
func (c *Child) read(cancel context.CancelCauseFunc) {
	lines := bufio.NewScanner(c.orders)
	for lines.Scan() {
		var told orders
		if json.Unmarshal(lines.Bytes(), &told) != nil {
			continue // the next one comes soon
		}
		c.status.Store(&told.Status)
		if c.level != nil && told.LogLevel != "" {
			_ = c.level.Set(told.LogLevel) // the parent has checked it
		}
	}
	cancel(ErrParentGone)
}

func (c *Child) keepReporting() {
	ticker := time.NewTicker(c.beat)
	defer ticker.Stop()
	for {
		c.tell(func(*report) {})
		select {
		case <-ticker.C:
		case <-c.over:
			return
		}
	}
}

// tell changes the report, and sends it.
func (c *Child) tell(change func(*report)) {
	c.writing.Lock()
	defer c.writing.Unlock()
	change(&c.report)
	c.report.Memory = resident()
	if count := c.inFlight.Load(); count != nil {
		c.report.InFlight = (*count)()
	}
	line, err := json.Marshal(c.report)
	if err != nil {
		return // it has only numbers and text
	}
	// A parent that stands still must not hold this process up; without one
	// nobody listens.
	_ = c.reports.SetWriteDeadline(time.Now().Add(time.Second))
	_, _ = c.reports.Write(append(line, '\n'))
}

// FollowLevel lets the parent set the level of the log: to what was set there since
// its start, at its next beat. Call it before Begin.
func (c *Child) FollowLevel(level *logging.Level) {
	if c != nil {
		c.level = level
	}
}

// CountInFlight sets what counts the requests or jobs that are going on. It is
// called at every beat, and must not block.
func (c *Child) CountInFlight(count func() int) {
	if c != nil {
		c.inFlight.Store(&count)
	}
}

// ServesPrivately tells the parent where this process serves /readyz and
// /metrics, as host:port.
func (c *Child) ServesPrivately(address string) {
	if c != nil {
		c.tell(func(r *report) { r.Private = address })
	}
}

// Status is what the parent last said of itself and all its children; false if
// there is no parent, or none has spoken yet.
func (c *Child) Status() (Status, bool) {
	if c == nil {
		return Status{}, false
	}
	s := c.status.Load()
	if s == nil {
		return Status{}, false
	}
	return *s, true
}

// Readiness is a lifecycle.Service to put last into a group: its Start tells
// the parent that this child is ready, and its Stop, the first of all, that it
// drains.
func (c *Child) Readiness() lifecycle.Service { return readiness{c} }

type readiness struct{ *Child }

func (r readiness) Start(context.Context) error { r.become(Ready); return nil }
func (r readiness) Stop(context.Context) error  { r.become(Draining); return nil }

func (c *Child) become(state State) {
	if c != nil {
		c.tell(func(r *report) { r.State = state })
	}
}

// End says how the process is about to end, and stops reporting. A code of
// lifecycle.ExitBadConfig keeps the parent from restarting it.
func (c *Child) End(code int) {
	if c == nil {
		return
	}
	c.end()
	c.tell(func(r *report) { r.State, r.BadConfig = Draining, code == lifecycle.ExitBadConfig })
	_ = c.orders.Close()
	_ = c.reports.Close()
	c.running.Wait()
}
