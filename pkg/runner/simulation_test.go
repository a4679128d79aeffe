package runner_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"runtime/pprof"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/etrainer/backend/pkg/fleet"
	"github.com/etrainer/backend/pkg/job"
	"github.com/etrainer/backend/pkg/queue"
	"github.com/etrainer/backend/pkg/runner"
)

// harbour is a database in simulated time: the fleet, and a few jobs that run for
// ever. Workers reach it over lines of their own.
type harbour struct {
	mu        sync.Mutex
	random    *rand.Rand
	instances map[string]fleet.Instance
	jobs      map[bson.ObjectID]*berth
	stalled   time.Time // it answers nothing before this time
	log       []string
	faults    []string // broken promises
	workers   []*ship
}

// berth is one job.
type berth struct {
	id     bson.ObjectID
	holder string // "" = it is due
	stamp  time.Time
	active *ship // whose handler has not been told to stop
}

// ship is one worker process, and its line to the database.
type ship struct {
	harbour *harbour
	name    string
	runner  *runner.Runner
	ids     map[string]bool // all its names in the fleet

	delay  time.Duration // of each way
	mute   time.Time     // the line passes nothing on before this time
	killed time.Time     // zero = it lives
	alone  time.Time     // when a fault ended that it alone had met
	heard  time.Time     // when its last heartbeat that arrived was sent
	over   bool          // the simulation has ended
}

func newHarbour(seed uint64, jobs int) *harbour {
	h := &harbour{random: rand.New(rand.NewPCG(seed, 1)), instances: map[string]fleet.Instance{}, jobs: map[bson.ObjectID]*berth{}}
	for range jobs {
		id := bson.NewObjectID()
		h.jobs[id] = &berth{id: id}
	}
	return h
}

func (h *harbour) do(act func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	act()
}

func (h *harbour) say(format string, values ...any) {
	h.log = append(h.log, time.Now().Format("04:05.000 ")+fmt.Sprintf(format, values...))
}

func (h *harbour) broken(format string, values ...any) {
	h.say("BROKEN: "+format, values...)
	h.faults = append(h.faults, fmt.Sprintf(format, values...))
}

// owner is the worker that an instance is, or was.
func (h *harbour) owner(id string) *ship {
	for _, s := range h.workers {
		if s.ids[id] {
			return s
		}
	}
	return nil
}

// launch starts a worker.
func (h *harbour) launch(t *testing.T, name string, beats runner.Beats) *ship {
	t.Helper()
	s := &ship{harbour: h, name: name, ids: map[string]bool{}, delay: time.Millisecond}
	h.do(func() { h.workers = append(h.workers, s) })
	s.runner = runner.New(runner.Options{
		Store: s, Settings: s, Registry: register{s}, Now: time.Now, Host: name, Beats: beats, Log: slog.New(slog.NewTextHandler(s, nil)),
		Handlers: []runner.Handler{handler("a", s.handle)},
	})
	if err := s.runner.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	return s
}

// Write is the worker's log.
func (s *ship) Write(line []byte) (int, error) {
	text := string(line)
	if _, after, ok := strings.Cut(text, "level="); ok {
		text = after
	}
	s.harbour.do(func() { s.harbour.say("%s: %s", s.name, strings.TrimSpace(text)) })
	return len(line), nil
}

// handle holds a berth until it is told to go. Two may never hold one.
func (s *ship) handle(ctx context.Context, j noteJob) (any, error) {
	h := s.harbour
	h.do(func() {
		b := h.jobs[j.ID]
		if other := b.active; other != nil {
			h.broken("%s runs a job that %s still runs", s.name, other.name)
		}
		b.active = s
	})
	<-ctx.Done()
	h.do(func() {
		if b := h.jobs[j.ID]; b.active == s {
			b.active = nil
		}
		h.say("%s: handler told %v", s.name, context.Cause(ctx))
	})
	return nil, ctx.Err()
}

var errMute = errors.New("nothing came back")

// call carries a command to the database and its answer back. A command can
// arrive although nobody waits for the answer any more.
func (s *ship) call(ctx context.Context, do func()) error {
	h := s.harbour
	answered := make(chan struct{})
	go func() {
		if !s.passes() {
			return
		}
		h.mu.Lock()
		wait := max(s.delay, time.Until(h.stalled))
		h.mu.Unlock()
		time.Sleep(wait)
		h.do(do)
		time.Sleep(s.delay)
		if s.passes() {
			close(answered)
		}
	}()
	h.mu.Lock()
	over := s.over
	h.mu.Unlock()
	if over {
		return errMute
	}
	select {
	case <-answered:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("%w: %w", errMute, context.Cause(ctx))
	}
}

// now is call for the commands during which the runner holds a lock: simulated
// time stands still while somebody waits for one, so they take none.
func (s *ship) now(do func()) error {
	if !s.passes() {
		return errMute
	}
	s.harbour.do(do)
	return nil
}

// passes reports whether the line is open.
func (s *ship) passes() bool {
	s.harbour.mu.Lock()
	defer s.harbour.mu.Unlock()
	return s.killed.IsZero() && !s.over && !time.Now().Before(s.mute)
}

// register is the fleet as one worker reaches it.
type register struct{ *ship }

func (r register) Register(ctx context.Context, self fleet.Instance) error {
	return r.call(ctx, func() {
		r.harbour.instances[self.ID], r.ids[self.ID], r.heard = self, true, self.SeenAt
	})
}

func (r register) Beat(ctx context.Context, self fleet.Instance) (err error) {
	failed := r.call(ctx, func() {
		r.heard = self.SeenAt
		if _, known := r.harbour.instances[self.ID]; !known {
			err = fleet.ErrDeclaredDead
			return
		}
		r.harbour.instances[self.ID] = self
	})
	return errors.Join(failed, err)
}

func (r register) Leave(ctx context.Context, id string) error {
	return r.call(ctx, func() { delete(r.harbour.instances, id) })
}

func (r register) Instances(ctx context.Context) (list []fleet.Instance, err error) {
	err = r.call(ctx, func() {
		for _, i := range r.harbour.instances {
			list = append(list, i)
		}
	})
	if err != nil {
		return nil, err
	}
	slices.SortFunc(list, func(a, b fleet.Instance) int { return strings.Compare(a.ID, b.ID) })
	return list, nil
}

func (r register) Bury(ctx context.Context, dead fleet.Instance) (buried bool, err error) {
	err = r.call(ctx, func() {
		h := r.harbour
		i, known := h.instances[dead.ID]
		if buried = known && i.SeenAt.Equal(dead.SeenAt) && !i.ExpiresAt.After(time.Now()); !buried {
			return
		}
		delete(h.instances, dead.ID)
		h.say("%s buries %s", r.name, dead.ID)
		h.mayDie(r.ship, dead.ID)
	})
	return buried, err
}

// mayDie fails the simulation when a worker is taken for dead that lives: unless
// its own line was cut, and nothing came through for as long as it had declared.
func (h *harbour) mayDie(by *ship, id string) {
	s := h.owner(id)
	silent := time.Since(s.heard)
	alone := !s.alone.IsZero() && time.Since(s.alone) < time.Minute
	if s.killed.IsZero() && (silent < 12*time.Second || !alone) {
		h.broken("%s takes %s for dead, which was heard %s ago", by.name, s.name, silent)
	}
}

// The queue, as far as the runner needs it here.

func (s *ship) Settings(ctx context.Context) (map[string]job.Settings, error) {
	return map[string]job.Settings{}, s.call(ctx, func() {})
}

func (s *ship) Lease(ctx context.Context, request queue.LeaseRequest) (batch queue.Batch, err error) {
	due := func() (ids []bson.ObjectID) {
		for id, b := range s.harbour.jobs {
			if b.holder == "" && len(ids) < request.Total && len(ids) < request.Names["a"].Free {
				ids = append(ids, id)
			}
		}
		return ids
	}
	var found []bson.ObjectID
	if request.Expired {
		return batch, s.call(ctx, func() {})
	}
	if err := s.call(ctx, func() { found = due() }); err != nil || len(found) == 0 {
		return batch, err
	}
	if err := request.BeforeClaim(ctx); err != nil {
		return batch, err
	}
	err = s.call(ctx, func() {
		now := time.Now()
		for _, id := range due() {
			b := s.harbour.jobs[id]
			b.holder, b.stamp = request.Holder, now
			s.harbour.say("%s claims", s.name)
			batch.Leases = append(batch.Leases, &queue.Lease{
				Job: &job.Document{ID: id, Name: "a"}, Due: now, Tick: now, Attempt: 1, StartedAt: now, Stamp: now, Holder: request.Holder,
			})
		}
	})
	return batch, err
}

func (s *ship) Renew(_ context.Context, leases []*queue.Lease) (lost []*queue.Lease, err error) {
	now := time.Time{}
	kept := []*queue.Lease{}
	err = s.now(func() {
		now = time.Now()
		for _, lease := range leases {
			// What this holder renewed without knowing is still its own.
			if b := s.harbour.jobs[lease.Job.ID]; b.holder == lease.Holder {
				b.stamp = now
				kept = append(kept, lease)
			} else {
				lost = append(lost, lease)
			}
		}
	})
	if err != nil {
		return nil, err
	}
	for _, lease := range kept {
		lease.Stamp = now
	}
	return lost, nil
}

func (s *ship) Record(_ context.Context, endings []queue.Ending) (results []error, err error) {
	err = s.now(func() {
		results = make([]error, len(endings))
		for i, e := range endings {
			if b := s.harbour.jobs[e.Lease.Job.ID]; b.holder == e.Lease.Holder && e.Outcome != job.Lost {
				b.holder = ""
				s.harbour.say("%s records %s", s.name, e.Outcome)
			} else {
				results[i] = queue.ErrLeaseLost
			}
		}
	})
	return results, err
}

func (s *ship) Rescue(ctx context.Context, request queue.RescueRequest) (rescued queue.Rescued, err error) {
	err = s.call(ctx, func() {
		for _, b := range s.harbour.jobs {
			kept := slices.ContainsFunc(request.Keep, func(l *queue.Lease) bool { return l.Job.ID == b.id })
			switch {
			case b.holder != request.Instance || kept:
			case !request.Renewed.IsZero() && b.stamp.After(request.Renewed):
				rescued.Spare++
			default:
				b.holder = ""
				rescued.Due++
			}
		}
		if rescued.Due > 0 && !s.ids[request.Instance] {
			s.harbour.say("%s rescues %d of %s", s.name, rescued.Due, request.Instance)
			s.harbour.mayDie(s, request.Instance)
		}
	})
	return rescued, err
}

func (s *ship) RecordRuns(_ context.Context, _ []queue.Ending) (int, error) {
	return 0, s.now(func() {})
}
func (s *ship) Open(_ context.Context, _ []*queue.Lease) error   { return s.now(func() {}) }
func (s *ship) Report(_ context.Context, _ []queue.Ending) error { return s.now(func() {}) }
func (s *ship) Reconcile(ctx context.Context, _ string) error    { return s.call(ctx, func() {}) }
func (s *ship) CancelRequested(ctx context.Context, _ []*queue.Lease) ([]*queue.Lease, error) {
	return nil, s.call(ctx, func() {})
}

// The rest of queue.Controller, which a runner does not use.

func (s *ship) Cancel(context.Context, bson.ObjectID, string) (*job.Document, error) { panic("unused") }

func (s *ship) Retry(context.Context, bson.ObjectID, string) (*job.Document, error) { panic("unused") }

func (s *ship) Delete(context.Context, bson.ObjectID) error { panic("unused") }

func (s *ship) ChangeSettings(context.Context, job.Settings) error { panic("unused") }

func (s *ship) Pause(context.Context, string, string) error { panic("unused") }

func (s *ship) Resume(context.Context, string, string) error { panic("unused") }

func (s *ship) ChangeSchedule(context.Context, string, *job.ScheduleOverride) error { panic("unused") }

// kill ends a worker as a power failure does.
func (s *ship) kill() {
	s.harbour.do(func() {
		s.killed = time.Now()
		s.harbour.say("%s is killed", s.name)
		for _, b := range s.harbour.jobs {
			if b.active == s {
				b.active = nil
			}
		}
	})
}

// end ends the simulation.
func (h *harbour) end() {
	h.do(func() {
		for _, s := range h.workers {
			s.over = true
		}
	})
	for _, s := range h.workers {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		_ = s.runner.Stop(ctx) // it cannot record anything any more
		cancel()
	}
}

// idle lists how many jobs nobody runs.
func (h *harbour) idle() (n int) {
	h.do(func() {
		for _, b := range h.jobs {
			if b.active == nil {
				n++
			}
		}
	})
	return n
}

// simulate runs a story in simulated time, and returns the promises it broke.
func simulate(t *testing.T, h *harbour, story func(t *testing.T)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		story(t)
		h.end()
		time.Sleep(time.Hour)
		var b bytes.Buffer
		pprof.Lookup("goroutine").WriteTo(&b, 2)
		if strings.Count(b.String(), "synctest bubble") > 3 {
			fmt.Println(strings.Join(h.log, "\n"))
			os.Stdout.Write(b.Bytes())
			os.Exit(3)
		}
	})
	if len(h.faults) > 0 {
		t.Logf("what happened:\n%s", strings.Join(h.log, "\n"))
		t.Errorf("broken promises:\n%s", strings.Join(h.faults, "\n"))
	}
}

// within waits in simulated time.
func (h *harbour) within(t *testing.T, limit time.Duration, what string, holds func() bool) time.Duration {
	t.Helper()
	began := time.Now()
	for !holds() {
		if time.Since(began) > limit {
			h.do(func() { h.broken("not within %s: %s", limit, what) })
			return limit
		}
		time.Sleep(10 * time.Millisecond)
	}
	return time.Since(began)
}
