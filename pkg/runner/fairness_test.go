package runner_test

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/etrainer/backend/pkg/catalog"
	"github.com/etrainer/backend/pkg/job"
	"github.com/etrainer/backend/pkg/queue"
	"github.com/etrainer/backend/pkg/wake"
)

func perName(n int) func(*catalog.Definition) {
	return func(d *catalog.Definition) { d.Concurrency = n }
}

// lasting is a handler whose runs take so long.
func lasting(d time.Duration, calls *atomic.Int64) func(context.Context, noteJob) (any, error) {
	return func(ctx context.Context, _ noteJob) (any, error) {
		calls.Add(1)
		select {
		case <-time.After(d): // the work
		case <-ctx.Done():
		}
		return nil, ctx.Err()
	}
}

// starts is a handler that tells when each run starts.
func starts(at chan<- time.Time) func(context.Context, noteJob) (any, error) {
	return func(context.Context, noteJob) (any, error) { at <- time.Now(); return nil, nil }
}

// Within a name the earlier due comes first; priority decides among those due
// at one time.
func TestOrderWithinAName(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	due := time.Now().Add(-time.Minute)
	for n, planned := range []struct {
		at       time.Time
		priority float64
	}{{due, job.PriorityLow}, {due, job.PriorityHighest}, {due, 2.5}, {due.Add(-time.Second), job.PriorityLowest}, {due.Add(time.Second), job.PriorityHighest}, {due, 0}} {
		b.enqueue("a", note{N: n}, queue.At(planned.at), queue.Priority(planned.priority))
	}
	got := make(chan int, 10)
	o := b.options(handler("a", func(_ context.Context, j noteJob) (any, error) { got <- j.Payload.N; return nil, nil }))
	o.Slots = 1
	b.start(o)
	var order []int
	for range 6 {
		order = append(order, receive(t, "a job", got))
	}
	if want := []int{3, 1, 2, 5, 0, 4}; !slices.Equal(order, want) {
		t.Errorf("they ran in the order %v, want %v", order, want)
	}
}

// Quick jobs of one name, of which hundreds are leased ahead, fill that name's
// slots alone: another name's job starts at once, with a wake-up or without.
func TestFloodOfQuickJobsHidesNoOtherName(t *testing.T) {
	t.Parallel()
	for title, publisher := range map[string]func(*bench) wake.Publisher{
		"with wake-ups":    func(b *bench) wake.Publisher { return b.hub },
		"without wake-ups": func(*bench) wake.Publisher { return wake.Silent{} },
	} {
		t.Run(title, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, nil)
			const flood = 500
			started := make(chan time.Time, 10)
			var ran atomic.Int64
			b.enqueueMany("a", flood)
			b.start(b.options(handler("a", lasting(50*time.Millisecond, &ran)), handler("b", starts(started))))
			eventually(t, "the flood is under way", func() bool { return ran.Load() > 20 })
			if _, err := b.clientWith(publisher(b)).Enqueue(t.Context(), "b", nil); err != nil {
				t.Fatal(err)
			}
			receive(t, "a start", started)
			// The benchmark measures how soon. With the flood in the way it is the last.
			if n := ran.Load(); n > flood/2 {
				t.Errorf("it started after %d of %d of the flood, beside 15 idle slots", n, flood)
			}
		})
	}
}

// A name that may not run more over all workers costs the others nothing,
// however much of it waits.
func TestNameAtItsLimitHidesNoOtherName(t *testing.T) {
	t.Parallel()
	b, g := newBench(t, nil), newGate()
	if err := b.client.ChangeSettings(t.Context(), job.Settings{Name: "a", Concurrency: 1}); err != nil {
		t.Fatal(err)
	}
	b.enqueueMany("a", 80)
	b.start(b.options(handler("a", g.run), noop("b")))
	receive(t, "the one run", g.started)
	for range 10 {
		b.ended(b.enqueue("b", nil))
	}
	if len(g.started) != 0 {
		t.Error("a second one ran")
	}
	close(g.letGo)
}

// When one name takes every slot, the next that comes free is another's, if
// that waits: with slow jobs, with quick ones that are leased ahead, and with
// one slot for all.
func TestNameThatTakesEverySlotShares(t *testing.T) {
	t.Parallel()
	for title, c := range map[string]struct {
		slots, flood, others int
		lasts                time.Duration
	}{
		"slow":              {4, 100, 3, 500 * time.Millisecond},
		"quick":             {4, 500, 1, 20 * time.Millisecond},
		"quick, one slot":   {1, 200, 1, 50 * time.Millisecond},
		"one slot for slow": {1, 50, 3, 1200 * time.Millisecond},
	} {
		t.Run(title, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, nil)
			var flood atomic.Int64
			started := make(chan time.Time, 10)
			b.enqueueMany("a", c.flood)
			o := b.options(handler("a", lasting(c.lasts, &flood), perName(c.slots)), handler("b", starts(started), perName(c.slots)))
			o.Slots = c.slots
			b.start(o)
			eventually(t, "the flood is under way", func() bool { return flood.Load() > int64(c.slots) })
			for range c.others {
				b.enqueue("b", nil)
				receive(t, "a start", started)
			}
			if n := flood.Load(); n > int64(c.flood*2/3) {
				t.Errorf("%d of %d of the flood ran before %d of another name", n, c.flood, c.others)
			}
		})
	}
}

// The same of what is leased ahead: the earlier jobs of one name do not take every
// slot.
func TestWhatIsLeasedAheadSharesTheSlots(t *testing.T) {
	t.Parallel()
	b, g := newBench(t, nil), newGate()
	var slow atomic.Bool
	run := func(ctx context.Context, j noteJob) (any, error) {
		if slow.Load() {
			return g.run(ctx, j)
		}
		return nil, nil
	}
	o := b.options(handler("a", run, perName(2)), handler("b", run, perName(2)))
	o.Slots = 2
	b.start(o)
	b.ended(b.enqueue("a", nil)) // both are quick, so that they are leased ahead
	b.ended(b.enqueue("b", nil))
	slow.Store(true)
	var requests []queue.Request
	for name, due := range map[string]time.Time{"a": time.Now().Add(-time.Minute), "b": time.Now().Add(-time.Second)} {
		for range 3 {
			requests = append(requests, queue.Request{Name: name, RunAt: due})
		}
	}
	if _, err := b.client.EnqueueMany(t.Context(), requests...); err != nil {
		t.Fatal(err)
	}
	first, second := receive(t, "the first start", g.started), receive(t, "the second start", g.started)
	if first.Name == second.Name {
		t.Errorf("two jobs of %s run, and none of the other name", first.Name)
	}
	close(g.letGo)
}

// A free slot goes to the name with the fewest running, and among equals to
// the higher priority.
func TestFreeSlotGoesToTheNameWithTheFewestRunning(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	var mu sync.Mutex
	var order []string
	g := newGate()
	run := func(ctx context.Context, j noteJob) (any, error) {
		mu.Lock()
		order = append(order, j.Name)
		mu.Unlock()
		return g.run(ctx, j)
	}
	o := b.options(handler("a", run, perName(3)), handler("b", run, perName(3)), handler("c", run, perName(3)))
	o.Slots = 4
	due := time.Now().Add(-time.Minute)
	for i := range 3 {
		b.enqueue("a", note{N: i}, queue.At(due))
		b.enqueue("b", note{N: i}, queue.At(due.Add(time.Second)), queue.Priority(job.PriorityLow))
		b.enqueue("c", note{N: i}, queue.At(due.Add(2*time.Second)), queue.Priority(job.PriorityHighest))
	}
	b.start(o)
	for range 4 {
		receive(t, "a start", g.started)
	}
	for range 5 { // one ends, and the name with the fewest gets its slot
		g.letGo <- struct{}{}
		receive(t, "a start", g.started)
	}
	close(g.letGo)
	mu.Lock()
	defer mu.Unlock()
	for _, name := range []string{"a", "b", "c"} {
		if i := slices.Index(order, name); i < 0 || i > 5 {
			t.Errorf("%s started as number %d of %v: it waited for a second turn of others", name, i+1, order)
		}
	}
}
