package measure

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"golang.org/x/sync/errgroup"

	"github.com/etrainer/backend/pkg/catalog"
	"github.com/etrainer/backend/pkg/queue"
	"github.com/etrainer/backend/pkg/queue/mongoqueue"
	"github.com/etrainer/backend/pkg/runner"
	"github.com/etrainer/backend/pkg/wake"
	"github.com/etrainer/backend/pkg/wake/rediswake"
	"github.com/etrainer/backend/tools/bench/internal/engine"
	"github.com/etrainer/backend/tools/bench/internal/ours"
	"github.com/etrainer/backend/tools/bench/internal/report"
)

const (
	wokenJobs   = 300
	plannedJobs = 60
	pollWorkers = 16 // each on a database of its own, one job each
	// pollIdle is how long a polling worker has found nothing when its job
	// comes: long enough for its poll interval to have grown to the longest.
	pollIdle = 8 * time.Second
	// patience bounds the wait for one job.
	patience = 20 * time.Second
)

// Latency measures how long a job that is due waits for its handler.
func (b *Bench) Latency(ctx context.Context) ([]report.Row, error) {
	var rows []report.Row
	for _, part := range []func(context.Context) ([]report.Row, error){b.woken, b.planned, b.polled} {
		more, err := part(ctx)
		rows = append(rows, more...)
		if err != nil {
			return rows, err
		}
	}
	return rows, nil
}

// start is when the handler of one job was called.
type start struct {
	at     time.Time
	server time.Time // the same by the server's clock, as far as the worker knows it
}

// pickup is an idle worker and a client on a connection of its own, as the
// api has.
type pickup struct {
	db     *engine.Database
	client *queue.Client
	worker *ours.Worker
	starts chan start
}

// withPickup runs a measurement with a worker; redisURL "" = it polls.
func (b *Bench) withPickup(ctx context.Context, redisURL string, measure func(*pickup) error) error {
	return b.with(ctx, func(db *engine.Database) error {
		p := &pickup{db: db, starts: make(chan start, wokenJobs)}
		store, err := ours.NewStore(ctx, db)
		if err != nil {
			return err
		}
		p.worker, err = ours.New(db, store, ours.Options{Slots: slots, PerName: slots, RedisURL: redisURL, Handler: ours.Handler(
			func(context.Context, runner.Job[ours.Payload]) { p.starts <- start{time.Now(), db.Clock.Now()} })})
		if err != nil {
			return err
		}
		if err := p.worker.Start(ctx); err != nil {
			return err
		}
		defer func() { _ = p.worker.Stop(ctx) }()
		apiSide, err := b.Engine.Connect(ctx, db.Name)
		if err != nil {
			return err
		}
		defer func() { _ = apiSide.Disconnect(ctx) }()
		closeRedis, err := p.connect(ctx, apiSide, redisURL)
		if err != nil {
			return err
		}
		defer closeRedis()
		return measure(p)
	})
}

// connect makes the client and waits until wake-ups arrive.
func (p *pickup) connect(ctx context.Context, apiSide *engine.Database, redisURL string) (closeRedis func(), err error) {
	var publisher wake.Publisher = wake.Silent{}
	closeRedis = func() {}
	if redisURL != "" {
		client, err := ours.OpenRedis(redisURL)
		if err != nil {
			return nil, err
		}
		closeRedis = func() { _ = client.Close() }
		publisher = rediswake.NewPublisher(client, p.db.Name)
		if err := until(ctx, p.worker.Connected); err != nil {
			return closeRedis, fmt.Errorf("wait for wake-ups: %w", err)
		}
	}
	store := mongoqueue.New(apiSide.Database(), mongoqueue.Options{Now: apiSide.Clock.Now})
	p.client = queue.NewClient(store, catalog.New(ours.Kind.Definition), publisher, queue.ClientOptions{})
	return closeRedis, nil
}

// woken enqueues jobs that are due at once, one after the other, on an idle
// worker with wake-ups.
func (b *Bench) woken(ctx context.Context) ([]report.Row, error) {
	var fromDue, fromAcknowledged report.Sample
	err := b.withPickup(ctx, b.Engine.RedisURL, func(p *pickup) error {
		for n := range wokenJobs {
			due := time.Now()
			if _, err := p.client.Enqueue(ctx, ours.Name, ours.Payload{N: n}); err != nil {
				return err
			}
			acknowledged := time.Now()
			s, err := p.next(ctx)
			if err != nil {
				return fmt.Errorf("job %d: %w", n, err)
			}
			fromDue = append(fromDue, milliseconds(s.at.Sub(due)))
			fromAcknowledged = append(fromAcknowledged, milliseconds(s.at.Sub(acknowledged)))
			if err := p.settle(ctx, n+1); err != nil {
				return err
			}
		}
		return nil
	})
	settings := fmt.Sprintf("%d jobs, one at a time, finished ones removed; Redis wake-ups; slots %d", wokenJobs, slots)
	rows := percentiles("enqueue call to handler start", fromDue, 0, settings+"; the enqueue's own write included")
	return append(rows, percentiles("acknowledged to handler start", fromAcknowledged, 10, settings)...), err
}

// settle waits until the outcome is stored, removes the finished job and its
// history, so that an engine without indexes does not measure its scans of
// them, and lets the worker rest.
func (p *pickup) settle(ctx context.Context, recorded int) error {
	waiting, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if _, err := p.worker.AwaitRecorded(waiting, recorded); err != nil {
		return fmt.Errorf("wait for the outcome: %w", err)
	}
	if err := removeFinished(ctx, p.db); err != nil {
		return err
	}
	return rest(ctx, 10*time.Millisecond+rand.N(20*time.Millisecond))
}

func removeFinished(ctx context.Context, db *engine.Database) error {
	finished := bson.D{{Key: "nextRunAt", Value: nil}, {Key: "lockedAt", Value: nil}}
	if _, err := db.Database().Collection(mongoqueue.DefaultCollection).DeleteMany(ctx, finished); err != nil {
		return fmt.Errorf("remove finished jobs: %w", err)
	}
	if _, err := db.Database().Collection(mongoqueue.RunsCollection).DeleteMany(ctx, bson.D{}); err != nil {
		return fmt.Errorf("remove the history: %w", err)
	}
	return nil
}

// planned enqueues jobs a little ahead of their time, one after the other;
// the timer of the idle worker starts them.
func (b *Bench) planned(ctx context.Context) ([]report.Row, error) {
	var late report.Sample
	err := b.withPickup(ctx, b.Engine.RedisURL, func(p *pickup) error {
		for n := range plannedJobs {
			due := p.db.Clock.Now().Add(200*time.Millisecond + rand.N(300*time.Millisecond)).Truncate(time.Millisecond)
			if _, err := p.client.Enqueue(ctx, ours.Name, ours.Payload{N: n}, queue.At(due)); err != nil {
				return err
			}
			s, err := p.next(ctx)
			if err != nil {
				return fmt.Errorf("job %d: %w", n, err)
			}
			late = append(late, milliseconds(s.server.Sub(due)))
			if err := p.settle(ctx, n+1); err != nil {
				return err
			}
		}
		return nil
	})
	return percentiles("planned time to handler start", late, 10,
		fmt.Sprintf("%d jobs planned 200 to 500 ms ahead, one at a time, finished ones removed; Redis wake-ups", plannedJobs)), err
}

// polled gives each of several idle workers one job at a random moment.
func (b *Bench) polled(ctx context.Context) ([]report.Row, error) {
	var mu sync.Mutex
	var waited report.Sample
	group, ctx := errgroup.WithContext(ctx)
	for range pollWorkers {
		group.Go(func() error {
			return b.withPickup(ctx, "", func(p *pickup) error {
				if err := rest(ctx, pollIdle+rand.N(runner.DefaultPollInterval)); err != nil {
					return err
				}
				due := time.Now()
				if _, err := p.client.Enqueue(ctx, ours.Name, ours.Payload{}); err != nil {
					return err
				}
				s, err := p.next(ctx)
				if err != nil {
					return err
				}
				mu.Lock()
				defer mu.Unlock()
				waited = append(waited, milliseconds(s.at.Sub(due)))
				return nil
			})
		})
	}
	err := group.Wait()
	limit := milliseconds(runner.DefaultPollInterval)
	return []report.Row{
		latencyRow("enqueue call to handler start, by poll alone, p50", waited.Median(), nil, pollSettings()),
		latencyRow("enqueue call to handler start, by poll alone, max", waited.Percentile(100), report.AtMost(limit), pollSettings()),
	}, err
}

func pollSettings() string {
	return fmt.Sprintf("%d idle workers, one job each; no Redis; poll interval %s", pollWorkers, runner.DefaultPollInterval)
}

// next waits for the next handler to be called.
func (p *pickup) next(ctx context.Context) (start, error) {
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case s := <-p.starts:
		return s, nil
	case <-ctx.Done():
		return start{}, context.Cause(ctx)
	case <-timer.C:
		return start{}, fmt.Errorf("no handler was called in %s", patience)
	}
}

// percentiles makes the rows of a sample; p99 has the target, 0 = none.
func percentiles(what string, sample report.Sample, target float64, settings string) []report.Row {
	rows := make([]report.Row, 0, 3)
	for _, p := range []float64{50, 95, 99} {
		var bound *report.Target
		if p == 99 && target > 0 {
			bound = report.AtMost(target)
		}
		rows = append(rows, latencyRow(fmt.Sprintf("%s, p%.0f", what, p), sample.Percentile(p), bound, settings))
	}
	return rows
}

func latencyRow(what string, value float64, target *report.Target, settings string) report.Row {
	return report.Row{Section: "latency", What: what, Value: value, Unit: "ms", Target: target, Settings: settings}
}
