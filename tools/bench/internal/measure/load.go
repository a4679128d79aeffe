package measure

import (
	"context"
	"fmt"
	"time"

	"github.com/etrainer/backend/tools/bench/internal/engine"
	"github.com/etrainer/backend/tools/bench/internal/ours"
	"github.com/etrainer/backend/tools/bench/internal/report"
)

const (
	loadRate   = 1000 // jobs a second
	loadBatch  = 100
	loadTime   = 15 * time.Second
	cleanEvery = 20 // batches
)

// Load reads the memory of a worker while it works off about a thousand jobs
// a second. The product's own jobs do real work, so this is the product's
// runner with a handler that does nothing, in a process of its own.
func (b *Bench) Load(ctx context.Context) ([]report.Row, error) {
	memory := report.Row{
		Section: "load", What: "worker, resident memory", Unit: "MB", Target: report.AtMost(80),
		Settings: fmt.Sprintf("the product's runner as a child, no-op jobs, slots %d, %d jobs/s for %s, finished ones removed; the highest of VmHWM", slots, loadRate, loadTime),
	}
	rate := report.Row{Section: "load", What: "worker, jobs finished meanwhile", Unit: "jobs/s", Settings: memory.Settings}
	err := b.with(ctx, func(db *engine.Database) error {
		child, err := ours.StartChild(b.Self, db, ours.ChildOptions{RedisURL: b.Engine.RedisURL, Slots: slots})
		if err != nil {
			return err
		}
		began := time.Now()
		recorded, failure := feed(ctx, db, child)
		rate.Value = float64(recorded) / time.Since(began).Seconds()
		if rate.Value < 0.8*loadRate {
			rate.Note = "the engine did not carry more"
		}
		m, err := child.Memory()
		memory.Value = m.Peak
		if err != nil {
			memory.Failed = err.Error()
		}
		memory.Note = fmt.Sprintf("%.0f MB at the end, at %.0f jobs/s", m.Resident, rate.Value)
		if err := child.Stop(); failure == nil {
			failure = err
		}
		return failure
	})
	return []report.Row{memory, rate}, err
}

// feed enqueues at the rate, unless the child falls behind: what waits is
// never more than a second's worth. It returns how many jobs finished.
func feed(ctx context.Context, db *engine.Database, child *ours.Child) (recorded int, err error) {
	store, err := ours.NewStore(ctx, db)
	if err != nil {
		return 0, err
	}
	requests, err := ours.Requests(loadBatch)
	if err != nil {
		return 0, err
	}
	if _, err := child.Await(ctx, func(ours.ChildNews) bool { return true }); err != nil {
		return 0, err
	}
	ticker := time.NewTicker(time.Second * loadBatch / loadRate)
	defer ticker.Stop()
	enqueued := 0
	for batch, ends := 1, time.Now().Add(loadTime); time.Now().Before(ends); batch++ {
		select {
		case <-ctx.Done():
			return recorded, context.Cause(ctx)
		case <-ticker.C:
		}
		select {
		case news := <-child.News:
			recorded = news.Recorded
		default:
		}
		if enqueued-recorded < loadRate {
			if _, err := store.Enqueue(ctx, requests...); err != nil {
				return recorded, fmt.Errorf("feed the queue: %w", err)
			}
			enqueued += loadBatch
		}
		if batch%cleanEvery == 0 {
			if err := removeFinished(ctx, db); err != nil {
				return recorded, err
			}
		}
	}
	return recorded, nil
}
