package supervise

import (
	"log/slog"
	"os"
	"time"
)

// roll is a replacement of all children, one place after the other: the new
// one has to be ready before the old one drains, and the old one has to be gone
// before the next place begins.
type roll struct {
	at       *place
	rest     []*place
	deadline time.Time // when a new child that is not ready ends the roll; zero = it took over
}

// askRoll begins a roll, or remembers to begin another after the one that is
// going on: what changed since is only seen by children that start later.
func (p *parent) askRoll(received os.Signal, now time.Time) {
	switch {
	case p.stopping:
	case p.roll != nil:
		p.again = true
	default:
		p.log.Info("rolling the children", slog.String("signal", received.String()))
		p.roll = &roll{rest: append([]*place(nil), p.places...)}
		p.rollStep(now)
	}
}

// rollStep begins the next place, or ends the roll.
func (p *parent) rollStep(now time.Time) {
	if len(p.roll.rest) == 0 {
		p.log.Info("rolled the children")
		p.roll = nil
		if p.again {
			p.again = false
			p.askRoll(nextRoll{}, now)
		}
		return
	}
	p.roll.at, p.roll.rest = p.roll.rest[0], p.roll.rest[1:]
	at := p.roll.at
	at.startAt, at.resting = time.Time{}, false
	at.restarts.forget()
	child, err := p.spawn(at.id, now)
	if err != nil {
		p.log.Error("child not started", slog.Int("child", at.id), slog.Any("error", err))
		if at.current == nil {
			p.retry(at, 0, now)
		}
		p.abortRoll("the new child did not start", now)
		return
	}
	at.next, p.roll.deadline = child, now.Add(p.options.Times.ReadyWithin)
}

// takeOver puts the new child, which is ready, in its place.
func (p *parent) takeOver(at *place, now time.Time) {
	old := at.current
	at.current, at.next = at.next, nil
	if p.roll != nil && p.roll.at == at {
		p.roll.deadline = time.Time{}
	}
	if old == nil {
		p.rollNext(at, now)
		return
	}
	at.old = append(at.old, old)
	old.stop(now.Add(p.options.Grace + graceMargin))
}

// rollNext goes on when a place has only its new child left.
func (p *parent) rollNext(at *place, now time.Time) {
	if p.roll != nil && p.roll.at == at && at.next == nil && len(at.old) == 0 && p.roll.deadline.IsZero() {
		p.rollStep(now)
	}
}

func (p *parent) rollDue(now time.Time) {
	if p.roll != nil && passed(p.roll.deadline, now) {
		p.abortRoll("the new child is not ready in time", now)
	}
}

// abortRollOf ends the roll when the place that it is at has lost both.
func (p *parent) abortRollOf(at *place, now time.Time) {
	if p.roll != nil && p.roll.at == at && !p.roll.deadline.IsZero() {
		p.abortRoll("the new child ended", now)
	}
}

// abortRoll keeps the old children. A new one that has nobody to fall back on
// stays as well.
func (p *parent) abortRoll(reason string, now time.Time) {
	if p.roll == nil {
		return
	}
	p.log.Error("roll given up; the old children stay", slog.String("reason", reason), slog.Int("child", p.roll.at.id))
	if at := p.roll.at; at.next != nil {
		child := at.next
		at.next = nil
		if at.current == nil {
			at.current = child
		} else {
			at.old = append(at.old, child)
			child.stop(now.Add(p.options.Grace + graceMargin))
		}
	}
	p.roll, p.again = nil, false
}

// nextRoll is the reason for a roll after a roll.
type nextRoll struct{}

func (nextRoll) Signal()        {}
func (nextRoll) String() string { return "asked for during the last roll" }
