package runner_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jonboulle/clockwork"
	"github.com/prometheus/client_golang/prometheus"
	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/etrainer/backend/pkg/job"
	"github.com/etrainer/backend/pkg/queue"
	"github.com/etrainer/backend/pkg/runner"
)

var errAway = errors.New("connection refused")

// The database is away for a while: the outcomes that came meanwhile are stored
// when it is back, and no job runs again.
func TestOutcomesOutliveAnOutage(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	var away atomic.Bool
	var tries, calls atomic.Int64
	away.Store(true)
	o := b.options(handler("a", counted(&calls)))
	o.Store = &faulty{Consumer: b.store, beforeRecord: func(context.Context, []queue.Ending) error {
		if tries.Add(1); away.Load() {
			return errAway
		}
		return nil
	}}
	ids := b.enqueueMany("a", 40)
	r := b.start(o)
	eventually(t, "all have run, and were tried to store", func() bool { return calls.Load() == 40 && tries.Load() > 10 })
	for _, id := range ids {
		if b.isFinished(id) {
			t.Fatal("an outcome is stored though the database is away")
		}
	}
	away.Store(false)
	b.allFinished(ids)
	eventually(t, "nothing is held", func() bool { return r.InFlight() == 0 })
	if n := calls.Load(); n != 40 {
		t.Errorf("%d calls of the handler for 40 jobs", n)
	}
}

// An outage does not end in one command for each outcome.
func TestOutageCostsFewCommands(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	var away atomic.Bool
	var tries, calls, alone atomic.Int64
	away.Store(true)
	o := b.options(handler("a", counted(&calls)))
	o.Store = &faulty{Consumer: b.store, beforeRecord: func(_ context.Context, endings []queue.Ending) error {
		tries.Add(1)
		if away.Load() {
			return errAway
		}
		if len(endings) == 1 {
			alone.Add(1)
		}
		return nil
	}}
	ids := b.enqueueMany("a", 200)
	b.start(o)
	eventually(t, "all have run, and were tried to store", func() bool { return calls.Load() == 200 && tries.Load() > 10 })
	away.Store(false)
	b.allFinished(ids)
	if n := alone.Load(); n > 10 {
		t.Errorf("%d of 200 outcomes were stored alone", n)
	}
}

// An outcome with which every command fails holds back itself alone: neither
// those of its batch nor the jobs after it. When the database takes it at last,
// it is stored.
func TestPoisonousOutcomeHoldsBackItselfAlone(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	poison := b.enqueueMany("a", 3)
	ids := b.enqueueMany("b", 100)
	var cured atomic.Bool
	o := b.options(noop("a"), noop("b"))
	o.Store = &faulty{Consumer: b.store, beforeRecord: func(_ context.Context, endings []queue.Ending) error {
		for _, id := range poison {
			if about(endings, id) && !cured.Load() {
				return errAway
			}
		}
		return nil
	}}
	r := b.start(o)
	b.allFinished(ids)
	b.allFinished(b.enqueueMany("b", 20))
	eventually(t, "only those that cannot be stored are held", func() bool { return r.InFlight() == len(poison) })
	cured.Store(true)
	b.allFinished(poison)
}

// One that is not taken although the database takes all else, its lease
// included, is given up in the end, loudly: the job runs again.
func TestOutcomeThatIsNeverTakenIsGivenUp(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	id := b.enqueueMany("a", 1)[0]
	registry, log := prometheus.NewRegistry(), &lockedBuffer{}
	o := b.options(noop("a"))
	o.Clock = hurried{clockwork.NewRealClock(), time.Now()} // the twenty seconds pass soon
	o.Log, o.Metrics = slog.New(slog.NewTextHandler(log, nil)), runner.NewMetrics(registry)
	o.Store = &faulty{Consumer: b.store, beforeRecord: func(context.Context, []queue.Ending) error { return errAway }}
	r := b.start(o)
	eventually(t, "it is given up", func() bool {
		return metric(t, registry, "etrainer_worker_refused_outcomes_total") == 1 && r.InFlight() == 0
	})
	if text := log.String(); !strings.Contains(text, "the database does not store an outcome") || !strings.Contains(text, id.Hex()) {
		t.Errorf("the log does not tell which: %s", text)
	}
	if document := b.get(id); document.LockedAt.IsZero() {
		t.Error("the lock is gone: who wrote that?")
	}
}

// refusing is a store that refuses the outcome of one job for itself.
type refusing struct {
	queue.Consumer
	id bson.ObjectID
}

func (s refusing) Record(ctx context.Context, endings []queue.Ending) ([]error, error) {
	var others []queue.Ending
	for _, e := range endings {
		if e.Lease.Job.ID != s.id {
			others = append(others, e)
		}
	}
	answers, err := s.Consumer.Record(ctx, others)
	results := make([]error, len(endings))
	for i, e := range endings {
		if e.Lease.Job.ID == s.id {
			results[i] = queue.ErrRefused
		} else if len(answers) > 0 {
			results[i], answers = answers[0], answers[1:]
		}
	}
	return results, err
}

func TestRefusedOutcomeIsLetGo(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	ids := b.enqueueMany("a", 5)
	registry, log := prometheus.NewRegistry(), &lockedBuffer{}
	o := b.options(noop("a"))
	o.Log, o.Metrics = slog.New(slog.NewTextHandler(log, nil)), runner.NewMetrics(registry)
	o.Store = refusing{b.store, ids[2]}
	r := b.start(o)
	b.allFinished([]bson.ObjectID{ids[0], ids[1], ids[3], ids[4]})
	eventually(t, "nothing is held", func() bool { return r.InFlight() == 0 })
	if n := metric(t, registry, "etrainer_worker_refused_outcomes_total"); n != 1 || !strings.Contains(log.String(), ids[2].Hex()) {
		t.Errorf("%v are counted as refused, want 1; the log is %s", n, log)
	}
	if n := metric(t, registry, "etrainer_worker_runs_total"); n != 4 {
		t.Errorf("%v runs are counted, want 4: the refused one is not over", n)
	}
}

// While outcomes cannot be stored, leasing ends.
func TestUnrecordedOutcomesAreBounded(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	letGo := make(chan struct{})
	var calls atomic.Int64
	registry := prometheus.NewRegistry()
	o := b.options(handler("a", counted(&calls)))
	o.Held, o.Batch, o.Metrics = 30, 20, runner.NewMetrics(registry)
	o.Store = &faulty{Consumer: b.store, beforeRecord: func(ctx context.Context, _ []queue.Ending) error { return until(ctx, letGo) }}
	ids := b.enqueueMany("a", 120)
	b.start(o)
	eventually(t, "the bound is met", func() bool { return metric(t, registry, "etrainer_worker_unrecorded_outcomes") >= 30 })
	signals := time.NewTicker(50 * time.Millisecond)
	defer signals.Stop()
	for range 40 { // reasons to look
		<-signals.C
		if err := b.hub.Publish(t.Context(), dueSignal); err != nil {
			t.Fatal(err)
		}
	}
	if n := calls.Load(); n != 30 {
		t.Errorf("%d have run whose outcome is not stored, want 30", n)
	}
	close(letGo)
	b.allFinished(ids)
}

// What is held is bounded in bytes as well, and a name with large documents
// leaves the others room.
func TestBytesThatAreHeldAreBounded(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	const bound, size, jobs = 1 << 20, 100 << 10, 40
	data, err := job.ToData(map[string]any{"n": 1, "filling": strings.Repeat("x", size)})
	if err != nil {
		t.Fatal(err)
	}
	requests := make([]queue.Request, jobs)
	for i := range requests {
		requests[i] = queue.Request{Name: "a", Data: data}
	}
	if _, err := b.client.EnqueueMany(t.Context(), requests...); err != nil {
		t.Fatal(err)
	}
	g := newGate()
	o := b.options(handler("a", g.run, perName(40)), noop("b"))
	o.Slots, o.Bytes = 60, bound
	r := b.start(o)
	for range bound / size {
		receive(t, "a start", g.started)
	}
	for range 3 {
		b.ended(b.enqueue("b", nil)) // there is room for this one
	}
	if n := r.InFlight(); n > bound/size+3 {
		t.Errorf("%d documents of 100 KB are held, and the bound is 1 MB", n)
	}
	close(g.letGo)
	eventually(t, "all have run", func() bool { return len(g.started) == jobs-bound/size && r.InFlight() == 0 })
}

// Renewing and recording exclude each other: a record must not carry a stamp
// that is being replaced, and what is recorded must not be taken for lost.
func TestRecordAndRenewExcludeEachOther(t *testing.T) {
	t.Parallel()
	b, g := newBench(t, nil), newGate()
	var mu sync.Mutex
	recording := map[bson.ObjectID]bool{}
	var renewals atomic.Int64
	o := b.options(noop("a", perName(10)), handler("b", g.run))
	o.Clock = hurried{clockwork.NewRealClock(), time.Now()} // leases are renewed with each beat
	o.Beats = runner.Beats{Interval: 1000 * time.Hour}      // by the hurried clock no heartbeat arrives in time
	o.Store = &faulty{
		Consumer: b.store,
		beforeRecord: func(_ context.Context, endings []queue.Ending) error {
			mu.Lock()
			for _, e := range endings {
				recording[e.Lease.Job.ID] = true
			}
			mu.Unlock()
			time.Sleep(1500 * time.Millisecond) // longer than a beat: the database is slow
			return nil
		},
		beforeRenew: func(leases []*queue.Lease) {
			renewals.Add(1)
			mu.Lock()
			defer mu.Unlock()
			for _, lease := range leases {
				if recording[lease.Job.ID] {
					t.Errorf("%s is renewed while its outcome is recorded", lease.Job.ID.Hex())
				}
			}
		},
	}
	ids := b.enqueueMany("a", 10)
	b.enqueue("b", nil) // there is always something to renew
	b.start(o)
	b.allFinished(ids)
	close(g.letGo)
	if renewals.Load() == 0 {
		t.Error("nothing was renewed meanwhile")
	}
	for _, id := range ids {
		if run := b.ended(id); run.Outcome != job.Succeeded {
			t.Errorf("a run is %s", run.Outcome)
		}
	}
}

// The same the other way round: an outcome that comes during a renewal waits for
// its end, and carries the stamp that it wrote.
func TestOutcomesWaitForARenewal(t *testing.T) {
	t.Parallel()
	b, g := newBench(t, nil), newGate()
	var renewing atomic.Bool
	var first sync.Once
	o := b.options(handler("a", g.run))
	o.Clock = hurried{clockwork.NewRealClock(), time.Now()} // leases are renewed with each beat
	o.Beats = runner.Beats{Interval: 1000 * time.Hour}      // by the hurried clock no heartbeat arrives in time
	o.Store = &faulty{
		Consumer: b.store,
		beforeRenew: func([]*queue.Lease) {
			renewing.Store(true)
			first.Do(func() { close(g.letGo) })
			time.Sleep(time.Second) // the database is slow, and the run ends meanwhile
			renewing.Store(false)
		},
		beforeRecord: func(context.Context, []queue.Ending) error {
			if renewing.Load() {
				t.Error("an outcome is recorded while its lease is renewed")
			}
			return nil
		},
	}
	id := b.enqueue("a", nil)
	b.start(o)
	if run := b.ended(id); run.Outcome != job.Succeeded {
		t.Errorf("the run is %s", run.Outcome)
	}
}

// Stop ends within its grace though nothing can be stored, and says so; the
// jobs run elsewhere.
func TestStopWithoutADatabaseEndsInTime(t *testing.T) {
	t.Parallel()
	for title, fault := range map[string]func(context.Context, []queue.Ending) error{
		"refused": func(context.Context, []queue.Ending) error { return errAway },
		"mute":    func(ctx context.Context, _ []queue.Ending) error { <-ctx.Done(); return ctx.Err() },
	} {
		t.Run(title, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, nil)
			var calls atomic.Int64
			ids := b.enqueueMany("a", 5)
			o := b.options(handler("a", counted(&calls)))
			o.Store = &faulty{Consumer: b.store, beforeRecord: fault}
			r := runner.New(o)
			if err := r.Start(t.Context()); err != nil {
				t.Fatal(err)
			}
			eventually(t, "all have run", func() bool { return calls.Load() == 5 })
			const grace = 3 * time.Second
			began := time.Now()
			err := stopWithin(r, grace)
			if err == nil || !strings.Contains(err.Error(), "5 outcomes were not recorded in time; their jobs will run again") {
				t.Errorf("Stop: %v", err)
			}
			if took := time.Since(began); took > grace+time.Second {
				t.Errorf("Stop took %s of %s", took, grace)
			}
			b.start(b.options(noop("a")))
			b.allFinished(ids)
		})
	}
}

// One outcome that is not taken does not keep a stop waiting.
func TestStopGivesUpWhatIsNotTaken(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	ids := b.enqueueMany("a", 20)
	o := b.options(noop("a"))
	o.Store = &faulty{Consumer: b.store, beforeRecord: func(_ context.Context, endings []queue.Ending) error {
		if about(endings, ids[7]) {
			return errAway
		}
		return nil
	}}
	r := runner.New(o)
	if err := r.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	eventually(t, "only one is left", func() bool { return b.isFinished(ids[19]) && r.InFlight() == 1 })
	b.allFinished(b.enqueueMany("a", 1)) // the database is there
	began := time.Now()
	err := stopWithin(r, patience)
	if err == nil || !strings.Contains(err.Error(), "1 outcomes were not recorded, because the database refuses them") {
		t.Errorf("Stop: %v", err)
	}
	if took := time.Since(began); took > patience/3 {
		t.Errorf("Stop took %s", took)
	}
}
