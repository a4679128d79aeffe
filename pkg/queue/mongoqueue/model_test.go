package mongoqueue_test

import (
	"errors"
	"flag"
	"slices"
	"testing"
	"time"

	"github.com/jonboulle/clockwork"
	"go.mongodb.org/mongo-driver/v2/bson"
	"pgregory.net/rapid"

	"github.com/etrainer/backend/pkg/job"
	"github.com/etrainer/backend/pkg/mongodb/mongotest"
	"github.com/etrainer/backend/pkg/queue"
	"github.com/etrainer/backend/pkg/queue/mongoqueue"
	"github.com/etrainer/backend/pkg/schedule"
)

// modelJob is what a job must be, after the operations so far.
type modelJob struct {
	id        bson.ObjectID
	name      string
	recurring bool
	planned   time.Time // zero = no plan
	cancelled bool      // for good
	held      *modelLease
	resume    *job.Resume // what the run planned for resume.At continues
}

// modelLease is a lease that some holder believes to have.
type modelLease struct {
	lease     *queue.Lease
	of        *modelJob
	cancelMet bool
}

func (l *modelLease) valid() bool { return l.of.held == l }

// model is a store, and what must be in it.
type model struct {
	store  *mongoqueue.Store
	clock  *clockwork.FakeClock
	jobs   []*modelJob
	unique map[int]*modelJob
	leases []*modelLease
}

const modelLimit = 2 // of name c, over all workers

func newModel(t *testing.T, rt *rapid.T) *model {
	m := &model{clock: clockwork.NewFakeClockAt(time.Date(2024, 1, 17, 10, 20, 30, 0, time.UTC)), unique: map[int]*modelJob{}}
	m.store = mongoqueue.New(mongotest.Database(t), mongoqueue.Options{Now: m.clock.Now})
	if err := m.store.ChangeSettings(t.Context(), job.Settings{Name: "c", Concurrency: modelLimit}); err != nil {
		rt.Fatal(err)
	}
	if _, err := m.store.Arm(t.Context(), queue.Recurring{Name: "r", Repeat: schedule.Spec{Interval: "*/5 * * * *"}}); err != nil {
		rt.Fatal(err)
	}
	recurring, err := m.store.Singles(t.Context(), "r")
	if err != nil || len(recurring) != 1 {
		rt.Fatal(len(recurring), err)
	}
	m.jobs = append(m.jobs, &modelJob{id: recurring["r"].ID, name: "r", recurring: true, planned: recurring["r"].NextRunAt})
	return m
}

func (m *model) pick(rt *rapid.T) *modelJob {
	return rapid.SampledFrom(m.jobs).Draw(rt, "job")
}

func (m *model) enqueue(t *testing.T, rt *rapid.T) {
	name := rapid.SampledFrom([]string{"a", "b", "c"}).Draw(rt, "name")
	at := m.store.Now().Add(time.Duration(rapid.IntRange(-120, 120).Draw(rt, "seconds")) * time.Second)
	receipts, err := m.store.Enqueue(t.Context(), queue.Request{Name: name, RunAt: at})
	if err != nil {
		rt.Fatal(err)
	}
	m.jobs = append(m.jobs, &modelJob{id: receipts[0].Job.ID, name: name, planned: at})
}

func (m *model) enqueueUnique(t *testing.T, rt *rapid.T) {
	user := rapid.IntRange(1, 2).Draw(rt, "user")
	at := m.store.Now().Add(time.Duration(rapid.IntRange(-60, 60).Draw(rt, "seconds")) * time.Second)
	receipts, err := m.store.Enqueue(t.Context(), queue.Request{
		Name: "u", RunAt: at, Data: raw(map[string]any{"user": user}), Unique: &queue.Unique{By: map[string]any{"user": user}},
	})
	if err != nil {
		rt.Fatal(err)
	}
	known := m.unique[user]
	if receipts[0].Created != (known == nil) {
		rt.Fatalf("created is %t", receipts[0].Created)
	}
	if known == nil {
		known = &modelJob{id: receipts[0].Job.ID, name: "u"}
		m.unique[user] = known
		m.jobs = append(m.jobs, known)
	}
	known.planned = at
	if known.held == nil {
		known.cancelled = false
	}
}

func (m *model) cancel(t *testing.T, rt *rapid.T) {
	j := m.pick(rt)
	_, err := m.store.Cancel(t.Context(), j.id, "ann")
	switch {
	case j.held != nil:
		j.held.cancelMet = true
	case j.recurring || j.planned.IsZero():
		if !errors.Is(err, queue.ErrConflict) {
			rt.Fatalf("cancel: %v, want a conflict", err)
		}
		return
	default:
		j.planned, j.cancelled, j.resume = time.Time{}, true, nil
	}
	if err != nil {
		rt.Fatal(err)
	}
}

func (m *model) retry(t *testing.T, rt *rapid.T) {
	j := m.pick(rt)
	_, err := m.store.Retry(t.Context(), j.id, "ann")
	if j.held != nil {
		if !errors.Is(err, queue.ErrConflict) {
			rt.Fatalf("retry of a job that runs: %v, want a conflict", err)
		}
		return
	}
	if err != nil {
		rt.Fatal(err)
	}
	j.planned, j.cancelled, j.resume = m.store.Now(), false, nil
}

// lease takes all that is due, and compares it with what must be.
func (m *model) lease(t *testing.T, rt *rapid.T) {
	m.leaseHalf(t, rt, false)
}

// leaseExpired lets every lock expire that nobody renews, and takes those.
func (m *model) leaseExpired(t *testing.T, rt *rapid.T) {
	m.clock.Advance(queue.DefaultLockLifetime + time.Second)
	m.leaseHalf(t, rt, true)
}

func (m *model) leaseHalf(t *testing.T, rt *rapid.T, expired bool) {
	holder := rapid.SampledFrom([]string{"worker@1", "worker@2"}).Draw(rt, "holder")
	names := map[string]queue.NameRequest{"a": {Free: 50}, "b": {Free: 50, Ahead: 20}, "c": {Free: 50, Limit: modelLimit}, "r": {Free: 5}, "u": {Free: 5}}
	now := m.store.Now()
	batch, err := m.store.Lease(t.Context(), queue.LeaseRequest{Holder: holder, Total: 100, Names: names, Expired: expired})
	if err != nil {
		rt.Fatal(err)
	}
	got := map[bson.ObjectID]*queue.Lease{}
	for _, lease := range batch.Leases {
		got[lease.Job.ID] = lease
	}
	places := 0
	for _, j := range m.jobs {
		if j.name == "c" && j.held != nil {
			places++
		}
	}
	for _, j := range m.jobs {
		lease, leased := got[j.id], got[j.id] != nil
		may := j.held == nil && !j.planned.IsZero() && !j.planned.After(now)
		if expired {
			may = j.held != nil && !now.Before(j.held.lease.Stamp.Add(queue.DefaultLockLifetime))
		}
		if leased && !may || !leased && may && j.name != "c" {
			rt.Fatalf("job %s (%s): leased %t, want %t", j.id.Hex(), j.name, leased, may)
		}
		if leased {
			m.leased(rt, j, lease, now, expired)
		}
	}
	if total := len(slices.DeleteFunc(slices.Clone(m.jobs), func(j *modelJob) bool { return j.name != "c" || j.held == nil })); total > modelLimit {
		rt.Fatalf("%d jobs of c are held, %d before; the limit is %d", total, places, modelLimit)
	}
}

func (m *model) leased(rt *rapid.T, j *modelJob, lease *queue.Lease, now time.Time, expired bool) {
	want := job.Resume{Tick: j.planned}
	if j.resume != nil && j.resume.At.Equal(j.planned) {
		want = *j.resume
	}
	cancelled := false
	if expired {
		before := j.held.lease
		want = job.Resume{Tick: before.Tick, Attempt: before.Attempt, Failures: before.Failures, Lost: before.Lost}
		if !before.Ahead {
			want.Failures++
			want.Lost++
		}
		cancelled = j.held.cancelMet
	}
	if !lease.Tick.Equal(want.Tick) || lease.Attempt != want.Attempt+1 || lease.Failures != want.Failures || lease.Lost != want.Lost || lease.Cancelled != cancelled {
		rt.Fatalf("job %s (%s): tick %s attempt %d failures %d lost %d cancelled %t, want %s %d %d %d %t", j.id.Hex(), j.name,
			lease.Tick, lease.Attempt, lease.Failures, lease.Lost, lease.Cancelled, want.Tick, want.Attempt+1, want.Failures, want.Lost, cancelled)
	}
	j.held = &modelLease{lease: lease, of: j, cancelMet: cancelled}
	m.leases = append(m.leases, j.held)
	switch {
	case j.recurring && !cancelled:
		if !lease.NextRunAt.After(now) {
			rt.Fatalf("the next tick is %s, at %s", lease.NextRunAt, now)
		}
		j.planned = lease.NextRunAt
	case !expired:
		j.planned, j.cancelled = time.Time{}, false
	}
}

func (m *model) renew(t *testing.T, rt *rapid.T) {
	for _, holder := range []string{"worker@1", "worker@2"} {
		var leases []*queue.Lease
		var gone []*queue.Lease
		for _, l := range m.leases {
			if l.lease.Holder == holder {
				leases = append(leases, l.lease)
				if !l.valid() {
					gone = append(gone, l.lease)
				}
			}
		}
		lost, err := m.store.Renew(t.Context(), leases)
		if err != nil {
			rt.Fatal(err)
		}
		if len(lost) != len(gone) {
			rt.Fatalf("%d leases of %s are lost, want %d", len(lost), holder, len(gone))
		}
	}
}

// record ends a few leases, valid ones and lost ones together.
func (m *model) record(t *testing.T, rt *rapid.T) {
	if len(m.leases) == 0 {
		rt.Skip("nothing is leased")
	}
	var endings []queue.Ending
	var chosen []*modelLease
	for range rapid.IntRange(1, 4).Draw(rt, "endings") {
		l := rapid.SampledFrom(m.leases).Draw(rt, "lease")
		if slices.Contains(chosen, l) {
			continue
		}
		outcome := rapid.SampledFrom([]job.Outcome{job.Succeeded, job.Retrying, job.Dead, job.Snoozed, job.Released, job.Cancelled}).Draw(rt, "outcome")
		ending := queue.Ending{Lease: l.lease, Outcome: outcome, Error: "x"}
		if outcome == job.Retrying || outcome == job.Snoozed {
			ending.RunAgainAt = m.store.Now().Add(time.Duration(rapid.IntRange(1, 90).Draw(rt, "again")) * time.Second)
		}
		chosen, endings = append(chosen, l), append(endings, ending)
	}
	asked := slices.Clone(endings)
	results, err := m.store.Record(t.Context(), endings)
	if err != nil {
		rt.Fatal(err)
	}
	if dropped, err := m.store.RecordRuns(t.Context(), endings); err != nil || dropped > 0 {
		rt.Fatal(dropped, err)
	}
	for i, l := range chosen {
		if valid := l.valid(); valid && results[i] != nil || !valid && !errors.Is(results[i], queue.ErrLeaseLost) {
			rt.Fatalf("record %s of a lease that is valid %t: %v", asked[i].Outcome, valid, results[i])
		}
		if l.valid() {
			m.ended(t, rt, l, asked[i])
		}
		m.leases = slices.DeleteFunc(m.leases, func(each *modelLease) bool { return each == l })
	}
}

func (m *model) ended(t *testing.T, rt *rapid.T, l *modelLease, ending queue.Ending) {
	j, lease := l.of, l.lease
	j.held, j.resume = nil, nil
	again := ending.Outcome == job.Retrying || ending.Outcome == job.Snoozed || ending.Outcome == job.Released
	replanned := !j.recurring && !j.planned.IsZero()
	if again && l.cancelMet {
		again, ending.Outcome = false, job.Cancelled
	}
	if ending.Outcome == job.Cancelled && l.cancelMet && !j.recurring && !replanned {
		j.cancelled = true
	}
	if again && !replanned {
		at := ending.RunAgainAt
		if ending.Outcome == job.Released {
			at = lease.Due
		}
		j.planned = at
		j.resume = &job.Resume{At: at, Tick: lease.Tick, Attempt: lease.Attempt, Failures: lease.Failures, Lost: lease.Lost}
		if ending.Outcome == job.Retrying {
			j.resume.Failures++
		}
	}
	if j.recurring && !again { // the ticks that passed are dropped
		document, err := m.store.Get(t.Context(), j.id)
		passed := !document.NextRunAt.After(m.store.Now())
		if err != nil || document.NextRunAt.Before(j.planned) || passed && !lease.Cancelled {
			rt.Fatalf("after a run the next tick is %s, %v", document.NextRunAt, err)
		}
		j.planned = document.NextRunAt
	}
}

// crash ends the life of a worker, and peers rescue what it held.
func (m *model) crash(t *testing.T, rt *rapid.T) {
	holder := rapid.SampledFrom([]string{"worker@1", "worker@2"}).Draw(rt, "holder")
	if _, err := m.store.Rescue(t.Context(), queue.RescueRequest{Instance: holder}); err != nil {
		rt.Fatal(err)
	}
	for _, j := range m.jobs {
		if j.held == nil || j.held.lease.Holder != holder {
			continue
		}
		l := j.held
		j.held = nil
		switch {
		case l.cancelMet && !j.recurring:
			j.cancelled, j.resume = j.planned.IsZero(), nil
		case l.cancelMet:
			j.resume = nil
		case !j.recurring && !j.planned.IsZero(): // planned anew during the run
			j.resume = nil
		default:
			at := l.lease.Due
			if now := m.store.Now(); at.After(now) {
				at = now
			}
			j.planned = at
			j.resume = &job.Resume{At: at, Tick: l.lease.Tick, Attempt: l.lease.Attempt, Failures: l.lease.Failures, Lost: l.lease.Lost, Ahead: l.lease.Ahead}
			if !l.lease.Ahead {
				j.resume.Failures++
				j.resume.Lost++
			}
		}
	}
}

// check compares every document with the model.
func (m *model) check(t *testing.T, rt *rapid.T) {
	for _, j := range m.jobs {
		document, err := m.store.Get(t.Context(), j.id)
		if err != nil {
			rt.Fatal(err)
		}
		held := !document.LockedAt.IsZero()
		if held != (j.held != nil) || !document.NextRunAt.Equal(j.planned) || document.Cancelled() != (j.cancelled && j.held == nil) {
			rt.Fatalf("job %s (%s) is held %t, planned %s, cancelled %t; want %t, %s, %t", j.id.Hex(), j.name,
				held, document.NextRunAt, document.Cancelled(), j.held != nil, j.planned, j.cancelled)
		}
	}
}

// TestModel does random operations to a store and to a small model of it, and
// shrinks what makes them differ.
func TestModel(t *testing.T) {
	t.Parallel()
	if checks := flag.Lookup("rapid.checks"); checks.Value.String() == checks.DefValue {
		_ = flag.Set("rapid.checks", "40") // each is a queue of its own
	}
	rapid.Check(t, func(rt *rapid.T) {
		m := newModel(t, rt)
		with := func(act func(*testing.T, *rapid.T)) func(*rapid.T) { return func(rt *rapid.T) { act(t, rt) } }
		rt.Repeat(map[string]func(*rapid.T){
			"enqueue":        with(m.enqueue),
			"enqueue unique": with(m.enqueueUnique),
			"cancel":         with(m.cancel),
			"retry":          with(m.retry),
			"lease":          with(m.lease),
			"lease again":    with(m.lease),
			"lease expired":  with(m.leaseExpired),
			"renew":          with(m.renew),
			"record":         with(m.record),
			"record more":    with(m.record),
			"crash":          with(m.crash),
			"time passes": func(rt *rapid.T) {
				m.clock.Advance(time.Duration(rapid.IntRange(1, 400).Draw(rt, "seconds")) * time.Second)
			},
			"": with(m.check),
		})
	})
}
