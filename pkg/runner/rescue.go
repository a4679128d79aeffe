package runner

import (
	"context"
	"log/slog"
	"time"

	"github.com/etrainer/backend/pkg/fleet"
	"github.com/etrainer/backend/pkg/queue"
	"github.com/etrainer/backend/pkg/wake"
)

const rescueTimeout = 30 * time.Second

// rescue releases what a dead process held, and takes it off the list. It returns
// when to look at it again, if that did not end the matter.
func (w *watch) rescue(ctx context.Context, dead fleet.Instance) (again time.Time) {
	ctx, cancel := context.WithTimeoutCause(ctx, rescueTimeout, errRescueTimeout)
	defer cancel()
	again = w.options.Clock.Now().Add(w.presence.beats.Interval / 2)
	if dead.Kind == fleet.Worker && !w.release(ctx, dead) {
		return again
	}
	if _, err := w.options.Registry.Bury(ctx, dead); err != nil {
		w.ownCall(err, 0)
		w.options.Log.WarnContext(ctx, "dead instance not removed", slog.String("instance", dead.ID), slog.Any("error", err))
		return again
	}
	w.forget(dead.ID)
	return w.options.Clock.Now().Add(idleWatch)
}

// release releases its leases, and reports whether it holds nothing any more. A
// lease is left alone that was claimed or renewed as lately as a worker that
// lives may have been heard: it is a sign of life of its own.
func (w *watch) release(ctx context.Context, dead fleet.Instance) (nothingLeft bool) {
	span := dead.Span()
	rescued, err := w.options.Store.Rescue(ctx, queue.RescueRequest{
		Instance: dead.ID, Renewed: w.options.Server.Now().Add(-span - max(span, w.presence.beats.Confirm)),
	})
	if rescued.Due > 0 {
		w.tell(ctx, dead, rescued.Due)
	}
	if err != nil {
		w.ownCall(err, 0)
		w.options.Log.WarnContext(ctx, "dead worker's jobs not rescued yet", slog.String("instance", dead.ID), slog.Any("error", err))
		return false
	}
	if rescued.Spare > 0 && w.spare(dead.ID) {
		w.options.Log.WarnContext(ctx, "a worker sends no heartbeats, and some of its leases are fresh; they are left to it for now",
			slog.String("instance", dead.ID), slog.Int("count", rescued.Spare))
	}
	return rescued.Spare == 0
}

// tell says that jobs are due again.
func (w *watch) tell(ctx context.Context, dead fleet.Instance, jobs int) {
	w.options.Metrics.rescued(jobs)
	w.options.Log.WarnContext(ctx, "jobs of a dead worker are due again", slog.String("instance", dead.ID), slog.Int("count", jobs))
	w.wakeFetcher()
	if err := w.options.Publisher.Publish(ctx, wake.Signal{Kind: wake.Due}); err != nil {
		w.options.Log.DebugContext(ctx, "peers not told of rescued jobs", slog.Any("error", err))
	}
}

// spare keeps that a peer renews its leases, and reports whether that is new.
func (w *watch) spare(id string) (news bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	s := w.suspects[id]
	if s == nil || s.spared {
		return false
	}
	s.spared = true
	return true
}

func (w *watch) forget(id string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.suspects, id)
}
