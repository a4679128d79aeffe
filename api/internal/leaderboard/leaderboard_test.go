package leaderboard_test

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/jonboulle/clockwork"
	"go.uber.org/goleak"

	"github.com/etrainer/backend/api/internal/leaderboard"
	"github.com/etrainer/backend/pkg/cache"
	"github.com/etrainer/backend/pkg/lifecycle"
	"github.com/etrainer/backend/pkg/lifecycle/lifecycletest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	ttl      = 5 * time.Minute
	patience = 30 * time.Second
)

// store is the database: what several boards share. The score of its one row is
// how often it has computed.
type store struct {
	mu       sync.Mutex
	snapshot *leaderboard.Snapshot
	claimed  time.Time // until when
	claims   int
	computed int
	err      error         // what a computation fails with
	gate     chan struct{} // not nil = a computation waits for it
}

func (s *store) Read(context.Context) (leaderboard.Snapshot, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.snapshot == nil {
		return leaderboard.Snapshot{}, cache.ErrAbsent
	}
	return *s.snapshot, nil
}

func (s *store) Claim(_ context.Context, now, until time.Time) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.claims++
	if s.claimed.After(now) {
		return false, nil
	}
	s.claimed = until
	return true, nil
}

func (s *store) Compute(ctx context.Context) ([]leaderboard.Row, error) {
	s.mu.Lock()
	s.computed++
	n, err, gate := s.computed, s.err, s.gate
	s.mu.Unlock()
	if gate != nil {
		select {
		case <-gate:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	return []leaderboard.Row{{User: "an", TotalScore: float64(n)}}, err
}

func (s *store) Write(_ context.Context, snapshot leaderboard.Snapshot) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.snapshot, s.claimed = &snapshot, time.Time{}
	return nil
}

func (s *store) change(f func(*store)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f(s)
}

func (s *store) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.computed
}

// options are those of a board with a memory of its own.
func options(t *testing.T, s *store, now clockwork.Clock) leaderboard.Options {
	t.Helper()
	memory, err := cache.NewMemory(cache.MemoryOptions{Now: now.Now})
	if err != nil {
		t.Fatal(err)
	}
	return leaderboard.Options{Store: s, Cache: memory, TTL: ttl, Now: now.Now, Log: slog.New(slog.DiscardHandler)}
}

func start(t *testing.T, o leaderboard.Options) *leaderboard.Board {
	t.Helper()
	board := leaderboard.New(o)
	if err := board.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := board.Stop(context.Background()); err != nil {
			t.Errorf("Stop: %v", err)
		}
	})
	return board
}

// score is that of the row on top.
func score(t *testing.T, board *leaderboard.Board) float64 {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	found, err := board.Top(ctx)
	if err != nil || len(found.Value.Rows) != 1 {
		t.Fatalf("%+v, %v", found, err)
	}
	return found.Value.Rows[0].TotalScore
}

func eventually(t *testing.T, what string, good func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(patience); !good(); <-tick.C {
		if time.Now().After(deadline) {
			t.Fatalf("never: %s", what)
		}
	}
}

// TestTheFirstSnapshot is waited for, and made once for all who ask, at several
// replicas.
func TestTheFirstSnapshot(t *testing.T) {
	t.Parallel()
	s, clock := &store{gate: make(chan struct{})}, clockwork.NewFakeClock()
	boards := []*leaderboard.Board{start(t, options(t, s, clock)), start(t, options(t, s, clock))}
	var all sync.WaitGroup
	for i := range 20 {
		all.Go(func() {
			if got := score(t, boards[i%2]); got != 1 {
				t.Errorf("score %v, want that of the first computation", got)
			}
		})
	}
	eventually(t, "both want to make it", func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.claims >= 2
	})
	close(s.gate)
	all.Wait()
	if n := s.count(); n != 1 {
		t.Errorf("computed %d times", n)
	}
}

// TestAnOldSnapshotIsServed while a new one is made.
func TestAnOldSnapshotIsServed(t *testing.T) {
	t.Parallel()
	s, clock := &store{}, clockwork.NewFakeClock()
	board := start(t, options(t, s, clock))
	score(t, board)
	clock.Advance(ttl - time.Second)
	score(t, board)
	gate := make(chan struct{})
	s.change(func(s *store) { s.gate = gate })
	if n := s.count(); n != 1 {
		t.Errorf("a snapshot that is new was computed again: %d times", n)
	}
	clock.Advance(time.Second)
	if got := score(t, board); got != 1 {
		t.Errorf("score %v, want the old one", got)
	}
	eventually(t, "a new computation", func() bool { return s.count() == 2 })
	if got := score(t, board); got != 1 {
		t.Errorf("score %v while it is computed, want the old one", got)
	}
	close(gate)
	eventually(t, "the new snapshot", func() bool { return score(t, board) == 2 })
}

// TestAFailedComputation is made again after a pause, and the last snapshot is
// served.
func TestAFailedComputation(t *testing.T) {
	t.Parallel()
	s, clock, pauses := &store{}, clockwork.NewFakeClock(), clockwork.NewFakeClock()
	o := options(t, s, clock)
	first := start(t, o)
	score(t, first)
	s.change(func(s *store) { s.err = errors.New("the database is slow today") })
	o.Clock = pauses
	board := start(t, o)
	clock.Advance(ttl)
	if got := score(t, board); got != 1 {
		t.Errorf("score %v", got)
	}
	if err := pauses.BlockUntilContext(t.Context(), 1); err != nil { // the pause after the failure
		t.Fatal(err)
	}
	if n := s.count(); n != 2 {
		t.Errorf("computed %d times, want the second to have failed", n)
	}
	s.change(func(s *store) { s.err, s.claimed = nil, time.Time{} })
	if got := score(t, board); got != 1 {
		t.Errorf("score %v after a failure, want the last snapshot", got)
	}
	pauses.Advance(time.Minute)
	eventually(t, "another try", func() bool { return score(t, board) == 3 })
}

// TestNoSnapshotAtAll: a request ends in its own time.
func TestNoSnapshotAtAll(t *testing.T) {
	t.Parallel()
	s := &store{err: errors.New("no")}
	board := start(t, options(t, s, clockwork.NewFakeClock()))
	ctx, cancel := context.WithCancel(t.Context())
	over := make(chan error, 1)
	go func() {
		_, err := board.Top(ctx)
		over <- err
	}()
	eventually(t, "a try", func() bool { return s.count() == 1 })
	cancel()
	if err := <-over; !errors.Is(err, context.Canceled) {
		t.Errorf("Top = %v", err)
	}
}

// TestStopEndsAComputation that would last longer.
func TestStopEndsAComputation(t *testing.T) {
	t.Parallel()
	s := &store{gate: make(chan struct{})}
	board := leaderboard.New(options(t, s, clockwork.NewFakeClock()))
	if err := board.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	asked := make(chan struct{})
	go func() {
		defer close(asked)
		_, _ = board.Top(ctx)
	}()
	eventually(t, "a computation", func() bool { return s.count() == 1 })
	stopping, done := context.WithTimeout(t.Context(), patience)
	defer done()
	if err := board.Stop(stopping); err != nil {
		t.Errorf("Stop: %v", err)
	}
	cancel()
	<-asked
}

func TestBoardKeepsTheLifecycleContract(t *testing.T) {
	t.Parallel()
	lifecycletest.Stress(t, func() lifecycle.Service {
		return leaderboard.New(options(t, &store{}, clockwork.NewFakeClock()))
	})
}
