package supervise

import (
	"log/slog"
	"os"
	"slices"
	"time"

	"github.com/etrainer/backend/pkg/lifecycle"
)

// place is one of the parent's n places for a child.
type place struct {
	id       int
	current  *process   // nil between an end and the restart
	next     *process   // in a roll: the one that takes over when it is ready
	old      []*process // drain after a roll
	startAt  time.Time  // when the next attempt is due; zero = none is
	resting  bool       // the brake is on
	restarts *restarts
	ends     int // that nobody asked for
}

// start fills an empty place.
func (p *parent) start(at *place, now time.Time) {
	at.startAt, at.resting = time.Time{}, false
	child, err := p.spawn(at.id, now)
	if err != nil {
		p.log.Error("child not started", slog.Int("child", at.id), slog.Any("error", err))
		p.retry(at, 0, now)
		return
	}
	at.current = child
}

func (p *parent) spawn(id int, now time.Time) (*process, error) {
	child, err := spawn(p.options, id, !slices.ContainsFunc(p.processes(), (*process).ready), now,
		func(from *process, r report) { p.do(func(now time.Time) { p.heard(from, r, now) }) },
		func(from *process, code int) { p.do(func(now time.Time) { p.ended(from, code, now) }) })
	if err == nil {
		p.log.Info("child started", slog.Int("child", id), slog.Int("pid", child.pid()))
	}
	return child, err
}

// heard takes in a report.
func (p *parent) heard(from *process, r report, now time.Time) {
	becameReady := r.State == Ready && from.last.State != Ready
	from.last, from.reported, from.seenAt = r, true, now
	if !becameReady || p.stopping {
		return
	}
	p.log.Info("child ready", slog.Int("child", from.id), slog.Int("pid", from.pid()),
		slog.Duration("after", now.Sub(from.startedAt)))
	if at := p.placeOf(from); at != nil && at.next == from {
		p.takeOver(at, now)
	}
}

// ended takes in the end of a process.
func (p *parent) ended(from *process, code int, now time.Time) {
	at := p.placeOf(from)
	lived := now.Sub(from.startedAt)
	attrs := []any{slog.Int("child", from.id), slog.Int("pid", from.pid()), slog.Int("code", code), slog.Duration("lived", lived)}
	wasNext := at.next == from
	at.remove(from)
	if from.leaving || p.stopping {
		p.log.Info("child ended", attrs...)
		if p.stopping && !p.forced && !from.endedInOrder(code) {
			p.code = max(p.code, lifecycle.ExitFailed)
		}
		p.rollNext(at, now)
		return
	}
	p.log.Error("child ended by itself", attrs...)
	at.ends++
	p.counts.restarts.Inc()
	switch {
	case wasNext && at.current != nil: // the old one goes on
		p.abortRoll("the new child ended", now)
	case from.badConfig(code):
		p.drain("child: the configuration cannot work", lifecycle.ExitBadConfig, now)
	case at.next == nil: // in a roll the next one is on its way
		p.retry(at, lived, now)
		p.abortRollOf(at, now)
	}
}

// retry plans the next attempt of an empty place. When all places rest, the
// parent ends.
func (p *parent) retry(at *place, lived time.Duration, now time.Time) {
	pause, braked := at.restarts.after(lived)
	at.startAt, at.resting = now.Add(pause), braked
	if !braked {
		p.log.Warn("child restarts", slog.Int("child", at.id), slog.Duration("pause", pause))
		return
	}
	p.log.Error("child crashes again and again: its place rests", slog.Int("child", at.id), slog.Duration("pause", pause))
	if !slices.ContainsFunc(p.places, func(other *place) bool { return !other.resting }) {
		p.drain("every child crashes again and again", lifecycle.ExitFailed, now)
	}
}

func (p *parent) placeOf(child *process) *place { return p.places[child.id-1] }

func (at *place) remove(child *process) {
	if at.current == child {
		at.current = nil
	}
	if at.next == child {
		at.next = nil
	}
	at.old = slices.DeleteFunc(at.old, func(each *process) bool { return each == child })
}

// publish makes the status readable for other goroutines.
func (p *parent) publish(now time.Time) {
	status := p.status(now)
	p.current.Store(&status)
	addresses := map[int]string{}
	for _, each := range p.places {
		if child := each.current; child != nil && child.last.Private != "" {
			addresses[each.id] = child.last.Private
		}
	}
	p.privates.Store(&addresses)
	p.counts.set(status)
}

func (p *parent) status(now time.Time) Status {
	s := Status{MasterPID: os.Getpid(), WorkerCount: len(p.places), Workers: make([]Worker, len(p.places))}
	for i, each := range p.places {
		s.Workers[i] = each.worker(now)
	}
	return s
}

func (at *place) worker(now time.Time) Worker {
	w := Worker{ID: at.id, Restarts: at.ends, State: Waiting, IsDead: true}
	if at.resting {
		w.State = Resting
	}
	if child := at.current; child != nil {
		w.PID, w.State, w.IsDead = child.pid(), child.last.State, false
		w.Uptime = now.Sub(child.startedAt).Seconds()
		w.Memory, w.InFlight = child.last.Memory, child.last.InFlight
		if child.leaving && w.State != Starting {
			w.State = Draining
		}
	}
	return w
}
