package measure

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/etrainer/backend/pkg/runner"
	"github.com/etrainer/backend/tools/bench/internal/engine"
	"github.com/etrainer/backend/tools/bench/internal/ours"
	"github.com/etrainer/backend/tools/bench/internal/report"
)

const (
	crashes     = 6  // at the same time, each on a database of its own
	crashJobs   = 10 // that the killed worker holds
	crashPhase  = 7 * time.Second
	crashWindow = 45 * time.Second
)

// Crash kills workers that hold leases, without a warning, and measures how
// long it takes until every one of their jobs runs in another process.
func (b *Bench) Crash(ctx context.Context) ([]report.Row, error) {
	var mu sync.Mutex
	var times report.Sample
	group, ctx := errgroup.WithContext(ctx)
	for range crashes {
		group.Go(func() error {
			return b.with(ctx, func(db *engine.Database) error {
				took, err := b.crash(ctx, db)
				mu.Lock()
				defer mu.Unlock()
				if err == nil {
					times = append(times, took.Seconds())
					b.Say("all jobs of a killed worker run elsewhere after %.1f s", took.Seconds())
				}
				return err
			})
		})
	}
	err := group.Wait()
	settings := fmt.Sprintf("kill -9 of a child with %d leases at a random moment, one peer with Redis wake-ups; %d crashes", crashJobs, crashes)
	rows := []report.Row{
		{Section: "crash", What: "kill to the last of its jobs started elsewhere, p50", Value: times.Median(), Unit: "s", Settings: settings},
		{Section: "crash", What: "kill to the last of its jobs started elsewhere, max", Value: times.Percentile(100), Unit: "s", Target: report.AtMost(15), Settings: settings},
	}
	if err != nil {
		rows[1].Failed = "not measured: " + err.Error()
		rows = rows[1:]
	}
	return rows, nil
}

func (b *Bench) crash(ctx context.Context, db *engine.Database) (time.Duration, error) {
	store, err := ours.NewStore(ctx, db)
	if err != nil {
		return 0, err
	}
	requests, err := ours.Requests(crashJobs)
	if err != nil {
		return 0, err
	}
	if _, err := store.Enqueue(ctx, requests...); err != nil {
		return 0, err
	}
	child, err := ours.StartChild(b.Self, db, ours.ChildOptions{RedisURL: b.Engine.RedisURL, Slots: crashJobs, Hold: true})
	if err != nil {
		return 0, err
	}
	if err := holdAll(ctx, child); err != nil {
		return 0, err
	}
	starts := make(chan int, 10*crashJobs)
	peer, err := ours.New(db, store, ours.Options{Slots: slots, PerName: slots, RedisURL: b.Engine.RedisURL, Handler: ours.Handler(
		func(_ context.Context, j runner.Job[ours.Payload]) { starts <- j.Payload.N })})
	if err != nil {
		return 0, kill(child, err)
	}
	if err := peer.Start(ctx); err != nil {
		return 0, kill(child, err)
	}
	defer func() { _ = peer.Stop(ctx) }()
	if err := rest(ctx, 2*time.Second+rand.N(crashPhase)); err != nil {
		return 0, kill(child, err)
	}
	if len(starts) > 0 {
		return 0, kill(child, fmt.Errorf("a job ran elsewhere while its worker lived"))
	}
	killed := time.Now()
	if err := child.Kill(); err != nil {
		return 0, err
	}
	return awaitAll(ctx, starts, killed)
}

// holdAll waits until the child holds every job.
func holdAll(ctx context.Context, child *ours.Child) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if _, err := child.Await(ctx, func(news ours.ChildNews) bool { return news.Started == crashJobs }); err != nil {
		return kill(child, fmt.Errorf("wait for the child to start the jobs: %w", err))
	}
	return nil
}

// kill ends a child that is of no use after an error.
func kill(child *ours.Child, err error) error {
	_ = child.Kill()
	return err
}

func awaitAll(ctx context.Context, starts <-chan int, since time.Time) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, crashWindow)
	defer cancel()
	started := map[int]bool{}
	for len(started) < crashJobs {
		select {
		case n := <-starts:
			started[n] = true
		case <-ctx.Done():
			return 0, fmt.Errorf("%d of %d jobs ran elsewhere in %s", len(started), crashJobs, crashWindow)
		}
	}
	return time.Since(since), nil
}
