package presence_test

import (
	"context"
	"log/slog"
	"os"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jonboulle/clockwork"

	"github.com/etrainer/backend/api/internal/apitest"
	"github.com/etrainer/backend/api/internal/presence"
	"github.com/etrainer/backend/pkg/fleet"
	"github.com/etrainer/backend/pkg/fleet/mongofleet"
	"github.com/etrainer/backend/pkg/lifecycle"
	"github.com/etrainer/backend/pkg/lifecycle/lifecycletest"
	"github.com/etrainer/backend/pkg/mongodb/mongotest"
	"github.com/etrainer/backend/pkg/supervise"
)

func TestMain(m *testing.M) { mongotest.Main(m) }

const self = "api-1"

// watched tells when the registry was used.
type watched struct {
	fleet.Registry
	calls chan string
}

func (w watched) Register(ctx context.Context, instance fleet.Instance) error {
	err := w.Registry.Register(ctx, instance)
	w.calls <- "register"
	return err
}

func (w watched) Beat(ctx context.Context, instance fleet.Instance) error {
	err := w.Registry.Beat(ctx, instance)
	w.calls <- "beat"
	return err
}

func start(t *testing.T, registry fleet.Registry) (*presence.Service, *clockwork.FakeClock, chan string) {
	t.Helper()
	clock, calls := clockwork.NewFakeClock(), make(chan string, 100)
	service := presence.New(presence.Options{
		Registry: watched{registry, calls}, ID: self, InFlight: func() int { return 3 },
		Parent: func() (supervise.Status, bool) { return supervise.Status{MasterPID: 7}, true }, Now: clock.Now, Clock: clock, Log: slog.New(slog.DiscardHandler),
	})
	if err := service.Start(t.Context()); err != nil {
		t.Fatalf("Start: %v", err)
	}
	t.Cleanup(func() {
		if err := service.Stop(context.WithoutCancel(t.Context())); err != nil {
			t.Errorf("Stop: %v", err)
		}
	})
	return service, clock, calls
}

func want(t *testing.T, calls chan string, call string) {
	t.Helper()
	if got := <-calls; got != call {
		t.Fatalf("call = %s, want %s", got, call)
	}
}

// turn lets the time of one heartbeat pass.
func turn(t *testing.T, clock *clockwork.FakeClock) {
	t.Helper()
	if err := clock.BlockUntilContext(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	clock.Advance(20 * time.Second)
}

func instances(t *testing.T, registry fleet.Registry) []fleet.Instance {
	t.Helper()
	found, err := registry.Instances(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func TestPresence(t *testing.T) {
	t.Parallel()
	registry := mongofleet.New(mongotest.Database(t), time.Now)
	service, clock, calls := start(t, registry)
	want(t, calls, "register")
	found := instances(t, registry)
	if len(found) != 1 || found[0].ID != self || found[0].Kind != fleet.API || found[0].PID != os.Getpid() || found[0].Host == "" || found[0].Version == "" ||
		found[0].Memory == 0 || found[0].InFlight != 3 || found[0].Parent == nil || found[0].Parent.PID != 7 || found[0].Draining {
		t.Fatalf("instances = %+v", found)
	}
	if lifetime := found[0].ExpiresAt.Sub(found[0].SeenAt); lifetime != time.Minute {
		t.Errorf("it is believed for %v, want a minute", lifetime)
	}
	turn(t, clock)
	want(t, calls, "beat")
	if seen := instances(t, registry)[0].SeenAt; seen.Sub(found[0].SeenAt) != 20*time.Second {
		t.Errorf("seen %v after the start, want 20 s", seen.Sub(found[0].SeenAt))
	}

	// Others took it for dead.
	if err := registry.Leave(t.Context(), self); err != nil {
		t.Fatal(err)
	}
	turn(t, clock)
	want(t, calls, "beat")
	want(t, calls, "register")
	if found := instances(t, registry); len(found) != 1 {
		t.Errorf("instances = %+v, want it back", found)
	}

	// It says at once that it is about to stop.
	if err := service.Drain(t.Context()); err != nil {
		t.Fatalf("Drain: %v", err)
	}
	want(t, calls, "beat")
	if found := instances(t, registry); len(found) != 1 || !found[0].Draining {
		t.Errorf("instances = %+v, want it to drain", found)
	}

	if err := service.Stop(t.Context()); err != nil {
		t.Fatalf("Stop: %v", err)
	}
	if found := instances(t, registry); len(found) != 0 {
		t.Errorf("instances after Stop = %+v", found)
	}
}

func TestPresenceOutlivesTheDatabase(t *testing.T) {
	t.Parallel()
	proxy := apitest.NewProxy(t)
	db := mongotest.Database(t, proxy.Options())
	registry := mongofleet.New(db, time.Now)
	proxy.Cut()
	_, clock, calls := start(t, registry)
	want(t, calls, "register") // in vain
	proxy.Restore()
	turn(t, clock)
	want(t, calls, "register")
	if found := instances(t, registry); len(found) != 1 {
		t.Errorf("instances = %+v, want it registered once the database is back", found)
	}
}

// distant is a registry that carries out a second later what it is told, also when
// who told it has gone away meanwhile.
type distant struct {
	fleet.Registry
	mu     sync.Mutex
	listed map[string]bool
}

func (d *distant) tell(ctx context.Context, id string, listed bool) error {
	done := make(chan struct{})
	time.AfterFunc(time.Second, func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.listed[id] = listed
		close(done)
	})
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (d *distant) Register(ctx context.Context, instance fleet.Instance) error {
	return d.tell(ctx, instance.ID, true)
}

func (d *distant) Leave(ctx context.Context, id string) error { return d.tell(ctx, id, false) }

// TestAStopDuringTheRegistration: the instance is taken back after it was listed.
func TestAStopDuringTheRegistration(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		registry := &distant{listed: map[string]bool{}}
		service := presence.New(presence.Options{Registry: registry, ID: self, Now: time.Now, Log: slog.New(slog.DiscardHandler)})
		if err := service.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		synctest.Wait() // it is on its way
		if err := service.Stop(t.Context()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		registry.mu.Lock()
		defer registry.mu.Unlock()
		if listed, told := registry.listed[self]; listed || !told {
			t.Errorf("listed after Stop: %v, told: %v", listed, told)
		}
	})
}

func TestPresenceKeepsTheLifecycleContract(t *testing.T) {
	t.Parallel()
	registry := mongofleet.New(mongotest.Database(t), time.Now)
	lifecycletest.Stress(t, func() lifecycle.Service {
		return presence.New(presence.Options{Registry: registry, ID: self, Now: time.Now, Log: slog.New(slog.DiscardHandler)})
	})
	if found := instances(t, registry); len(found) != 0 {
		t.Errorf("instances = %+v, want none after the last Stop", found)
	}
}
