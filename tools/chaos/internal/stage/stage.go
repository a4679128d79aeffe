package stage

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/etrainer/backend/pkg/job"
	"github.com/etrainer/backend/pkg/queue/mongoqueue"
	"github.com/etrainer/backend/tools/chaos/internal/history"
	"github.com/etrainer/backend/tools/chaos/internal/kinds"
	"github.com/etrainer/backend/tools/chaos/internal/plan"
	"github.com/etrainer/backend/tools/chaos/internal/programs"
	"github.com/etrainer/backend/tools/chaos/internal/proxy"
)

// Stage is one seed at work. It is used once: Run.
type Stage struct {
	programs *programs.Set
	plan     plan.Plan
	folder   string // of the database, the logs and the history
	log      *history.Log

	database, redis *server
	db              *mongo.Database // by a wire that no fault touches
	front           *front
	actors          map[string]*actor
	closers         []func()
	secret          string // of the api's tokens

	mu      sync.Mutex
	broken  []plan.Fault    // faults of the network that go on, oldest first
	damaged []bson.RawValue // ids of documents that are damaged on purpose
}

// New makes a stage in a folder, with a copy of the database files in template
// (see Template).
func New(set *programs.Set, p plan.Plan, folder, template string) (_ *Stage, err error) {
	s := &Stage{programs: set, plan: p, folder: folder, actors: map[string]*actor{}, secret: rand.Text() + rand.Text()}
	if err := os.CopyFS(filepath.Join(folder, "data"), os.DirFS(template)); err != nil {
		return nil, fmt.Errorf("copy the database: %w", err)
	}
	if s.log, err = history.Open(folder, "stage", nil); err != nil {
		return nil, err
	}
	servers, err := os.OpenFile(filepath.Join(folder, "servers.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("make a log: %w", err)
	}
	s.closers = append(s.closers, func() { _ = s.log.Close() }, func() { _ = servers.Close() })
	s.database = newDatabase(set.Dev, filepath.Join(folder, "data"), s.log, servers)
	s.redis = newRedis(set.Redis, set.Dev, folder, s.log, servers)
	s.front = &front{log: s.log, client: newHTTPClient()}
	return s, nil
}

// open starts the servers and all processes, and waits until they work.
func (s *Stage) open(ctx context.Context) error {
	if err := errors.Join(s.database.start(ctx), s.redis.start(ctx)); err != nil {
		return err
	}
	if err := s.connect(ctx); err != nil {
		return err
	}
	store := mongoqueue.New(s.db, mongoqueue.Options{})
	if err := store.ChangeSettings(ctx, job.Settings{Name: kinds.Limited.Name, Concurrency: kinds.Limit}); err != nil {
		return err
	}
	names := append([]string{plan.API}, plan.Workers...)
	if s.programs.Node != "" {
		names = append(names, plan.Node)
	}
	for _, name := range names {
		a, err := s.newActor(name)
		if err != nil {
			return err
		}
		s.actors[name] = a
		a.start()
	}
	if s.programs.Older != "" {
		older, err := s.newActor(plan.OlderWorker)
		if err != nil {
			return err
		}
		s.actors[plan.OlderWorker] = older // started by its fault
	}
	ready, cancel := context.WithTimeout(ctx, serverPatience)
	defer cancel()
	for _, name := range names {
		if err := s.actors[name].process.Ready(ready); err != nil {
			return err
		}
	}
	return s.front.logIn(ctx)
}

// connect opens the stage's own wire to the database.
func (s *Stage) connect(ctx context.Context) error {
	wire, err := proxy.New(s.database.target)
	if err != nil {
		return err
	}
	client, err := mongo.Connect(options.Client().ApplyURI("mongodb://" + wire.Address()).SetServerSelectionTimeout(serverPatience))
	if err != nil {
		return fmt.Errorf("connect the stage: %w", err)
	}
	s.closers = append(s.closers, func() { _ = client.Disconnect(context.WithoutCancel(ctx)); wire.Close() })
	s.db = client.Database(databaseName)
	return client.Ping(ctx, nil)
}

// close ends everything that is still there.
func (s *Stage) close() {
	for _, a := range s.actors {
		if a.process != nil {
			_ = a.process.Stop(a.term, time.Millisecond) // those in good order were asked before
		}
	}
	if s.front != nil {
		s.front.client.CloseIdleConnections()
	}
	s.redis.kill()
	s.database.kill()
	for _, closer := range slices.Backward(s.closers) {
		closer()
	}
}
