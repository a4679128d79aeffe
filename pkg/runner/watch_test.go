package runner_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/etrainer/backend/pkg/fleet"
	"github.com/etrainer/backend/pkg/fleet/mongofleet"
	"github.com/etrainer/backend/pkg/mongodb/mongotest"
	"github.com/etrainer/backend/pkg/queue"
	"github.com/etrainer/backend/pkg/runner"
)

// moody is a registry that fails, or takes its time, as a test wants.
type moody struct {
	fleet.Registry
	fault atomic.Pointer[func() error]
}

// with makes every call do something before it; nil = nothing.
func (m *moody) with(fault func() error) { m.fault.Store(&fault) }

func (m *moody) before() error {
	if fault := m.fault.Load(); fault != nil && *fault != nil {
		return (*fault)()
	}
	return nil
}

func (m *moody) Beat(ctx context.Context, self fleet.Instance) error {
	if err := m.before(); err != nil {
		return err
	}
	return m.Registry.Beat(ctx, self)
}

func (m *moody) Instances(ctx context.Context) ([]fleet.Instance, error) {
	if err := m.before(); err != nil {
		return nil, err
	}
	return m.Registry.Instances(ctx)
}

// away is the fault of a database that answers nobody.
func away() error { return errAway }

// silence is a peer that has sent its last heartbeat, and a worker that watches
// it. Their clock moves with the test.
type silence struct {
	*bench
	clock    still
	registry *moody
	lease    *queue.Lease // of the peer, and older than its last heartbeat
}

func newSilence(t *testing.T) *silence {
	t.Helper()
	clock := newStill()
	s := &silence{bench: onDatabase(t, mongotest.Database(t), clock.Now), clock: clock}
	s.registry = &moody{Registry: mongofleet.New(s.db, clock.Now)}
	s.enqueueMany("a", 1)
	peer := queue.HolderPrefix + "silent"
	batch, err := s.store.Lease(t.Context(), queue.LeaseRequest{Holder: peer, Total: 1, Names: map[string]queue.NameRequest{"a": {Free: 1}}})
	if err != nil || len(batch.Leases) != 1 {
		t.Fatalf("leased %d, %v", len(batch.Leases), err)
	}
	s.lease = batch.Leases[0]
	clock.Advance(30 * time.Second)
	if err := s.registry.Register(t.Context(), instance(peer, clock.Now(), clock.Now().Add(runner.DefaultBeatExpiry))); err != nil {
		t.Fatal(err)
	}
	o := s.options(noop("a"))
	o.Clock, o.Registry = clock, s.registry
	s.start(o)
	clock.settled(t)
	return s
}

// holds fails the test unless the peer still has its lease, or has it no more.
func (s *silence) holds(when string, want bool) {
	s.t.Helper()
	document := s.get(s.lease.Job.ID)
	if got := document.LeaseHolder == s.lease.Holder && document.LockedAt.Equal(s.lease.Stamp); got != want {
		s.t.Errorf("%s: the peer has its lease is %t, want %t", when, got, want)
	}
}

// A peer is dead when it has been silent for its expiry, and as long again. The
// second time counts only while the watcher's own calls work: what it has met
// itself may be what silences the peer.
func TestSilenceIsDeathOnlyWhileTheDatabaseAnswers(t *testing.T) {
	t.Parallel()
	for title, c := range map[string]struct {
		meets   func(*silence)
		excuses time.Duration // for how long the peer is left alone after that
	}{
		"nothing is in the way": {func(*silence) {}, time.Second},
		"own calls fail": {func(s *silence) {
			s.registry.with(away)
			s.clock.march(s.t, 3*time.Second)
			s.registry.with(nil)
		}, 30 * time.Second},
		"an own call is slow": {func(s *silence) {
			s.registry.with(func() error {
				s.registry.with(nil)
				s.clock.Advance(runner.DefaultBeatInterval + time.Second)
				return nil
			})
			s.clock.march(s.t, 3*time.Second)
		}, 30 * time.Second},
		"the watcher sleeps": {func(s *silence) { s.clock.Advance(10 * time.Second) }, 5 * time.Second},
	} {
		t.Run(title, func(t *testing.T) {
			t.Parallel()
			s := newSilence(t)
			s.clock.march(t, runner.DefaultBeatExpiry+4*time.Second)
			s.holds("before the second look", true)
			c.meets(s)
			s.clock.march(t, c.excuses)
			s.holds("meanwhile", true)
			s.clock.march(t, 20*time.Second)
			s.holds("after a long silence", false)
		})
	}
}

// Locks that are renewed are a sign of life: heartbeats alone may fail to arrive.
func TestAPeerThatRenewsItsLeasesIsSpared(t *testing.T) {
	t.Parallel()
	s := newSilence(t)
	for range 10 {
		if lost, err := s.store.Renew(t.Context(), []*queue.Lease{s.lease}); err != nil || len(lost) != 0 {
			t.Fatalf("the lease is lost: %v, %v", lost, err)
		}
		s.clock.march(t, 5*time.Second)
		s.holds("while it is renewed", true)
	}
	s.clock.march(t, 20*time.Second)
	s.holds("when it is renewed no more", false)
}

// Peers learn that a worker is about to hold something before it does: else
// they would not watch it, and nobody would notice its death.
func TestNothingIsClaimedBeforeThePeersKnow(t *testing.T) {
	t.Parallel()
	clock := newStill()
	b, registry := onDatabase(t, mongotest.Database(t), clock.Now), &moody{}
	registry.Registry = mongofleet.New(b.db, clock.Now)
	registry.with(away)
	o := b.options(noop("a"))
	o.Clock, o.Registry = clock, registry
	b.start(o)
	id := b.enqueue("a", nil)
	clock.march(t, 5*time.Second)
	if document := b.get(id); !document.LockedAt.IsZero() || !document.LastRunAt.IsZero() {
		t.Error("a job was claimed, and no peer knows of it")
	}
	registry.with(nil)
	clock.run(t)
	b.ended(id)
}

// A worker that is heard no more tells its handlers to stop, because peers may
// run their jobs.
func TestHandlersOfAWorkerThatIsNotHeardAreTold(t *testing.T) {
	t.Parallel()
	clock := newStill()
	b, g := onDatabase(t, mongotest.Database(t), clock.Now), newGate()
	registry := &moody{Registry: mongofleet.New(b.db, clock.Now)}
	o := b.options(handler("a", g.run))
	o.Clock, o.Registry = clock, registry
	b.start(o)
	b.enqueue("a", nil)
	receive(t, "the start", g.started)
	registry.with(away)
	clock.march(t, 2*runner.DefaultBeatExpiry-2*time.Second)
	if len(g.causes) != 0 {
		t.Errorf("the handler was told %v, and no peer would come yet", <-g.causes)
	}
	clock.march(t, 2*time.Second)
	if cause := receive(t, "the cause", g.causes); !errors.Is(cause, runner.ErrUnreachable) {
		t.Errorf("the handler was told %v, want ErrUnreachable", cause)
	}
	registry.with(nil)
	close(g.letGo)
	clock.run(t)
}

// doubtful is a server's clock that is in doubt until it agrees.
type doubtful struct {
	runner.LocalTime
	agrees atomic.Bool
}

func (d *doubtful) Agrees() bool { return d.agrees.Load() }

// While nobody knows what time it is at the server, nothing is leased.
func TestNothingIsLeasedByAClockInDoubt(t *testing.T) {
	t.Parallel()
	clock := newStill()
	b := onDatabase(t, mongotest.Database(t), clock.Now)
	server := &doubtful{LocalTime: clock.Now}
	o := b.options(noop("a"))
	o.Clock, o.Server = clock, server
	b.start(o)
	id := b.enqueue("a", nil)
	clock.march(t, 5*time.Second)
	if document := b.get(id); !document.LockedAt.IsZero() || !document.LastRunAt.IsZero() {
		t.Error("a job was leased by a clock in doubt")
	}
	server.agrees.Store(true)
	clock.run(t)
	b.ended(id)
}

// After a correction of the server's time locks look older than they are, until
// their holders have noticed it as well.
func TestNoLockExpiresByACorrectionOfTheClock(t *testing.T) {
	t.Parallel()
	clock := newStill()
	var corrected atomic.Int64
	b := onDatabase(t, mongotest.Database(t), func() time.Time { return clock.Now().Add(time.Duration(corrected.Load())) })
	id := b.enqueueMany("a", 1)[0]
	_, err := b.db.Collection("agendaJobs").UpdateByID(t.Context(), id, bson.M{"$set": bson.M{
		"lockedAt": clock.Now().Add(-queue.DefaultLockLifetime / 2), "lastModifiedBy": "node",
	}})
	if err != nil {
		t.Fatal(err)
	}
	o := b.options(noop("a"))
	o.Clock = clock
	b.start(o)
	clock.march(t, 90*time.Second)
	corrected.Store(int64(queue.DefaultLockLifetime / 2))
	clock.march(t, 55*time.Second)
	if by := b.get(id).LastModifiedBy; by != "node" {
		t.Errorf("%s took a lock over, and its holder may be writing it anew", by)
	}
	clock.march(t, time.Minute)
	if by := b.get(id).LastModifiedBy; by == "node" {
		t.Error("a lock past its lifetime is never taken over")
	}
	clock.run(t)
}
