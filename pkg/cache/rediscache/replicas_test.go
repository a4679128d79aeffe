package rediscache_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/etrainer/backend/pkg/cache"
	"github.com/etrainer/backend/pkg/cache/fallback"
	"github.com/etrainer/backend/pkg/cache/rediscache"
	"github.com/etrainer/backend/pkg/mongodb/mongotest"
)

// replica is the cache of one api process: Redis, and its own memory behind it.
type replica struct {
	*fallback.Cache
	memory *cache.Memory
	heard  chan cache.Notice // what it has forgotten
}

func startReplica(t *testing.T, prefix string) replica {
	t.Helper()
	memory, err := cache.NewMemory(cache.MemoryOptions{})
	if err != nil {
		t.Fatal(err)
	}
	shared := rediscache.New(connect(t, ""), prefix, patience)
	heard := make(chan cache.Notice, 100)
	listener := rediscache.NewListener(shared, func(ctx context.Context, n cache.Notice) {
		memory.Forget(ctx, n)
		heard <- n
	}, nil)
	if err := listener.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := listener.Stop(context.Background()); err != nil {
			t.Errorf("Stop: %v", err)
		}
	})
	next(t, heard) // it has joined
	return replica{fallback.New(shared, memory, nil, nil), memory, heard}
}

// A value that one replica keeps is found by the others, also where theirs is older.
func TestReplicasShareTheirValues(t *testing.T) {
	t.Parallel()
	prefix := mongotest.Name(t)
	here, there := startReplica(t, prefix), startReplica(t, prefix)
	for _, value := range []string{"old", "new"} {
		if err := here.Set(t.Context(), "leaderboard", []byte(value), time.Hour); err != nil {
			t.Fatal(err)
		}
		if got, err := there.Get(t.Context(), "leaderboard"); err != nil || string(got) != value {
			t.Errorf("the other replica finds %q, %v; want %q", got, err, value)
		}
		if err := there.memory.Set(t.Context(), "leaderboard", []byte("old"), time.Hour); err != nil {
			t.Fatal(err)
		}
	}
}

// A key that Redis has lost may be in a memory, from which it would come back
// when Redis goes away.
func TestADeleteOfWhatRedisLostReachesAllReplicas(t *testing.T) {
	t.Parallel()
	prefix := mongotest.Name(t)
	here, there := startReplica(t, prefix), startReplica(t, prefix)
	if err := there.memory.Set(t.Context(), "leaderboard", []byte("old"), time.Hour); err != nil {
		t.Fatal(err)
	}
	if err := here.Delete(t.Context(), "leaderboard:loading"); err != nil { // nothing to them
		t.Fatal(err)
	}
	if err := here.Delete(t.Context(), "leaderboard", "leaderboard:loading"); err != nil {
		t.Fatal(err)
	}
	if n := next(t, there.heard); n.All || len(n.Keys) != 1 || n.Keys[0] != "leaderboard" {
		t.Errorf("the other replica was told %+v", n)
	}
	if value, err := there.memory.Get(t.Context(), "leaderboard"); !errors.Is(err, cache.ErrMiss) {
		t.Errorf("its memory has %q, %v", value, err)
	}
}

// A clear in one replica empties Redis and the memory of every replica: what is
// left in a memory would come back when Redis goes away.
func TestAClearReachesAllReplicas(t *testing.T) {
	t.Parallel()
	prefix := mongotest.Name(t)
	replicas := []replica{startReplica(t, prefix), startReplica(t, prefix), startReplica(t, prefix)}
	for _, r := range replicas {
		if err := r.Set(t.Context(), "leaderboard", []byte("old"), time.Hour); err != nil {
			t.Fatal(err)
		}
		if _, err := r.memory.Get(t.Context(), "leaderboard"); err != nil {
			t.Fatalf("memory is not warm: %v", err)
		}
	}
	if err := replicas[0].Clear(t.Context()); err != nil {
		t.Fatal(err)
	}
	for i, r := range replicas {
		if n := next(t, r.heard); !n.All {
			t.Errorf("replica %d was told %+v", i, n)
		}
		for layer, c := range map[string]cache.Cache{"both": r.Cache, "memory": r.memory} {
			if value, err := c.Get(t.Context(), "leaderboard"); !errors.Is(err, cache.ErrMiss) {
				t.Errorf("replica %d, %s: %q, %v; want a miss", i, layer, value, err)
			}
		}
	}
}
