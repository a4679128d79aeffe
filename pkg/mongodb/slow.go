package mongodb

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/event"
)

// slowLog writes a line for each command that took long. It names the command
// and the collection, and never what is in them.
type slowLog struct {
	threshold time.Duration
	log       *slog.Logger
	started   sync.Map // of commandKey to the name of the collection
}

// commandKey tells commands apart: request ids alone repeat between connections.
type commandKey struct {
	connection string
	request    int64
}

func (s *slowLog) monitor() *event.CommandMonitor {
	return &event.CommandMonitor{
		Started: func(_ context.Context, e *event.CommandStartedEvent) {
			if waits(e.CommandName, e.Command) {
				return
			}
			s.started.Store(commandKey{e.ConnectionID, e.RequestID}, collectionOf(e.CommandName, e.Command))
		},
		Succeeded: func(ctx context.Context, e *event.CommandSucceededEvent) { s.ended(ctx, &e.CommandFinishedEvent, "ok") },
		Failed: func(ctx context.Context, e *event.CommandFailedEvent) {
			s.ended(ctx, &e.CommandFinishedEvent, "failed")
		},
	}
}

func (s *slowLog) ended(ctx context.Context, e *event.CommandFinishedEvent, outcome string) {
	collection, known := s.started.LoadAndDelete(commandKey{e.ConnectionID, e.RequestID})
	if !known || e.Duration < s.threshold {
		return
	}
	s.log.WarnContext(ctx, "slow database command", slog.String("command", e.CommandName), slog.Any("collection", collection),
		slog.String("database", e.DatabaseName), slog.Float64("duration_ms", float64(e.Duration.Microseconds())/1000), slog.String("outcome", outcome))
}

// waits reports whether a command is meant to wait for news, as that of a change
// stream does.
func waits(name string, command bson.Raw) bool {
	return name == "getMore" && command.Lookup("maxTimeMS").Type != 0
}

// collectionOf is the collection that a command works on; "" = none.
func collectionOf(name string, command bson.Raw) string {
	key := name
	if name == "getMore" {
		key = "collection"
	}
	collection, _ := command.Lookup(key).StringValueOK()
	return collection
}

// monitors makes one monitor of several; nil ones count nothing.
func monitors(all ...*event.CommandMonitor) *event.CommandMonitor {
	var some []*event.CommandMonitor
	for _, m := range all {
		if m != nil {
			some = append(some, m)
		}
	}
	if len(some) == 0 {
		return nil
	}
	return &event.CommandMonitor{
		Started: func(ctx context.Context, e *event.CommandStartedEvent) {
			for _, m := range some {
				if m.Started != nil {
					m.Started(ctx, e)
				}
			}
		},
		Succeeded: func(ctx context.Context, e *event.CommandSucceededEvent) {
			for _, m := range some {
				if m.Succeeded != nil {
					m.Succeeded(ctx, e)
				}
			}
		},
		Failed: func(ctx context.Context, e *event.CommandFailedEvent) {
			for _, m := range some {
				if m.Failed != nil {
					m.Failed(ctx, e)
				}
			}
		},
	}
}
