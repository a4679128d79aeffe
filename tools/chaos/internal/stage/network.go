package stage

import (
	"context"
	"slices"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/etrainer/backend/tools/chaos/internal/history"
	"github.com/etrainer/backend/tools/chaos/internal/plan"
	"github.com/etrainer/backend/tools/chaos/internal/proxy"
)

// modes are what the faults of the network do to proxies.
var modes = map[plan.Kind]proxy.Mode{plan.Hole: proxy.Hole, plan.Refuse: proxy.Refuse, plan.Tear: proxy.Tear, plan.Delay: proxy.Pass}

// breakNetwork begins a fault of the network to the database.
func (s *Stage) breakNetwork(f plan.Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.broken = append(s.broken, f)
	s.applyNetwork()
}

// mendNetwork ends it.
func (s *Stage) mendNetwork(f plan.Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.broken = slices.DeleteFunc(s.broken, func(other plan.Fault) bool { return other == f })
	s.applyNetwork()
}

// applyNetwork gives each wire the newest fault that is about it.
func (s *Stage) applyNetwork() {
	for name, a := range s.actors {
		mode, delay := proxy.Pass, time.Duration(0)
		for _, f := range s.broken {
			if f.Target == "" || f.Target == name {
				mode, delay = modes[f.Kind], f.Slow
			}
		}
		s.set(a.database, mode, delay)
	}
}

// set changes a wire; a port that was closed may take a moment to open again.
func (s *Stage) set(wire *proxy.Proxy, mode proxy.Mode, delay time.Duration) {
	var err error
	for range 50 {
		if err = wire.Set(mode, delay); err == nil {
			return
		}
		wait(context.Background(), 100*time.Millisecond) // also at the end: nothing works without
	}
	panic(err)
}

func (s *Stage) muteRedis(mode proxy.Mode) {
	for _, a := range s.actors {
		s.set(a.redis, mode, 0)
	}
}

// flushRedis empties Redis and breaks its subscriptions.
func (s *Stage) flushRedis(ctx context.Context) {
	wire, err := proxy.New(s.redis.target)
	if err != nil {
		panic(err)
	}
	defer wire.Close()
	client := redis.NewClient(&redis.Options{Addr: wire.Address(), MaxRetries: -1})
	defer client.Close()
	for _, command := range [][]any{{"FLUSHALL"}, {"CLIENT", "KILL", "TYPE", "pubsub"}} {
		if err := client.Do(ctx, command...).Err(); err != nil {
			s.log.Write(history.Line{Event: history.Note, Note: "Redis not flushed: " + err.Error()})
		}
	}
}
