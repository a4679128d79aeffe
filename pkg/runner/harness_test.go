package runner_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/event"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/etrainer/backend/pkg/catalog"
	"github.com/etrainer/backend/pkg/fleet"
	"github.com/etrainer/backend/pkg/fleet/mongofleet"
	"github.com/etrainer/backend/pkg/job"
	"github.com/etrainer/backend/pkg/mongodb/mongotest"
	"github.com/etrainer/backend/pkg/queue"
	"github.com/etrainer/backend/pkg/queue/mongoqueue"
	"github.com/etrainer/backend/pkg/runner"
	"github.com/etrainer/backend/pkg/schedule"
	"github.com/etrainer/backend/pkg/wake"
)

func TestMain(m *testing.M) { mongotest.Main(m) }

// patience is how long a test waits for what must happen. Tests pass long
// before; it is what a broken promise costs. Where promises are broken on
// purpose (tools/mutate), TEST_PATIENCE says how long.
var patience = func() time.Duration {
	if set, err := time.ParseDuration(os.Getenv("TEST_PATIENCE")); err == nil {
		return set
	}
	return 90 * time.Second
}()

// note is the payload of the tests' jobs.
type note struct {
	N int `json:"n"`
}

func (n note) Validate() error {
	if n.N < 0 {
		return errors.New("n is negative; send a number from 0")
	}
	return nil
}

type noteJob = runner.Job[note]

// handler makes a handler of a function. Definitions differ by shape.
func handler(name string, run func(context.Context, noteJob) (any, error), shape ...func(*catalog.Definition)) runner.Handler {
	definition := catalog.Definition{Name: name, Retry: job.Retry{Delay: time.Millisecond, Jitter: -1}}
	for _, change := range shape {
		change(&definition)
	}
	return runner.Handle(catalog.Define[note](definition), run)
}

// noop is a handler that does nothing.
func noop(name string, shape ...func(*catalog.Definition)) runner.Handler {
	return handler(name, func(context.Context, noteJob) (any, error) { return nil, nil }, shape...)
}

// hub carries wake signals between the client and the runners of a test.
type hub struct {
	mu          sync.Mutex
	subscribers []chan wake.Signal
	seen        []wake.Signal
}

func (h *hub) Publish(_ context.Context, signal wake.Signal) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.seen = append(h.seen, signal)
	for _, s := range h.subscribers {
		select {
		case s <- signal:
		default:
		}
	}
	return nil
}

func (h *hub) published() []wake.Signal {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.seen)
}

// ear is one subscriber of a hub.
type ear chan wake.Signal

func (h *hub) subscribe() ear {
	h.mu.Lock()
	defer h.mu.Unlock()
	s := make(ear, 64)
	h.subscribers = append(h.subscribers, s)
	return s
}

func (e ear) Signals() <-chan wake.Signal { return e }
func (e ear) Connected() bool             { return true }

// bench is an empty queue, a client of it, and a hub.
type bench struct {
	t      *testing.T
	db     *mongo.Database
	store  *mongoqueue.Store
	client *queue.Client
	hub    *hub
}

// newBench returns a bench on a database of its own; monitor may be nil.
func newBench(t *testing.T, monitor *event.CommandMonitor) *bench {
	t.Helper()
	return onDatabase(t, mongotest.Database(t, options.Client().SetMonitor(monitor)), time.Now)
}

func onDatabase(t *testing.T, db *mongo.Database, now func() time.Time) *bench {
	t.Helper()
	b := &bench{t: t, db: db, hub: &hub{}, store: mongoqueue.New(db, mongoqueue.Options{Now: now})}
	if err := b.store.Prepare(t.Context()); err != nil {
		t.Fatal(err)
	}
	b.client = b.clientWith(b.hub)
	return b
}

// clientWith returns a client that takes every name of the tests.
func (b *bench) clientWith(publisher wake.Publisher) *queue.Client {
	names := func(context.Context, string) ([]string, error) { return []string{"a", "b", "c"}, nil }
	return queue.NewClient(b.store, catalog.New(), publisher, queue.ClientOptions{OtherNames: names})
}

// options are those of a runner that hears the hub.
func (b *bench) options(handlers ...runner.Handler) runner.Options {
	return runner.Options{
		Store: b.store, Settings: b.store, Registry: mongofleet.New(b.db, b.store.Now), Server: runner.LocalTime(b.store.Now), Handlers: handlers,
		Publisher: b.hub, Subscriber: b.hub.subscribe(), Host: "test",
	}
}

// start starts a runner, and stops it with the test.
func (b *bench) start(o runner.Options) *runner.Runner {
	b.t.Helper()
	r := runner.New(o)
	if err := r.Start(b.t.Context()); err != nil {
		b.t.Fatalf("Start: %v", err)
	}
	b.t.Cleanup(func() { b.stop(r, patience) })
	return r
}

// stop stops a runner that has nothing left to do, or soon.
func (b *bench) stop(r *runner.Runner, grace time.Duration) {
	b.t.Helper()
	if err := stopWithin(r, grace); err != nil {
		b.t.Errorf("Stop: %v", err)
	}
}

func stopWithin(r *runner.Runner, grace time.Duration) error {
	ctx, cancel := context.WithTimeout(context.Background(), grace) // the test's own may have ended
	defer cancel()
	return r.Stop(ctx)
}

func (b *bench) enqueue(name string, payload any, o ...queue.Option) bson.ObjectID {
	b.t.Helper()
	receipt, err := b.client.Enqueue(b.t.Context(), name, payload, o...)
	if err != nil {
		b.t.Fatalf("Enqueue: %v", err)
	}
	return receipt.Job.ID
}

// enqueueMany stores n jobs in one command, before any wake-up.
func (b *bench) enqueueMany(name string, n int) []bson.ObjectID {
	b.t.Helper()
	requests := make([]queue.Request, n)
	for i := range requests {
		data, err := job.ToData(note{N: i})
		if err != nil {
			b.t.Fatal(err)
		}
		requests[i] = queue.Request{Name: name, Data: data}
	}
	receipts, err := b.client.EnqueueMany(b.t.Context(), requests...)
	if err != nil {
		b.t.Fatal(err)
	}
	ids := make([]bson.ObjectID, n)
	for i := range ids {
		ids[i] = receipts[i].Job.ID
	}
	return ids
}

func (b *bench) get(id bson.ObjectID) *job.Document {
	b.t.Helper()
	document, err := b.store.Get(b.t.Context(), id)
	if err != nil {
		b.t.Fatalf("Get: %v", err)
	}
	return document
}

// runs lists the runs of a job, oldest first.
func (b *bench) runs(id bson.ObjectID) []job.Run {
	b.t.Helper()
	runs, err := b.store.Runs(b.t.Context(), id, 200)
	if err != nil {
		b.t.Fatalf("Runs: %v", err)
	}
	slices.Reverse(runs)
	return runs
}

// outcomes waits until a job has n runs that ended, and returns how.
func (b *bench) outcomes(id bson.ObjectID, n int) []job.Run {
	b.t.Helper()
	var runs []job.Run
	eventually(b.t, "the runs end", func() bool {
		runs = b.runs(id)
		ended := 0
		for _, run := range runs {
			if run.Outcome != job.Open {
				ended++
			}
		}
		return ended >= n
	})
	return runs
}

// ended waits for the first run of a job to end, and returns it.
func (b *bench) ended(id bson.ObjectID) job.Run {
	b.t.Helper()
	return b.outcomes(id, 1)[0]
}

// state fails the test when a job is in another state.
func (b *bench) state(id bson.ObjectID, want job.State) {
	b.t.Helper()
	if got := b.get(id).State(b.store.Now()); got != want {
		b.t.Errorf("the job is %s, want %s", got, want)
	}
}

func said(t *testing.T, run job.Run) (lines []string) {
	t.Helper()
	for _, line := range run.Logs {
		lines = append(lines, line.Level+" "+line.Message)
	}
	return lines
}

func resultOf(t *testing.T, run job.Run) string {
	t.Helper()
	text, err := json.Marshal(job.PlainValue(run.Result))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// eventually waits for a condition.
func eventually(t testing.TB, what string, condition func() bool) {
	t.Helper()
	deadline := time.Now().Add(patience)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !condition() {
		if time.Now().After(deadline) {
			t.Fatalf("it did not come to pass that %s", what)
		}
		<-tick.C
	}
}

// receive waits for a value.
func receive[T any](t testing.TB, what string, from <-chan T) T {
	t.Helper()
	select {
	case value := <-from:
		return value
	case <-time.After(patience):
		t.Fatalf("%s did not come", what)
		panic("unreachable")
	}
}

// gate is a handler that tells when it starts, and ends when it is let go or
// told to stop.
type gate struct {
	started chan noteJob
	letGo   chan struct{}
	causes  chan error // of the contexts that ended
}

func newGate() *gate {
	return &gate{started: make(chan noteJob, 1000), letGo: make(chan struct{}), causes: make(chan error, 1000)}
}

func (g *gate) run(ctx context.Context, j noteJob) (any, error) {
	g.started <- j
	select {
	case <-g.letGo:
		return "let go", nil
	case <-ctx.Done():
		g.causes <- context.Cause(ctx)
		return nil, ctx.Err()
	}
}

var (
	everySecond = schedule.Spec{Interval: "1 second"}
	dueSignal   = wake.Signal{Kind: wake.Due, Name: "a"}
)

// lockedBuffer is a buffer for a logger of many goroutines.
type lockedBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// instance is a worker that was last seen at a time and expires at another.
func instance(id string, seen, expires time.Time) fleet.Instance {
	return fleet.Instance{ID: id, Kind: fleet.Worker, StartedAt: seen, SeenAt: seen, ExpiresAt: expires, InFlight: 1}
}

// lookout tells each time the fleet has been read.
type lookout struct {
	fleet.Registry
	looks chan struct{}
}

func (l *lookout) Instances(ctx context.Context) ([]fleet.Instance, error) {
	instances, err := l.Registry.Instances(ctx)
	l.looks <- struct{}{}
	return instances, err
}
