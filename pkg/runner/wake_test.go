package runner_test

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/event"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/etrainer/backend/pkg/catalog"
	"github.com/etrainer/backend/pkg/job"
	"github.com/etrainer/backend/pkg/mongodb"
	"github.com/etrainer/backend/pkg/mongodb/mongotest"
	"github.com/etrainer/backend/pkg/queue"
	"github.com/etrainer/backend/pkg/runner"
	"github.com/etrainer/backend/pkg/wake"
)

// A signal through Redis is what finds the job: the runner's clock stands
// still, so its polls, an hour apart, can never come.
func TestSignalFindsTheJob(t *testing.T) {
	t.Parallel()
	b, g := newBench(t, nil), newGate()
	o := b.options(handler("a", g.run))
	b.throughRedis(&o)
	clock := newStill()
	o.Clock, o.PollInterval, o.IdleInterval = clock, time.Hour, time.Hour
	b.start(o)
	clock.settled(t) // it has looked, and found nothing

	id := b.enqueue("a", nil)
	if j := receive(t, "the job", g.started); j.ID != id {
		t.Errorf("job %s started, want %s", j.ID, id)
	}
	close(g.letGo)
	clock.run(t)
	b.ended(id)
}

// A signal of a name that this process does not run is none of its business.
func TestSignalsOfOtherNamesAreNoReasonToLook(t *testing.T) {
	t.Parallel()
	var commands mongodb.CommandCounter
	b := newBench(t, commands.Monitor())
	clock := newStill()
	o := b.options(noop("a"))
	o.Clock = clock
	b.start(o)
	clock.settled(t)
	before := commands.Total()
	for range 20 {
		if err := b.hub.Publish(t.Context(), wake.Signal{Kind: wake.Due, Name: "b"}); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "the signals are heard", func() bool { return len(o.Subscriber.Signals()) == 0 })
	if n := commands.Total() - before; n != 0 {
		t.Errorf("%d commands because of another's jobs", n)
	}
}

// A worker tells the others when it begins to hold leases, so that they watch
// its heartbeat.
func TestBusyWorkerSaysSo(t *testing.T) {
	t.Parallel()
	b, g := newBench(t, nil), newGate()
	b.start(b.options(handler("a", g.run)))
	b.enqueue("a", nil)
	receive(t, "the start", g.started)
	eventually(t, "the fleet knows that it is busy", func() bool {
		instances, err := b.options().Registry.Instances(t.Context())
		return err == nil && len(instances) == 1 && instances[0].Busy() && instances[0].Names["a"] == 5
	})
	eventually(t, "it tells", func() bool { return slices.Contains(b.hub.published(), wake.Signal{Kind: wake.Busy}) })
	close(g.letGo)
}

// A job that is planned for a moment within the horizon starts then, and not
// at the next poll.
func TestPlannedJobStartsOnTime(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	got := make(chan time.Time, 1)
	o := b.options(handler("a", func(context.Context, noteJob) (any, error) { got <- time.Now(); return nil, nil }))
	o.PollInterval, o.IdleInterval = time.Hour, time.Hour
	b.start(o)
	due := time.Now().Add(1700 * time.Millisecond)
	b.enqueue("a", nil, queue.At(due))
	if at := receive(t, "the start", got); at.Before(due.Truncate(time.Millisecond)) {
		t.Errorf("it started %s too early", due.Sub(at))
	}
}

// looks records at which time of a clock the jobs were searched.
type looks struct {
	mu    sync.Mutex
	now   func() time.Time
	times []time.Time
}

func (l *looks) monitor() *event.CommandMonitor {
	return &event.CommandMonitor{Started: func(_ context.Context, e *event.CommandStartedEvent) {
		if e.CommandName != "find" || e.Command.Lookup("find").StringValue() != "agendaJobs" {
			return
		}
		if _, err := e.Command.LookupErr("filter", "nextRunAt"); err != nil {
			return // for locks past their lifetime
		}
		l.mu.Lock()
		defer l.mu.Unlock()
		l.times = append(l.times, l.now())
	}}
}

// forget drops all looks but the last.
func (l *looks) forget() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.times = l.times[max(len(l.times)-1, 0):]
}

// pauses are the times between looks, in seconds.
func (l *looks) pauses() []float64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	var out []float64
	for i := 1; i < len(l.times); i++ {
		out = append(out, l.times[i].Sub(l.times[i-1]).Seconds())
	}
	return out
}

// march moves a clock on in half seconds, and lets the runner act in between.
func (s still) march(t *testing.T, d time.Duration) {
	t.Helper()
	const step = 500 * time.Millisecond
	for ; d > 0; d -= step {
		s.settled(t)
		s.Advance(step)
	}
	s.settled(t)
}

// After work a worker looks again soon, and then less and less often: down to
// the poll interval without wake-ups, and to the idle interval with them.
func TestPollingAdapts(t *testing.T) {
	t.Parallel()
	for title, c := range map[string]struct {
		subscriber func(*bench) wake.Subscriber
		want       []float64
	}{
		"without Redis": {func(*bench) wake.Subscriber { return wake.Silent{} }, []float64{1, 2, 4, 5, 5, 5, 5}},
		"with Redis":    {func(b *bench) wake.Subscriber { return b.hub.subscribe() }, []float64{1, 2, 4, 8, 15, 15}},
	} {
		t.Run(title, func(t *testing.T) {
			t.Parallel()
			clock := newStill()
			seen := &looks{now: clock.Now}
			b := newBench(t, seen.monitor())
			o := b.options(noop("a"))
			o.Clock, o.Subscriber = clock, c.subscriber(b)
			b.start(o)
			clock.march(t, 50*time.Second)
			got := seen.pauses()
			if len(got) < len(c.want) || !slices.Equal(got[:len(c.want)], c.want) {
				t.Errorf("the pauses between looks are %v, want %v", got, c.want)
			}
		})
	}
}

// While jobs come that no wake-up announces, as from a Node process, the worker
// polls as if there were none; a minute after the last it is idle again.
func TestUnannouncedJobsMakeItPoll(t *testing.T) {
	t.Parallel()
	clock := newStill()
	seen := &looks{now: clock.Now}
	b := newBench(t, seen.monitor())
	o := b.options(noop("a"))
	o.Clock = clock
	b.start(o)
	clock.march(t, 20*time.Second) // it is idle
	id := func() bson.ObjectID {
		receipt, err := b.clientWith(wake.Silent{}).Enqueue(t.Context(), "a", nil)
		if err != nil {
			t.Fatal(err)
		}
		return receipt.Job.ID
	}()
	seen.forget()
	for range 200 {
		clock.march(t, 500*time.Millisecond)
		if b.isFinished(id) {
			break
		}
	}
	seen.forget()
	clock.march(t, 50*time.Second)
	for _, pause := range seen.pauses() {
		if pause > 7 { // the next one of an idle worker would be 8, and that of a poll is 5
			t.Errorf("a pause of %v s, %v in all: it relies on wake-ups that do not come", pause, seen.pauses())
		}
	}
	clock.march(t, 30*time.Second)
	seen.forget()
	clock.march(t, 61*time.Second)
	if got := seen.pauses(); len(got) == 0 || got[len(got)-1] != 15 {
		t.Errorf("later the pauses are %v, want 15 s", got)
	}
}

// A retry that is planned sooner than the next poll starts on time, and so
// does a job that is snoozed, after a second at least.
func TestRetryStartsOnTime(t *testing.T) {
	t.Parallel()
	for title, ending := range map[string]error{"retry": errBoom, "snooze": runner.Snooze(0)} {
		t.Run(title, func(t *testing.T) {
			t.Parallel()
			clock := newStill()
			seen := &looks{now: clock.Now}
			b := onDatabase(t, mongotest.Database(t, options.Client().SetMonitor(seen.monitor())), clock.Now)
			started, letGo := make(chan time.Time, 10), make(chan struct{})
			o := b.options(handler("a", func(_ context.Context, j noteJob) (any, error) {
				started <- clock.Now()
				if j.Attempt > 1 {
					return nil, nil
				}
				<-letGo
				return nil, ending
			}, func(d *catalog.Definition) { d.Retry.Delay = 1200 * time.Millisecond }))
			o.Clock = clock
			id := b.enqueue("a", nil)
			b.start(o)
			receive(t, "the first run", started)
			clock.march(t, 40*time.Second) // the polls have become rare
			for seen.forget(); len(seen.pauses()) == 0; {
				clock.march(t, 500*time.Millisecond)
			}
			ended := clock.Now()
			clock.run(t)
			close(letGo)
			second := receive(t, "the second run", started)
			if wait := second.Sub(ended); wait < time.Second || wait > 10*time.Second { // the next poll is later
				t.Errorf("the second run came %s after the first", wait)
			}
			b.outcomes(id, 2)
		})
	}
}

// An idle worker costs the database next to nothing.
func TestIdleWorkerSendsAtMostFifteenCommandsAMinute(t *testing.T) {
	t.Parallel()
	const minutes = 6
	clock := newStill()
	var commands mongodb.CommandCounter
	db := mongotest.Database(t, options.Client().SetMonitor(commands.Monitor()))
	b := onDatabase(t, db, clock.Now) // the server's clock is the same
	o := b.options(noop("a"), noop("b"))
	o.Clock = clock
	b.start(o)
	clock.march(t, time.Minute) // the start is not idle
	for minute := range minutes {
		commands.Reset()
		clock.march(t, time.Minute)
		// Fewer than ten means that it does not look, beat and watch at all.
		if n := commands.Total(); n > 15 || n < 10 {
			t.Errorf("minute %d: %d commands: %v", minute+1, n, commands.Counts())
		}
	}
}

// Settings count at once with a signal, and within half a minute without one.
func TestSettingsAreReadAgain(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	clock := newStill()
	g := newGate()
	close(g.letGo)
	o := b.options(handler("a", g.run))
	o.Clock, o.Subscriber = clock, nil
	b.start(o)
	clock.settled(t)
	silently := b.clientWith(wake.Silent{})
	if err := silently.ChangeSettings(t.Context(), job.Settings{Name: "a", Paused: true}); err != nil {
		t.Fatal(err)
	}
	clock.march(t, 35*time.Second) // it reads them
	id := b.enqueue("a", nil)
	clock.march(t, 10*time.Second)
	b.state(id, job.Queued)
	if err := silently.Resume(t.Context(), "a", "ann"); err != nil {
		t.Fatal(err)
	}
	clock.run(t)
	clock.Advance(35 * time.Second)
	if run := b.ended(id); run.Outcome != job.Succeeded {
		t.Errorf("the run is %s", run.Outcome)
	}
}
