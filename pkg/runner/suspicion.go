package runner

import (
	"time"

	"github.com/etrainer/backend/pkg/fleet"
)

// suspicion is what a watcher has against a peer that is expired. It grows only
// while the watcher's own heartbeats and reads work: a peer that is silent while
// the database answers nobody is not dead.
type suspicion struct {
	seenAt time.Time     // its last heartbeat, by the server's clock
	since  time.Time     // local clock: since when it is known to be silent without excuse
	looked time.Time     // local clock: when the watcher last saw that it is
	need   time.Duration // for how long it must be
	step   time.Duration // how often the watcher must look and beat meanwhile
	spared bool          // it is silent, and its leases are renewed
}

// suspect continues the suspicion of a peer, or begins it. It begins anew where
// the peer was heard, and where the watcher itself was not at it: it slept, or
// its heartbeats did not arrive.
func (w *watch) suspect(i fleet.Instance, now time.Time) *suspicion {
	s := w.suspects[i.ID]
	if s == nil || !s.seenAt.Equal(i.SeenAt) {
		s = &suspicion{seenAt: i.SeenAt, since: now}
	}
	s.need, s.step = w.need(i), w.presence.beats.Interval
	if !i.Busy() {
		s.step = max(s.step, s.need/3)
	}
	if !s.looked.IsZero() && (now.Sub(s.looked) > 2*s.step || now.Sub(w.beatAt) > 2*s.step) {
		s.since = now
	}
	s.looked = now
	return s
}

// need is for how long a peer must be silent: as this process is told to wait,
// and as the peer has declared, because it may have other settings. After an
// outage that this process has met too it is longer.
func (w *watch) need(i fleet.Instance) time.Duration {
	need := max(w.presence.beats.Confirm, i.Span(), i.EndsAt.Sub(i.ExpiresAt))
	if !i.SeenAt.After(w.trouble) {
		need = max(need, w.presence.beats.aftermath())
	}
	return need
}

// sure reports that the peer has been silent for long enough.
func (s *suspicion) sure(now time.Time) bool { return now.Sub(s.since) >= s.need }

// lookAgain is when to look next.
func (s *suspicion) lookAgain(now time.Time) time.Time {
	if sure := s.since.Add(s.need); sure.Before(now.Add(s.step)) {
		return sure
	}
	return now.Add(s.step)
}

// verdictIsDue reports that the next look may find somebody dead.
func (w *watch) verdictIsDue() bool {
	now := w.options.Clock.Now()
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, s := range w.suspects {
		if s.sure(now) {
			return true
		}
	}
	return false
}
