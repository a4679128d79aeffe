package mongodb_test

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jonboulle/clockwork"
	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/etrainer/backend/pkg/lifecycle"
	"github.com/etrainer/backend/pkg/lifecycle/lifecycletest"
	"github.com/etrainer/backend/pkg/mongodb"
	"github.com/etrainer/backend/pkg/mongodb/wiretest"
)

// aheadServer is a server whose clock is ahead of ours.
func aheadServer(t *testing.T, clock clockwork.Clock, ahead *atomic.Int64) *wiretest.Server {
	t.Helper()
	return wiretest.New(t, func(command bson.Raw) bson.D {
		if wiretest.Name(command) == "hello" && wiretest.Database(command) != "admin" {
			return bson.D{{Key: "localTime", Value: clock.Now().Add(time.Duration(ahead.Load()))}}
		}
		return plain(command)
	})
}

func TestServerClockFollowsTheServer(t *testing.T) {
	t.Parallel()
	ours := clockwork.NewFakeClockAt(time.Date(2025, 3, 1, 9, 0, 0, 0, time.UTC))
	var ahead atomic.Int64
	ahead.Store(int64(time.Minute))
	journal, log := newJournal()
	client := connect(t, mongodb.Options{URI: "mongodb://" + aheadServer(t, ours, &ahead).Host(), Clock: ours})
	clock := mongodb.NewServerClock(client, log)
	if err := clock.Start(t.Context()); err != nil {
		t.Fatalf("Start: %v", err)
	}
	t.Cleanup(func() {
		if err := clock.Stop(context.WithoutCancel(t.Context())); err != nil {
			t.Errorf("Stop: %v", err)
		}
	})
	if got, want := clock.Now(), ours.Now().Add(time.Minute); !got.Equal(want) {
		t.Errorf("Now after Start = %v, want %v", got, want)
	}
	if line := <-journal.lines; !strings.Contains(line, "offset=1m0s") {
		t.Errorf("the log does not tell of the offset: %s", line)
	}

	ahead.Store(int64(-time.Hour))
	if err := ours.BlockUntilContext(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	ours.Advance(10 * time.Minute)
	if line := <-journal.lines; !strings.Contains(line, "offset=-1h0m0s") {
		t.Errorf("the log does not tell of the new offset: %s", line)
	}
	if got, want := clock.Now(), ours.Now().Add(-time.Hour); !got.Equal(want) {
		t.Errorf("Now after ten minutes = %v, want %v", got, want)
	}
}

func TestServerClockKeepsTheContract(t *testing.T) {
	t.Parallel()
	client := connect(t, mongodb.Options{URI: "mongodb://" + aheadServer(t, clockwork.NewRealClock(), new(atomic.Int64)).Host()})
	_, log := newJournal()
	lifecycletest.Stress(t, func() lifecycle.Service { return mongodb.NewServerClock(client, log) })
}

func TestServerClockNeedsTheServerToStart(t *testing.T) {
	t.Parallel()
	client := connect(t, mongodb.Options{URI: "mongodb://" + wiretest.New(t, plain).Host()})
	if err := client.Close(t.Context()); err != nil {
		t.Fatalf("Close: %v", err)
	}
	_, log := newJournal()
	clock := mongodb.NewServerClock(client, log)
	if err := clock.Start(t.Context()); err == nil {
		t.Error("Start without a server succeeds")
	}
	if err := clock.Stop(t.Context()); err != nil {
		t.Errorf("Stop: %v", err)
	}
}
