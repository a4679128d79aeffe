package mongofleet_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jonboulle/clockwork"
	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/etrainer/backend/pkg/fleet"
	"github.com/etrainer/backend/pkg/fleet/mongofleet"
	"github.com/etrainer/backend/pkg/mongodb/mongotest"
	"github.com/etrainer/backend/pkg/queue"
)

func TestMain(m *testing.M) { mongotest.Main(m) }

var start = time.Date(2024, 1, 17, 10, 20, 30, 456e6, time.UTC)

func worker(id string, startedAt time.Time) fleet.Instance {
	return fleet.Instance{
		ID: id, Kind: fleet.Worker, Host: "h", PID: 7, Version: "1.2.3",
		StartedAt: startedAt, SeenAt: startedAt, ExpiresAt: startedAt.Add(time.Minute),
		Names: map[string]int{"send mail": 5, "a.b$c": 1},
	}
}

func newRegistry(t *testing.T) (*mongofleet.Registry, *clockwork.FakeClock) {
	t.Helper()
	clock := clockwork.NewFakeClockAt(start)
	return mongofleet.New(mongotest.Database(t), clock.Now), clock
}

func register(t *testing.T, r fleet.Registry, instances ...fleet.Instance) {
	t.Helper()
	for _, instance := range instances {
		if err := r.Register(t.Context(), instance); err != nil {
			t.Fatal(err)
		}
	}
}

func listed(t *testing.T, r fleet.Registry) []fleet.Instance {
	t.Helper()
	instances, err := r.Instances(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for i := range instances {
		for n := range instances[i].Problems {
			instances[i].Problems[n].Since = instances[i].Problems[n].Since.UTC()
		}
	}
	return instances
}

func TestRegisterAndList(t *testing.T) {
	t.Parallel()
	r, _ := newRegistry(t)
	if got := listed(t, r); len(got) != 0 {
		t.Fatalf("an empty fleet lists %v", got)
	}
	old, young := worker("worker@old", start.Add(-time.Hour)), worker("worker@young", start)
	api := fleet.Instance{ID: "api@1", Kind: fleet.API, StartedAt: start.Add(-time.Minute), SeenAt: start, ExpiresAt: start.Add(time.Minute)}
	register(t, r, young, api, old)
	if diff := cmp.Diff([]fleet.Instance{old, api, young}, listed(t, r)); diff != "" {
		t.Errorf("oldest first (-want +got):\n%s", diff)
	}
	old.Version = "1.2.4"
	old.Names = nil
	register(t, r, old) // again, under the same id
	if diff := cmp.Diff([]fleet.Instance{old, api, young}, listed(t, r)); diff != "" {
		t.Errorf("after another registration (-want +got):\n%s", diff)
	}
}

func TestBeat(t *testing.T) {
	t.Parallel()
	r, _ := newRegistry(t)
	w := worker("worker@1", start)
	register(t, r, w)
	w.SeenAt, w.ExpiresAt, w.InFlight, w.Draining, w.Memory = start.Add(2*time.Second), start.Add(8*time.Second), 3, true, 5<<30
	w.EndsAt = start.Add(14 * time.Second)
	w.Problems = []queue.Problem{{Collection: "agendaJobs", ID: "7", What: "w", Fix: "f", Since: start}}
	w.Parent = &fleet.Parent{PID: 6, Children: []fleet.Child{{ID: 1, PID: 7, State: "ready", Restarts: 2, Uptime: 1.5, Memory: 5 << 30, InFlight: 3}, {ID: 2, State: "resting", IsDead: true}}}
	told := w
	told.Names, told.Host = nil, "other" // a beat renews, and describes nothing
	if err := r.Beat(t.Context(), told); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]fleet.Instance{w}, listed(t, r)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	w.Parent = nil // it has none any more
	if err := r.Beat(t.Context(), w); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]fleet.Instance{w}, listed(t, r)); diff != "" {
		t.Errorf("without a parent (-want +got):\n%s", diff)
	}
	told = w
	told.Problems = nil // they did not change
	if err := r.Beat(t.Context(), told); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]fleet.Instance{w}, listed(t, r)); diff != "" {
		t.Errorf("problems that did not change (-want +got):\n%s", diff)
	}
	told.Problems = []queue.Problem{}
	if err := r.Beat(t.Context(), told); err != nil {
		t.Fatal(err)
	}
	if got := listed(t, r)[0].Problems; len(got) != 0 {
		t.Errorf("problems that are over are listed: %v", got)
	}
	if !listed(t, r)[0].Busy() {
		t.Error("an instance with leases is not busy")
	}
	w.InFlight = 0
	for at, busy := range map[time.Time]bool{w.EndsAt: true, {}: false} {
		w.EndsAt = at
		if err := r.Beat(t.Context(), w); err != nil {
			t.Fatal(err)
		}
		if got := listed(t, r)[0]; got.Busy() != busy || !got.EndsAt.Equal(at) {
			t.Errorf("without leases, and handlers that end at %s: busy is %t", at, got.Busy())
		}
	}
}

func TestBeatOfTheBuried(t *testing.T) {
	t.Parallel()
	r, _ := newRegistry(t)
	if err := r.Beat(t.Context(), worker("worker@ghost", start)); !errors.Is(err, fleet.ErrDeclaredDead) {
		t.Errorf("the error is %v, want ErrDeclaredDead", err)
	}
	if got := listed(t, r); len(got) != 0 {
		t.Errorf("the beat made an instance: %v", got)
	}
}

func TestLeave(t *testing.T) {
	t.Parallel()
	r, _ := newRegistry(t)
	register(t, r, worker("worker@1", start), worker("worker@2", start))
	for range 2 { // leaving twice is no error
		if err := r.Leave(t.Context(), "worker@1"); err != nil {
			t.Fatal(err)
		}
	}
	if got := listed(t, r); len(got) != 1 || got[0].ID != "worker@2" {
		t.Errorf("left are %v", got)
	}
}

// Only the dead are buried: an instance that beat again since is left alone.
func TestBury(t *testing.T) {
	t.Parallel()
	r, clock := newRegistry(t)
	w := worker("worker@1", start)
	register(t, r, w)
	bury := func(when string, want bool) {
		t.Helper()
		if got, err := r.Bury(t.Context(), w); got != want || err != nil {
			t.Errorf("%s: buried is %t, %v; want %t", when, got, err, want)
		}
	}
	bury("alive", false)
	clock.Advance(time.Minute - time.Millisecond)
	bury("a millisecond before its expiry", false)
	w.ExpiresAt = w.ExpiresAt.Add(time.Second)
	if err := r.Beat(t.Context(), w); err != nil {
		t.Fatal(err)
	}
	clock.Advance(time.Millisecond)
	bury("after another beat", false)
	clock.Advance(time.Second)
	w.SeenAt = w.SeenAt.Add(time.Second)
	if err := r.Beat(t.Context(), w); err != nil {
		t.Fatal(err)
	}
	w.SeenAt = start
	bury("expired, and seen alive since it was suspected", false)
	w.SeenAt = start.Add(time.Second)
	bury("expired", true)
	bury("a second time", false)
}

// Of many peers that bury one instance, one is told that it did.
func TestBuryOnce(t *testing.T) {
	t.Parallel()
	r, clock := newRegistry(t)
	dead := worker("worker@1", start)
	register(t, r, dead)
	clock.Advance(time.Hour)
	answers := make(chan bool)
	for range 10 {
		go func() {
			buried, err := r.Bury(t.Context(), dead)
			if err != nil {
				t.Errorf("Bury: %v", err)
			}
			answers <- buried
		}()
	}
	count := 0
	for range 10 {
		if <-answers {
			count++
		}
	}
	if count != 1 {
		t.Errorf("%d peers buried one instance", count)
	}
}

func TestFailuresNameTheOperation(t *testing.T) {
	t.Parallel()
	r, _ := newRegistry(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	w := worker("worker@1", start)
	for want, act := range map[string]func() error{
		"register worker@1": func() error { return r.Register(ctx, w) },
		"beat of worker@1":  func() error { return r.Beat(ctx, w) },
		"leave as worker@1": func() error { return r.Leave(ctx, w.ID) },
		"bury worker@1":     func() error { _, err := r.Bury(ctx, w); return err },
		"list instances":    func() error { _, err := r.Instances(ctx); return err },
	} {
		err := act()
		if !errors.Is(err, context.Canceled) || len(err.Error()) < len(want) || err.Error()[:len(want)] != want {
			t.Errorf("the error is %v; want one that begins with %q", err, want)
		}
	}
}

// Consoles read the collection: names with dots and dollar signs are values.
func TestStoredForm(t *testing.T) {
	t.Parallel()
	db := mongotest.Database(t)
	register(t, mongofleet.New(db, time.Now), fleet.Instance{ID: "worker@1", Kind: fleet.Worker, StartedAt: start, Names: map[string]int{"a.b$c": 2}})
	var got bson.M
	if err := db.Collection("agendaInstances").FindOne(t.Context(), bson.M{}).Decode(&got); err != nil {
		t.Fatal(err)
	}
	want := bson.A{bson.D{{Key: "name", Value: "a.b$c"}, {Key: "limit", Value: int32(2)}}}
	if diff := cmp.Diff(want, got["runs"]); diff != "" {
		t.Errorf("runs (-want +got):\n%s", diff)
	}
	if got["_id"] != "worker@1" || got["kind"] != "worker" || got["names"] != nil {
		t.Errorf("stored %v", got)
	}
}
