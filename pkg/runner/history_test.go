package runner_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/etrainer/backend/pkg/queue"
	"github.com/etrainer/backend/pkg/runner"
)

// History that cannot be written holds back no outcome, no lease, and no stop;
// what is lost is told.
func TestHistoryHoldsBackNothing(t *testing.T) {
	t.Parallel()
	for title, fault := range map[string]func(context.Context, []queue.Ending) error{
		"not authorized": func(context.Context, []queue.Ending) error { return errors.New("not authorized on agendaRuns") },
		"mute":           func(ctx context.Context, _ []queue.Ending) error { <-ctx.Done(); return ctx.Err() },
	} {
		t.Run(title, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, nil)
			registry, log := prometheus.NewRegistry(), &lockedBuffer{}
			o := b.options(noop("a"))
			o.Log, o.Metrics = slog.New(slog.NewTextHandler(log, nil)), runner.NewMetrics(registry)
			o.Store = &faulty{Consumer: b.store, beforeRuns: fault}
			ids := b.enqueueMany("a", 120)
			r := runner.New(o)
			if err := r.Start(t.Context()); err != nil {
				t.Fatal(err)
			}
			b.allFinished(ids)
			b.allFinished(b.enqueueMany("a", 1))
			const grace = 5 * time.Second
			began := time.Now()
			if err := stopWithin(r, grace); err != nil {
				t.Errorf("Stop: %v", err)
			}
			if took := time.Since(began); took > grace+time.Second {
				t.Errorf("Stop took %s of %s", took, grace)
			}
			if n := metric(t, registry, "etrainer_worker_run_records_lost_total"); n != 121 || !strings.Contains(log.String(), "run records are lost") {
				t.Errorf("%v records are counted as lost, want 121; the log is %s", n, log)
			}
		})
	}
}

// History that comes back is complete.
func TestHistoryOutlivesAnOutage(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	var away atomic.Bool
	var tries atomic.Int64
	away.Store(true)
	o := b.options(noop("a"))
	o.Store = &faulty{Consumer: b.store, beforeRuns: func(context.Context, []queue.Ending) error {
		if tries.Add(1); away.Load() {
			return errAway
		}
		return nil
	}}
	ids := b.enqueueMany("a", 60)
	b.start(o)
	b.allFinished(ids)
	eventually(t, "it was tried", func() bool { return tries.Load() > 3 })
	away.Store(false)
	for _, id := range ids {
		b.ended(id)
	}
}

// A record with which every command fails costs itself alone.
func TestPoisonousRecordCostsItselfAlone(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	ids := b.enqueueMany("a", 60)
	registry := prometheus.NewRegistry()
	o := b.options(noop("a"))
	o.Metrics = runner.NewMetrics(registry)
	o.Store = &faulty{Consumer: b.store, beforeRuns: func(_ context.Context, endings []queue.Ending) error {
		if about(endings, ids[31]) {
			return errAway
		}
		return nil
	}}
	b.start(o)
	for i, id := range ids {
		if i != 31 {
			b.ended(id)
		}
	}
	b.ended(b.enqueue("a", nil)) // what comes later passes it
	eventually(t, "it is given up", func() bool { return metric(t, registry, "etrainer_worker_run_records_lost_total") == 1 })
}
