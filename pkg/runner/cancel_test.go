package runner_test

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/etrainer/backend/pkg/catalog"
	"github.com/etrainer/backend/pkg/job"
	"github.com/etrainer/backend/pkg/mongodb/mongotest"
	"github.com/etrainer/backend/pkg/queue"
	"github.com/etrainer/backend/pkg/runner"
	"github.com/etrainer/backend/pkg/wake"
	"github.com/etrainer/backend/pkg/wake/rediswake"
)

// throughRedis makes the client and a runner's options speak through Redis.
func (b *bench) throughRedis(o *runner.Options) {
	b.t.Helper()
	options, err := redis.ParseURL(mongotest.RedisURL(b.t))
	if err != nil {
		b.t.Fatal(err)
	}
	client, quiet := redis.NewClient(options), slog.New(slog.DiscardHandler)
	subscriber := rediswake.NewSubscriber(client, b.db.Name(), quiet)
	if err := subscriber.Start(b.t.Context()); err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() {
		if err := errors.Join(subscriber.Stop(context.Background()), client.Close()); err != nil {
			b.t.Errorf("close redis: %v", err)
		}
	})
	eventually(b.t, "the subscription stands", subscriber.Connected)
	o.Subscriber, o.Publisher = subscriber, rediswake.NewPublisher(client, b.db.Name())
	b.client = b.clientWith(o.Publisher)
}

// cancelWhileRunning starts a job, cancels it, and checks what became of it.
func cancelWhileRunning(t *testing.T, b *bench, g *gate) {
	t.Helper()
	id := b.enqueue("a", nil)
	receive(t, "the start", g.started)
	if _, err := b.client.Cancel(t.Context(), id, "ann"); err != nil {
		t.Fatal(err)
	}
	if cause := receive(t, "the end of the handler's context", g.causes); !errors.Is(cause, runner.ErrCancelled) {
		t.Errorf("the handler was told %v, want ErrCancelled", cause)
	}
	if run := b.ended(id); run.Outcome != job.Cancelled {
		t.Errorf("the run is %s, %q", run.Outcome, run.Error)
	}
	if document := b.get(id); !document.Cancelled() || !document.NextRunAt.IsZero() || document.FailCount != 0 {
		t.Errorf("the job is left as %+v", document)
	}
}

// With Redis the holder hears of it at once: the clock of this runner stands
// still, so neither a poll nor a renewal can have found it.
func TestCancelByRedis(t *testing.T) {
	t.Parallel()
	b, g := newBench(t, nil), newGate()
	o := b.options(handler("a", g.run))
	b.throughRedis(&o)
	clock := newStill()
	o.Clock = clock
	b.start(o)
	id := b.enqueue("a", nil)
	receive(t, "the start", g.started)
	if _, err := b.client.Cancel(t.Context(), id, "ann"); err != nil {
		t.Fatal(err)
	}
	if cause := receive(t, "the end of the handler's context", g.causes); !errors.Is(cause, runner.ErrCancelled) {
		t.Errorf("the handler was told %v, want ErrCancelled", cause)
	}
	clock.run(t) // for the outcome to be gathered
	if run := b.ended(id); run.Outcome != job.Cancelled {
		t.Errorf("the run is %s, %q", run.Outcome, run.Error)
	}
}

// Without Redis the holder finds it when it renews its leases.
func TestCancelWithoutRedis(t *testing.T) {
	t.Parallel()
	b, g := newBench(t, nil), newGate()
	b.client = b.clientWith(wake.Silent{})
	o := b.options(handler("a", g.run, func(d *catalog.Definition) { d.LockLifetime = 4 * time.Second }))
	o.Subscriber, o.Publisher, o.PollInterval = nil, nil, 100*time.Millisecond
	b.start(o)
	cancelWhileRunning(t, b, g)
}

// Of a recurring job only the run is cancelled.
func TestCancelOneRunOfARecurringJob(t *testing.T) {
	t.Parallel()
	b, g := newBench(t, nil), newGate()
	b.start(b.options(handler("a", g.run)))
	if _, err := b.store.Arm(t.Context(), queue.Recurring{Name: "a", Repeat: everySecond}); err != nil {
		t.Fatal(err)
	}
	if err := b.hub.Publish(t.Context(), dueSignal); err != nil {
		t.Fatal(err)
	}
	id := receive(t, "the first tick", g.started).ID
	if _, err := b.client.Cancel(t.Context(), id, "ann"); err != nil {
		t.Fatal(err)
	}
	receive(t, "the second tick", g.started)
	close(g.letGo)
	runs := b.outcomes(id, 2)
	if runs[0].Outcome != job.Cancelled || runs[1].Outcome != job.Succeeded {
		t.Errorf("the runs are %s and %s, want cancelled and succeeded", runs[0].Outcome, runs[1].Outcome)
	}
}

// A job whose worker died after it was cancelled never reaches a handler
// again.
func TestCancelOutlivesTheWorker(t *testing.T) {
	t.Parallel()
	b, g := newBench(t, nil), newGate()
	id := b.enqueue("a", nil)
	long := time.Now().Add(-time.Hour)
	_, err := b.db.Collection("agendaJobs").UpdateByID(t.Context(), id, bson.M{"$set": bson.M{
		"cancelledAt": long, "lockedAt": long, "lastRunAt": long, "nextRunAt": nil,
		"lastModifiedBy": "worker@gone", "leaseHolder": "worker@gone", "leaseDue": long,
	}})
	if err != nil {
		t.Fatal(err)
	}
	b.start(b.options(handler("a", g.run)))
	if err := b.hub.Publish(t.Context(), dueSignal); err != nil {
		t.Fatal(err)
	}
	if runs := b.outcomes(id, 2); runs[0].Outcome != job.Lost || runs[1].Outcome != job.Cancelled {
		t.Errorf("the runs are %s and %s, want lost and cancelled", runs[0].Outcome, runs[1].Outcome)
	}
	if len(g.started) != 0 {
		t.Error("the handler was called")
	}
}
