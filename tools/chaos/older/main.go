//go:build older

// Command chaos is a worker of the commit before the queue was made to hold
// under chaos (programs.OlderCommit). It is built within the tree of that
// commit, so it uses nothing of this one, and is frozen: it changes no more.
// It writes the same history as internal/worker, and takes no traps.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/etrainer/backend/pkg/config"
	"github.com/etrainer/backend/pkg/fleet"
	"github.com/etrainer/backend/pkg/fleet/mongofleet"
	"github.com/etrainer/backend/pkg/lifecycle"
	"github.com/etrainer/backend/pkg/mongodb"
	"github.com/etrainer/backend/pkg/queue"
	"github.com/etrainer/backend/pkg/queue/mongoqueue"
	"github.com/etrainer/backend/pkg/redis"
	"github.com/etrainer/backend/pkg/runner"
	"github.com/etrainer/backend/pkg/wake/rediswake"
)

// options are worker.Options.
type options struct {
	Process, History, URI, RedisURL string
}

// line is history.Line.
type line struct {
	At      int64         `json:"at"`
	Began   int64         `json:"began,omitempty"`
	Process string        `json:"process"`
	Event   string        `json:"event"`
	Job     string        `json:"job,omitempty"`
	Name    string        `json:"name,omitempty"`
	Tick    int64         `json:"tick,omitempty"`
	Attempt int           `json:"attempt,omitempty"`
	Holder  string        `json:"holder,omitempty"`
	Outcome string        `json:"outcome,omitempty"`
	Key     string        `json:"key,omitempty"`
	Note    string        `json:"note,omitempty"`
	For     time.Duration `json:"for,omitempty"`
	Count   int           `json:"count,omitempty"`
}

type history struct {
	process string
	mu      sync.Mutex
	file    *os.File
}

func (h *history) write(l line) {
	h.mu.Lock()
	defer h.mu.Unlock()
	l.At, l.Process = now(), h.process
	text, err := json.Marshal(l)
	if err == nil {
		_, err = h.file.Write(append(text, '\n'))
	}
	if err != nil {
		panic(err)
	}
}

func now() int64 {
	var at unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &at); err != nil {
		panic(err)
	}
	return at.Nano()
}

func main() {
	if err := run(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, "older chaos worker: "+err.Error())
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	var o options
	if err := json.Unmarshal([]byte(os.Args[1]), &o); err != nil {
		return err
	}
	file, err := os.OpenFile(o.History+"/"+o.Process+".history", os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	h := &history{process: o.Process, file: file}
	h.write(line{Event: "life", Note: "older"})
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	client, err := mongodb.Connect(ctx, mongodb.Options{URI: o.URI, AppName: o.Process, Log: log})
	if err != nil {
		return err
	}
	wakes, err := redis.Env{URL: config.Secret(o.RedisURL)}.Open()
	if err != nil {
		return err
	}
	clock := mongodb.NewServerClock(client, log)
	db := client.Database()
	s := &store{mongoqueue.New(db, mongoqueue.Options{Now: clock.Now, Log: log}), h}
	subscriber := rediswake.NewSubscriber(wakes, client.Namespace(), log)
	var running *runner.Runner
	holder := func() string { return running.Instance() }
	running = runner.New(runner.Options{
		Store: s, Settings: s, Registry: &registry{mongofleet.New(db, clock.Now), h}, Now: clock.Now, Handlers: handlers(h, holder),
		Subscriber: subscriber, Publisher: rediswake.NewPublisher(wakes, client.Namespace()),
		PollInterval: time.Second, IdleInterval: 3 * time.Second, Host: "older", PID: os.Getpid(), Log: log,
	})
	parts := lifecycle.NewGroup(log)
	parts.Add("clock", clock)
	parts.Add("wake", subscriber)
	parts.Add("runner", running)
	if err := parts.Start(ctx); err != nil {
		return err
	}
	_, _ = io.Copy(io.Discard, os.Stdin)
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	return parts.Stop(ctx)
}

type store struct {
	*mongoqueue.Store
	h *history
}

func (s *store) Lease(ctx context.Context, request queue.LeaseRequest) (queue.Batch, error) {
	began := now()
	batch, err := s.Store.Lease(ctx, request)
	for _, lease := range batch.Leases {
		l := of("claim", lease)
		l.Began = began
		s.h.write(l)
	}
	return batch, err
}

func (s *store) Record(ctx context.Context, endings []queue.Ending) ([]error, error) {
	began := now()
	results, err := s.Store.Record(ctx, endings)
	if err != nil {
		return results, err
	}
	for i, ending := range endings {
		l := of("record", ending.Lease)
		l.Began, l.Outcome = began, string(ending.Outcome)
		if results[i] != nil {
			l.Note = results[i].Error()
		}
		s.h.write(l)
	}
	return results, nil
}

func (s *store) Rescue(ctx context.Context, instance string, keep ...*queue.Lease) (int, error) {
	began := now()
	n, err := s.Store.Rescue(ctx, instance, keep...)
	if err == nil {
		s.h.write(line{Event: "rescue", Began: began, Holder: instance, Count: n})
	}
	return n, err
}

func of(event string, lease *queue.Lease) line {
	return line{
		Event: event, Job: lease.Job.ID.Hex(), Name: lease.Job.Name, Tick: lease.Tick.UnixMilli(), Attempt: lease.Attempt, Holder: lease.Holder,
	}
}

type registry struct {
	fleet.Registry
	h *history
}

func (r *registry) Register(ctx context.Context, self fleet.Instance) error {
	return r.note(self, r.Registry.Register(ctx, self), now())
}

func (r *registry) Beat(ctx context.Context, self fleet.Instance) error {
	began := now()
	return r.note(self, r.Registry.Beat(ctx, self), began)
}

func (r *registry) note(self fleet.Instance, err error, began int64) error {
	l := line{Event: "beat", Began: began, Holder: self.ID, For: self.ExpiresAt.Sub(self.SeenAt), Count: self.InFlight}
	if err != nil {
		l.Note = err.Error()
	}
	r.h.write(l)
	return err
}
