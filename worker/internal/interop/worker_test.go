package interop_test

import (
	"context"
	"encoding/json"
	"os"
	"sync"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/etrainer/backend/pkg/catalog"
	"github.com/etrainer/backend/pkg/fleet/mongofleet"
	"github.com/etrainer/backend/pkg/job"
	"github.com/etrainer/backend/pkg/queue/mongoqueue"
	"github.com/etrainer/backend/pkg/runner"
)

// run is one call of a handler, on either side.
type run struct {
	Job     string // id
	Name    string
	Data    string // as JSON
	Tick    time.Time
	Attempt int
	At      time.Time
}

// runs are the calls of handlers in one process.
type runs struct {
	mu  sync.Mutex
	all []run
}

func (r *runs) add(one run) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.all = append(r.all, one)
}

func (r *runs) list() []run {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]run(nil), r.all...)
}

func (r *runs) count() int { return len(r.list()) }

// of lists the runs of one job.
func (r *runs) of(id string) []run {
	var found []run
	for _, one := range r.list() {
		if one.Job == id {
			found = append(found, one)
		}
	}
	return found
}

// payload accepts any data.
type payload map[string]any

// Validate implements catalog.Payload.
func (payload) Validate() error { return nil }

// kind is a job that our worker runs: do may be nil.
type kind struct {
	catalog.Definition

	do func(ctx context.Context) error
}

func named(name string) kind { return kind{Definition: catalog.Definition{Name: name}} }

// worker is our worker within the test's process.
type worker struct {
	*runner.Runner

	runs runs
}

// startWorker starts a worker, which stops when the test ends.
func startWorker(t *testing.T, db *mongo.Database, kinds ...kind) *worker {
	t.Helper()
	w := &worker{}
	options := workerOptions(newStore(t, db), db)
	for _, k := range kinds {
		options.Handlers = append(options.Handlers, w.handler(k))
	}
	w.Runner = runner.New(options)
	if err := w.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := w.Stop(ctx); err != nil {
			t.Errorf("stop the worker: %v", err)
		}
	})
	return w
}

// workerOptions are those of the product, but for a shorter poll: there is no
// Redis that would wake the worker.
func workerOptions(store *mongoqueue.Store, db *mongo.Database) runner.Options {
	return runner.Options{
		Store: store, Settings: store, Registry: mongofleet.New(db, store.Now), Server: runner.LocalTime(store.Now),
		PollInterval: 500 * time.Millisecond, Host: "interop", PID: os.Getpid(), Version: "test",
	}
}

func (w *worker) handler(k kind) runner.Handler {
	return runner.Handle(catalog.Job[payload]{Definition: k.Definition}, func(ctx context.Context, j runner.Job[payload]) (any, error) {
		data, err := json.Marshal(j.Payload)
		if err != nil {
			return nil, err
		}
		w.runs.add(run{Job: j.ID.Hex(), Name: j.Name, Data: string(data), Tick: j.Tick, Attempt: j.Attempt, At: time.Now()})
		if k.do == nil {
			return nil, nil
		}
		return nil, k.do(ctx)
	})
}

// gate lets a test decide when handlers go on.
type gate struct {
	open chan struct{}
	once sync.Once
}

func newGate(t *testing.T) *gate {
	t.Helper()
	g := &gate{open: make(chan struct{})}
	t.Cleanup(g.release) // before the worker is stopped, which waits for its handlers
	return g
}

func (g *gate) release() { g.once.Do(func() { close(g.open) }) }

// wait is a handler that goes on until release.
func (g *gate) wait(ctx context.Context) error {
	select {
	case <-g.open:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// plain renders a BSON value as JSON with sorted keys.
func plain(value bson.RawValue) string {
	return sorted(job.PlainValue(value))
}

// sorted renders a value as JSON with sorted keys.
func sorted(value any) string {
	text, err := json.Marshal(value)
	if err != nil {
		return err.Error()
	}
	var loose any
	if err := json.Unmarshal(text, &loose); err != nil {
		return err.Error()
	}
	text, err = json.Marshal(loose)
	if err != nil {
		return err.Error()
	}
	return string(text)
}
