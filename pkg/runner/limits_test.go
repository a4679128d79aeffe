package runner_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jonboulle/clockwork"

	"github.com/etrainer/backend/pkg/catalog"
	"github.com/etrainer/backend/pkg/job"
	"github.com/etrainer/backend/pkg/mongodb"
	"github.com/etrainer/backend/pkg/queue"
	"github.com/etrainer/backend/pkg/runner"
)

// gauge counts how many handlers run at once.
type gauge struct {
	mu        sync.Mutex
	now, most int
	total     int
}

func (g *gauge) run(context.Context, noteJob) (any, error) {
	g.mu.Lock()
	g.now++
	g.total++
	g.most = max(g.most, g.now)
	g.mu.Unlock()
	time.Sleep(5 * time.Millisecond) // the work
	g.mu.Lock()
	g.now--
	g.mu.Unlock()
	return nil, nil
}

func (g *gauge) done() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.total - g.now
}

func TestLimitOfAName(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	var a, c gauge
	o := b.options(
		handler("a", a.run, func(d *catalog.Definition) { d.Concurrency = 3 }),
		handler("c", c.run), // as many as the process allows for one name
	)
	o.PerName = 7
	b.enqueueMany("a", 60)
	b.enqueueMany("c", 60)
	b.start(o)
	eventually(t, "all have run", func() bool { return a.done() == 60 && c.done() == 60 })
	if a.most != 3 || c.most != 7 {
		t.Errorf("%d of a and %d of c ran at once, want 3 and 7", a.most, c.most)
	}
}

func TestLimitOfTheProcess(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	var all gauge
	o := b.options(handler("a", all.run), handler("c", all.run))
	o.Slots, o.PerName = 4, 100
	b.enqueueMany("a", 40)
	b.enqueueMany("c", 40)
	b.start(o)
	eventually(t, "all have run", func() bool { return all.done() == 80 })
	if all.most != 4 {
		t.Errorf("%d ran at once, want 4", all.most)
	}
}

// hurried is a clock of which a thousand seconds pass in one, for handlers that
// seem to take long. Its timers are those of the real one.
type hurried struct {
	clockwork.Clock
	began time.Time
}

func (c hurried) Now() time.Time { return c.began.Add(1000 * time.Since(c.began)) }

// What one process locks no other can run: with slow jobs it takes no more
// than it can start.
func TestSlowJobsAreNotHoarded(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	g := newGate()
	o := b.options(handler("a", g.run, func(d *catalog.Definition) { d.Concurrency = 3 }), handler("b", g.run, func(d *catalog.Definition) { d.Concurrency = 4 }))
	o.Slots, o.Clock = 5, hurried{clockwork.NewRealClock(), time.Now()}
	o.Beats = runner.Beats{Interval: 1000 * time.Hour} // by the hurried clock no heartbeat arrives in time
	b.enqueueMany("a", 30)
	b.enqueueMany("b", 30)
	r := b.start(o)
	for range 5 {
		receive(t, "a start", g.started)
	}
	if held := r.InFlight(); held != 5 {
		t.Errorf("%d leases are held, want 5", held)
	}
	page, err := b.store.List(t.Context(), queue.Filter{States: []job.State{job.Running}, Limit: 100})
	if err != nil || len(page.Jobs) != 5 {
		t.Errorf("%d jobs are locked in the database (%v), want 5", len(page.Jobs), err)
	}
	for range 15 { // one ends, and one more is taken
		g.letGo <- struct{}{}
		receive(t, "a start", g.started)
		// What ended is held until its outcome is stored; what waits behind full
		// slots would stay.
		eventually(t, "five leases are held", func() bool { return r.InFlight() == 5 })
	}
	close(g.letGo)
}

// Quick jobs are leased ahead, within bounds.
func TestQuickJobsAreLeasedAhead(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	b.enqueueMany("a", 1500)
	var most atomic.Int64
	var done atomic.Int64
	inFlight := func() int { return 0 }
	ready := make(chan struct{})
	o := b.options(handler("a", func(context.Context, noteJob) (any, error) {
		<-ready
		if held := int64(inFlight()); held > most.Load() {
			most.Store(held)
		}
		done.Add(1)
		return nil, nil
	}))
	r := b.start(o)
	inFlight = r.InFlight
	close(ready)
	eventually(t, "all have run", func() bool { return done.Load() == 1500 })
	if got := most.Load(); got <= 5 || got > 2*1000 {
		t.Errorf("at most %d leases were held at once; want more than the 5 slots, and a bound", got)
	}
}

func TestLimitOverAllWorkers(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	if err := b.client.ChangeSettings(t.Context(), job.Settings{Name: "a", Concurrency: 3}); err != nil {
		t.Fatal(err)
	}
	b.enqueueMany("a", 50)
	var g gauge
	for range 2 {
		b.start(b.options(handler("a", g.run)))
	}
	eventually(t, "all have run", func() bool { return g.done() == 50 })
	if g.most != 3 {
		t.Errorf("%d ran at once in two workers, want 3", g.most)
	}
}

// Jobs over their limit are due, and cannot be had: asking again and again
// would be a load without an end.
func TestJobsOverTheirLimitAreNotHammered(t *testing.T) {
	t.Parallel()
	var commands mongodb.CommandCounter
	b := newBench(t, commands.Monitor())
	if err := b.client.ChangeSettings(t.Context(), job.Settings{Name: "a", Concurrency: 1}); err != nil {
		t.Fatal(err)
	}
	g := newGate()
	b.enqueueMany("a", 30)
	b.start(b.options(handler("a", g.run)))
	b.start(b.options(handler("a", g.run)))
	receive(t, "the one run", g.started)
	eventually(t, "both workers have seen that there is no place", func() bool { return commands.Counts()["update"] >= 4 })
	commands.Reset()
	const while = 3 * time.Second
	time.Sleep(while) // the load of a while is what is measured
	if n := commands.Total(); n > 80 {
		t.Errorf("%d commands in %s while every place was taken", n, while)
	}
	// Each end makes room, and it is used at once, not at the next poll.
	began := time.Now()
	for range 29 {
		g.letGo <- struct{}{}
		receive(t, "the next run", g.started)
	}
	close(g.letGo)
	if took := time.Since(began); took > 25*time.Second {
		t.Errorf("29 runs, one after the other, took %s: each waited for a poll", took)
	}
}

// pollless is a clock on which polls never come: what happens has another
// cause. Polls are the timers of whole seconds; heartbeats, and the pauses
// after failures, are not.
type pollless struct{ clockwork.Clock }

func (c pollless) NewTimer(d time.Duration) clockwork.Timer {
	if d >= time.Second && d%time.Second == 0 {
		d = time.Hour
	}
	return c.Clock.NewTimer(d)
}

// With room for all that is due but for the limit, the end of each run is
// what starts the next.
func TestEndOfALimitedRunStartsTheNext(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	if err := b.client.ChangeSettings(t.Context(), job.Settings{Name: "a", Concurrency: 1}); err != nil {
		t.Fatal(err)
	}
	ids := b.enqueueMany("a", 4)
	o := b.options(noop("a"))
	o.Clock = pollless{clockwork.NewRealClock()}
	b.start(o)
	for _, id := range ids {
		b.ended(id)
	}
}

// slower is a store that loses the race for what is due, a few times.
type slower struct {
	queue.Consumer
	losses atomic.Int64
}

func (s *slower) Lease(ctx context.Context, request queue.LeaseRequest) (queue.Batch, error) {
	if s.losses.Add(-1) >= 0 {
		return queue.Batch{More: true}, nil
	}
	return s.Consumer.Lease(ctx, request)
}

// A worker that lost a race tries again soon: there may be more.
func TestLostRaceIsRunAgain(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	id := b.enqueueMany("a", 1)[0]
	o := b.options(noop("a"))
	store := &slower{Consumer: b.store}
	store.losses.Store(3)
	o.Store, o.Clock = store, pollless{clockwork.NewRealClock()}
	b.start(o)
	b.ended(id)
}

func TestPauseAndResume(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	got := make(chan noteJob, 10)
	b.start(b.options(
		handler("a", func(_ context.Context, j noteJob) (any, error) { got <- j; return nil, nil }),
		noop("b"),
	))
	b.ended(b.enqueue("a", nil))
	receive(t, "the first job", got)

	if err := b.client.Pause(t.Context(), "a", "ann"); err != nil {
		t.Fatal(err)
	}
	paused := b.enqueue("a", nil)
	for range 3 { // the worker looks, and finds other work
		b.ended(b.enqueue("b", nil))
	}
	if len(got) != 0 {
		t.Error("a job of a paused name ran")
	}
	b.state(paused, job.Queued)

	if err := b.client.Resume(t.Context(), "a", "ann"); err != nil {
		t.Fatal(err)
	}
	if j := receive(t, "the paused job", got); j.ID != paused {
		t.Errorf("job %s ran, want %s", j.ID, paused)
	}
}

// timers counts the timers that are made of a clock: each is a turn of a loop.
type timers struct {
	clockwork.Clock
	count atomic.Int64
}

func (c *timers) NewTimer(d time.Duration) clockwork.Timer {
	c.count.Add(1)
	return c.Clock.NewTimer(d)
}

// A job that falls due while it cannot be leased (no slot is free, or its
// name is paused) must not make the fetcher spin.
func TestFetcherDoesNotSpin(t *testing.T) {
	t.Parallel()
	for title, prepare := range map[string]func(b *bench, g *gate){
		"no slot is free": func(b *bench, g *gate) {
			b.enqueue("a", nil)
			receive(b.t, "a start", g.started)
		},
		"the name is paused": func(b *bench, _ *gate) {
			if err := b.client.Pause(b.t.Context(), "a", "ann"); err != nil {
				b.t.Fatal(err)
			}
		},
	} {
		t.Run(title, func(t *testing.T) {
			t.Parallel()
			b, g := newBench(t, nil), newGate()
			clock := &timers{Clock: clockwork.NewRealClock()}
			o := b.options(handler("a", g.run))
			o.Slots, o.Clock = 1, clock
			b.start(o)
			b.enqueue("a", nil, queue.In(1500*time.Millisecond)) // the worker learns of it, and waits
			prepare(b, g)
			before := clock.count.Load()
			const while = 3 * time.Second
			time.Sleep(while) // the turns of a while are what is measured
			if n := clock.count.Load() - before; n > 100 {
				t.Errorf("%d turns in %s", n, while)
			}
			close(g.letGo)
		})
	}
}
