package lifecycle_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/etrainer/backend/pkg/lifecycle"
	"github.com/etrainer/backend/pkg/lifecycle/lifecycletest"
)

// diary records who did what, in order.
type diary struct {
	mu    sync.Mutex
	lines []string
}

func (d *diary) write(line string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.lines = append(d.lines, line)
}

func (d *diary) read() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.lines)
}

// diarist is a Service that writes into a diary and answers as told.
type diarist struct {
	*diary
	name              string
	startErr, stopErr error
}

func (s diarist) Start(context.Context) error { s.write("start " + s.name); return s.startErr }
func (s diarist) Stop(context.Context) error  { s.write("stop " + s.name); return s.stopErr }

func TestGroupKeepsTheContract(t *testing.T) {
	t.Parallel()
	lifecycletest.Stress(t, func() lifecycle.Service {
		g := lifecycle.NewGroup(nil)
		g.Add("one", lifecycle.NewLoop("one", untilStopped))
		g.Add("two", lifecycle.NewLoop("two", untilStopped))
		return g
	})
}

func TestGroupOrder(t *testing.T) {
	t.Parallel()
	log := &diary{}
	g := lifecycle.NewGroup(nil)
	for _, name := range []string{"a", "b", "c"} {
		g.Add(name, diarist{diary: log, name: name})
	}
	if err := g.Start(t.Context()); err != nil {
		t.Fatalf("Start: %v", err)
	}
	if err := g.Stop(t.Context()); err != nil {
		t.Fatalf("Stop: %v", err)
	}
	want := []string{"start a", "start b", "start c", "stop c", "stop b", "stop a"}
	if diff := cmp.Diff(want, log.read()); diff != "" {
		t.Errorf("order (-want +got):\n%s", diff)
	}
}

func TestGroupStartFailureStopsWhatStarted(t *testing.T) {
	t.Parallel()
	errStop := errors.New("will not stop")
	log := &diary{}
	g := lifecycle.NewGroup(nil)
	g.Add("a", diarist{diary: log, name: "a"})
	g.Add("b", diarist{diary: log, name: "b", stopErr: errStop})
	g.Add("c", diarist{diary: log, name: "c", startErr: errBroken})
	g.Add("d", diarist{diary: log, name: "d"})

	err := g.Start(t.Context())
	if !errors.Is(err, errBroken) || !errors.Is(err, errStop) {
		t.Errorf("Start = %v, want both errors", err)
	}
	if !strings.Contains(err.Error(), "start c: broken") {
		t.Errorf("Start = %q, want the name of the service", err)
	}
	want := []string{"start a", "start b", "start c", "stop b", "stop a"}
	if diff := cmp.Diff(want, log.read()); diff != "" {
		t.Errorf("order (-want +got):\n%s", diff)
	}
	if err := g.Stop(t.Context()); err != nil {
		t.Errorf("Stop after a failed Start: %v", err)
	}
	if diff := cmp.Diff(want, log.read()); diff != "" {
		t.Errorf("Stop after a failed Start did something (-want +got):\n%s", diff)
	}
}

func TestGroupStopAsksEveryoneAndJoinsErrors(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	log := &diary{}
	g := lifecycle.NewGroup(nil)
	g.Add("first", diarist{diary: log, name: "first", stopErr: errBroken})
	g.Add("slow", lifecycle.NewLoop("slow", func(ctx context.Context) error { <-release; return nil }))
	g.Add("last", diarist{diary: log, name: "last"})
	if err := g.Start(t.Context()); err != nil {
		t.Fatalf("Start: %v", err)
	}

	err := g.Stop(ended(t))
	if !errors.Is(err, context.Canceled) || !errors.Is(err, errBroken) {
		t.Errorf("Stop within an ended context = %v, want its end and the error of the first", err)
	}
	want := []string{"start first", "start last", "stop last", "stop first"}
	if diff := cmp.Diff(want, log.read()); diff != "" {
		t.Errorf("order (-want +got):\n%s", diff)
	}
	close(release)
	if err := g.Stop(t.Context()); !errors.Is(err, errBroken) || errors.Is(err, context.Canceled) {
		t.Errorf("second Stop = %v, want only the error of the first", err)
	}
}

func TestGroupFailedNamesTheService(t *testing.T) {
	t.Parallel()
	g := lifecycle.NewGroup(nil)
	g.Add("steady", lifecycle.NewLoop("loop", untilStopped))
	g.Add("poller", lifecycle.NewLoop("loop", func(context.Context) error { return errBroken }))
	if err := g.Start(t.Context()); err != nil {
		t.Fatalf("Start: %v", err)
	}
	err := <-g.Failed()
	if !errors.Is(err, errBroken) || !strings.Contains(err.Error(), "poller failed") {
		t.Errorf("failure = %v, want the cause and the name", err)
	}
	if err := g.Stop(t.Context()); err != nil {
		t.Errorf("Stop: %v", err)
	}
}

func TestGroupStopReturnsAFailureThatNobodyTook(t *testing.T) {
	t.Parallel()
	failed := make(chan struct{})
	g := lifecycle.NewGroup(nil)
	g.Add("poller", lifecycle.NewLoop("loop", func(context.Context) error { defer close(failed); return errBroken }))
	if err := g.Start(t.Context()); err != nil {
		t.Fatalf("Start: %v", err)
	}
	<-failed
	if err := g.Stop(t.Context()); !errors.Is(err, errBroken) {
		t.Errorf("Stop = %v, want the failure", err)
	}
}

func TestGroupsNest(t *testing.T) {
	t.Parallel()
	inner := lifecycle.NewGroup(nil)
	inner.Add("poller", lifecycle.NewLoop("loop", func(context.Context) error { return errBroken }))
	outer := lifecycle.NewGroup(nil)
	outer.Add("inner", inner)
	if err := outer.Start(t.Context()); err != nil {
		t.Fatalf("Start: %v", err)
	}
	if err := <-outer.Failed(); !strings.Contains(err.Error(), "inner failed: poller failed: loop: broken") {
		t.Errorf("failure = %q, want the path to the service", err)
	}
	if err := outer.Stop(t.Context()); err != nil {
		t.Errorf("Stop: %v", err)
	}
}
