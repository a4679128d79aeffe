package supervise

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/etrainer/backend/pkg/lifecycle"
	"github.com/etrainer/backend/pkg/logging"
	"github.com/etrainer/backend/pkg/metrics"
)

// graceMargin is how much longer than the grace time the parent waits before
// it kills: children bound their stop by the same time, and should be the ones
// who say what was cut off.
const graceMargin = 2 * time.Second

// Options say what to run. Path and Count are required.
type Options struct {
	// Path is the binary; it is looked at anew for each child, so a roll takes
	// up a new version of it. See Self.
	Path string
	Args []string
	Env  []string // added to the environment of this process
	// Count is how many children there are.
	Count int
	// Listener is what the children accept from, made by Listen. nil = nothing.
	// Run closes it.
	Listener *os.File
	// Private is host:port of /livez, /readyz, /metrics and /log-level; "" = none.
	Private string
	// PrivateVariable names the variable that sets Private, for errors.
	PrivateVariable string
	// Metrics is the registry of this process; nil = an empty one.
	Metrics *metrics.Registry
	// Grace is how long children may take to drain. 0 = lifecycle.DefaultGrace.
	Grace time.Duration
	Times Times
	// Out receives what the children print. nil = os.Stderr.
	Out io.Writer
	Log *slog.Logger
	// Level is that of Log. The private port serves it as /log-level, and children
	// follow what is set. nil = it cannot be set.
	Level *logging.Level

	// Signals replaces the signals of the process, for tests.
	Signals <-chan os.Signal
}

// parent is the state of Run. Everything but the atomic fields belongs to the
// loop, which is the goroutine of Run: others send it what to do.
type parent struct {
	options Options
	log     *slog.Logger
	actions chan func(now time.Time)
	closed  chan struct{} // closed when the loop has ended

	places []*place
	roll   *roll // nil = none is going on
	again  bool  // a roll was asked for while one was going on

	stopping bool
	forced   bool // by a second signal
	code     int

	looked   time.Time // when the loop last looked at the clock
	current  atomic.Pointer[Status]
	privates atomic.Pointer[map[int]string] // id → host:port, of children that have one
	counts   *counts
}

// Run runs the children until SIGTERM or SIGINT, the end of ctx, or a failure
// that a restart cannot mend, and returns the exit code of the process.
func Run(ctx context.Context, options Options) (exitCode int) {
	if options.Grace == 0 {
		options.Grace = lifecycle.DefaultGrace
	}
	if options.Out == nil {
		options.Out = os.Stderr
	}
	if options.Log == nil {
		options.Log = slog.New(slog.DiscardHandler)
	}
	if options.Metrics == nil {
		options.Metrics = metrics.New("parent", options.Log)
	}
	options.Times = options.Times.withDefaults()
	if options.Listener != nil {
		defer options.Listener.Close()
	}
	p := &parent{
		options: options, log: options.Log, actions: make(chan func(time.Time)), closed: make(chan struct{}),
		counts: newCounts(options.Metrics),
	}
	defer close(p.closed)
	for id := 1; id <= options.Count; id++ {
		p.places = append(p.places, &place{id: id, restarts: newRestarts(options.Times)})
	}
	p.publish(time.Now())

	server, err := p.openPrivate(ctx)
	if err != nil {
		p.log.ErrorContext(ctx, "start failed", slog.Any("error", err))
		return lifecycle.ExitFailed
	}
	defer closePrivate(server)
	return p.loop(ctx)
}

// loop is the one goroutine that decides.
func (p *parent) loop(ctx context.Context) int {
	signals, unsubscribe := p.signals()
	defer unsubscribe()
	ticker := time.NewTicker(p.options.Times.Beat)
	defer ticker.Stop()
	ended := ctx.Done()

	now := time.Now()
	p.log.InfoContext(ctx, "supervising", slog.Int("children", p.options.Count))
	p.looked = now
	for _, each := range p.places {
		p.start(each, now)
	}
	for !p.finished() {
		timer := time.NewTimer(p.untilNext(time.Now()))
		select {
		case act := <-p.actions:
			act(time.Now())
		case received := <-signals:
			p.signalled(received, time.Now())
		case <-ended:
			ended = nil
			p.drain(context.Cause(ctx).Error(), lifecycle.ExitOK, time.Now())
		case <-ticker.C:
			p.beat(time.Now())
		case <-timer.C:
			p.due(time.Now())
		}
		timer.Stop()
		p.publish(time.Now())
	}
	p.log.InfoContext(ctx, "stopped", slog.Int("code", p.code))
	return p.code
}

// signals returns what the parent listens to.
func (p *parent) signals() (received <-chan os.Signal, unsubscribe func()) {
	if p.options.Signals != nil {
		return p.options.Signals, func() {}
	}
	own := make(chan os.Signal, 8)
	signal.Notify(own, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGUSR2)
	return own, func() { signal.Stop(own) }
}

func (p *parent) signalled(received os.Signal, now time.Time) {
	if received == syscall.SIGHUP || received == syscall.SIGUSR2 {
		p.askRoll(received, now)
		return
	}
	if !p.stopping {
		p.drain("received signal: "+received.String(), lifecycle.ExitOK, now)
		return
	}
	p.forced = true
	p.log.Warn("second signal: the children are killed", slog.String("signal", received.String()))
	if number, ok := received.(syscall.Signal); ok {
		p.code = 128 + int(number)
	}
	for _, each := range p.processes() {
		each.kill()
	}
}

// do runs act in the loop; after the loop's end it does nothing.
func (p *parent) do(act func(now time.Time)) {
	select {
	case p.actions <- act:
	case <-p.closed:
	}
}

// drain stops every child; the parent ends with code when all have ended.
func (p *parent) drain(reason string, code int, now time.Time) {
	if p.stopping {
		return
	}
	p.stopping, p.code, p.roll, p.again = true, code, nil, false
	p.log.Info("stopping", slog.String("reason", reason), slog.Duration("grace", p.options.Grace))
	for _, each := range p.places {
		each.startAt = time.Time{}
	}
	for _, each := range p.processes() {
		each.stop(now.Add(p.options.Grace + graceMargin))
	}
}

func (p *parent) finished() bool { return p.stopping && len(p.processes()) == 0 }

// processes lists everything that runs.
func (p *parent) processes() []*process {
	var all []*process
	for _, each := range p.places {
		if each.current != nil {
			all = append(all, each.current)
		}
		if each.next != nil {
			all = append(all, each.next)
		}
		all = append(all, each.old...)
	}
	return all
}

// beat looks for children that hang, and tells the others how things are. When
// this process was itself held up, reports have to arrive before it can judge.
func (p *parent) beat(now time.Time) {
	late := p.heldUp(now)
	p.looked = now
	line, err := json.Marshal(orders{p.status(now), p.level()})
	line = append(line, '\n')
	for _, each := range p.processes() {
		if late {
			each.seenAt = now
		}
		if err == nil {
			each.tell(line)
		}
	}
}

// level is that of the log if it was set since the start.
func (p *parent) level() string {
	if p.options.Level == nil {
		return ""
	}
	return p.options.Level.Changed()
}

// heldUp reports whether this process itself stood still.
func (p *parent) heldUp(now time.Time) bool { return now.Sub(p.looked) > p.options.Times.HangAfter/2 }

// due does what has a time: restarts, kills, the end of a roll that takes too
// long.
func (p *parent) due(now time.Time) {
	if p.heldUp(now) {
		return // the next beat sets it right
	}
	for _, each := range p.processes() {
		switch {
		case passed(each.deadline, now):
			p.log.Error("child does not end in time: killed", slog.Int("child", each.id), slog.Int("pid", each.pid()))
			if p.stopping {
				p.code = max(p.code, lifecycle.ExitFailed)
			}
			each.kill()
		case !each.killed && passed(each.seenAt.Add(p.options.Times.HangAfter), now):
			p.log.Error("child hangs: killed", slog.Int("child", each.id), slog.Int("pid", each.pid()),
				slog.Duration("silent_for", now.Sub(each.seenAt)))
			p.counts.hangs.Inc()
			leaving := each.leaving
			each.kill()
			each.leaving = leaving // what nobody told to stop has crashed
		}
	}
	for _, each := range p.places {
		if passed(each.startAt, now) {
			p.start(each, now)
		}
	}
	p.rollDue(now)
}

// untilNext is how long nothing is due.
func (p *parent) untilNext(now time.Time) time.Duration {
	next := now.Add(time.Hour)
	sooner := func(t time.Time) {
		if !t.IsZero() && t.Before(next) {
			next = t
		}
	}
	for _, each := range p.processes() {
		sooner(each.deadline)
		if !each.killed {
			sooner(each.seenAt.Add(p.options.Times.HangAfter))
		}
	}
	for _, each := range p.places {
		sooner(each.startAt)
	}
	if p.roll != nil {
		sooner(p.roll.deadline)
	}
	return next.Sub(now)
}

func passed(t, now time.Time) bool { return !t.IsZero() && !t.After(now) }

// openPrivate serves the private port, if there is one.
func (p *parent) openPrivate(ctx context.Context) (*http.Server, error) {
	if p.options.Private == "" {
		return nil, nil
	}
	return servePrivate(ctx, p.options.PrivateVariable, p.options.Private, p.handler(), p.log)
}

func closePrivate(server *http.Server) {
	if server != nil {
		_ = server.Close() // the process ends
	}
}
