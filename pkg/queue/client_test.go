package queue_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jonboulle/clockwork"

	"github.com/etrainer/backend/pkg/catalog"
	"github.com/etrainer/backend/pkg/errs"
	"github.com/etrainer/backend/pkg/job"
	"github.com/etrainer/backend/pkg/mongodb/mongotest"
	"github.com/etrainer/backend/pkg/queue"
	"github.com/etrainer/backend/pkg/queue/mongoqueue"
	"github.com/etrainer/backend/pkg/wake"
)

func TestMain(m *testing.M) { mongotest.Main(m) }

var start = time.Date(2024, 1, 17, 10, 20, 30, 456e6, time.UTC) // a Wednesday

type greeting struct {
	UserID string `json:"userId"`
	Lines  int    `json:"lines,omitempty"`
}

func (g greeting) Validate() error {
	if g.UserID == "" {
		return errors.New("userId is missing; send the id of a user")
	}
	return nil
}

var greet = catalog.Define[greeting](catalog.Definition{Name: "greet", Priority: job.PriorityHigh})

// station records the signals that were sent; away makes sending fail.
type station struct {
	mu   sync.Mutex
	sent []wake.Signal
	away error
}

func (s *station) Publish(_ context.Context, signal wake.Signal) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.away != nil {
		return s.away
	}
	s.sent = append(s.sent, signal)
	return nil
}

func (s *station) signals() []wake.Signal {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.sent)
}

// bench is a client on an empty queue.
type bench struct {
	t       *testing.T
	client  *queue.Client
	store   *mongoqueue.Store
	clock   *clockwork.FakeClock
	station *station
	log     *bytes.Buffer
}

func newBench(t *testing.T, options queue.ClientOptions) *bench {
	t.Helper()
	b := &bench{t: t, clock: clockwork.NewFakeClockAt(start), station: &station{}, log: &bytes.Buffer{}}
	b.store = mongoqueue.New(mongotest.Database(t), mongoqueue.Options{Now: b.clock.Now, Name: "api"})
	if err := b.store.Prepare(t.Context()); err != nil {
		t.Fatal(err)
	}
	options.Log = slog.New(slog.NewTextHandler(b.log, nil))
	b.client = queue.NewClient(b.store, catalog.New(greet.Definition, catalog.Definition{Name: "tidy"}), b.station, options)
	return b
}

func (b *bench) enqueue(name string, payload any, options ...queue.Option) queue.Receipt {
	b.t.Helper()
	receipt, err := b.client.Enqueue(b.t.Context(), name, payload, options...)
	if err != nil {
		b.t.Fatalf("Enqueue %q: %v", name, err)
	}
	return receipt
}

// empty fails the test when something was stored.
func (b *bench) empty() {
	b.t.Helper()
	page, err := b.store.List(b.t.Context(), queue.Filter{})
	if err != nil || len(page.Jobs) != 0 {
		b.t.Errorf("the queue holds %d jobs (%v), want none", len(page.Jobs), err)
	}
}

func TestEnqueueStoresAndWakes(t *testing.T) {
	t.Parallel()
	b := newBench(t, queue.ClientOptions{})
	receipt := b.enqueue("greet", greeting{UserID: "u1"})
	if !receipt.Created {
		t.Error("the receipt says that the job was there before")
	}
	stored, err := b.store.Get(t.Context(), receipt.Job.ID)
	if err != nil {
		t.Fatal(err)
	}
	if text, err := stored.DataJSON(); err != nil || string(text) != `{"userId":"u1"}` {
		t.Errorf("data is %s (%v)", text, err)
	}
	if stored.Priority != job.PriorityHigh || !stored.NextRunAt.Equal(start) || stored.Type != job.Normal || stored.LastModifiedBy != "api" {
		t.Errorf("stored %+v", stored)
	}
	if diff := cmp.Diff([]wake.Signal{{Kind: wake.Due, Name: "greet"}}, b.station.signals()); diff != "" {
		t.Errorf("signals:\n%s", diff)
	}
}

func TestEnqueueReadsTheTime(t *testing.T) {
	t.Parallel()
	b := newBench(t, queue.ClientOptions{Zone: time.FixedZone("there", 7*3600)})
	for _, c := range []struct {
		title  string
		option queue.Option
		want   time.Time
		wakes  bool
	}{
		{"at an instant", queue.At(start.Add(time.Hour)), start.Add(time.Hour), false},
		{"in the past", queue.At(start.Add(-time.Hour)), start.Add(-time.Hour), true},
		{"from now", queue.In(90 * time.Second), start.Add(90 * time.Second), false},
		{"soon enough to be announced", queue.In(time.Minute), start.Add(time.Minute), true},
		{"a millisecond too late to be announced", queue.In(time.Minute + time.Millisecond), start.Add(time.Minute + time.Millisecond), false},
		{"at once", queue.In(0), start, true},
		{"text", queue.When("now", nil), start, true},
		{"text in the client's zone", queue.When("2024-01-18 09:00", nil), time.Date(2024, 1, 18, 2, 0, 0, 0, time.UTC), false},
		{"text in the caller's zone", queue.When("2024-01-18 09:00", time.UTC), time.Date(2024, 1, 18, 9, 0, 0, 0, time.UTC), false},
	} {
		before := len(b.station.signals())
		receipt := b.enqueue("tidy", nil, c.option)
		if !receipt.Job.NextRunAt.Equal(c.want) {
			t.Errorf("%s: planned for %s, want %s", c.title, receipt.Job.NextRunAt, c.want)
		}
		if woke := len(b.station.signals()) > before; woke != c.wakes {
			t.Errorf("%s: announced: %t, want %t", c.title, woke, c.wakes)
		}
	}
}

func TestEnqueueOptions(t *testing.T) {
	t.Parallel()
	b := newBench(t, queue.ClientOptions{})
	if got := b.enqueue("greet", greeting{UserID: "u"}, queue.Priority(job.PriorityNormal)).Job.Priority; got != 0 {
		t.Errorf("priority is %v; the caller's 0 does not override the definition's", got)
	}
	if got := b.enqueue("tidy", nil).Job; got.Priority != 0 || got.Data.Type != 0 {
		t.Errorf("priority %v, data %s; want none", got.Priority, got.Data)
	}

	first := b.enqueue("greet", greeting{UserID: "u7"}, queue.UniqueBy(map[string]any{"userId": "u7"}, false))
	second := b.enqueue("greet", greeting{UserID: "u7", Lines: 2}, queue.UniqueBy(map[string]any{"userId": "u7"}, false))
	if second.Created || second.Job.ID != first.Job.ID {
		t.Errorf("unique made a second job: %+v", second)
	}

	first = b.enqueue("greet", greeting{UserID: "u8"}, queue.Idempotent("caller 1: k"))
	second = b.enqueue("greet", greeting{UserID: "u8"}, queue.Idempotent("caller 1: k"))
	if second.Created || second.Job.ID != first.Job.ID {
		t.Errorf("the idempotency key made a second job: %+v", second)
	}

	foreign := b.enqueue("node only", json.RawMessage(`{"x":1}`), queue.AnyName())
	if text, err := foreign.Job.DataJSON(); err != nil || string(text) != `{"x":1}` {
		t.Errorf("the payload of a foreign job is %s (%v)", text, err)
	}
}

func TestEnqueueRefuses(t *testing.T) {
	t.Parallel()
	b := newBench(t, queue.ClientOptions{
		OtherNames: func(context.Context, string) ([]string, error) { return []string{"greet", "node job"}, nil },
	})
	good := greeting{UserID: "u"}
	for _, c := range []struct {
		title, name string
		payload     any
		options     []queue.Option
		field, want string
	}{
		{"an unknown name", "great", good, nil, "name", `name "great" is unknown: no worker can run it; use one of: greet, tidy, node job`},
		{"a payload that breaks a rule", "greet", greeting{}, nil, "data", `data of "greet": userId is missing; send the id of a user`},
		{"no payload where one is needed", "greet", nil, nil, "data", `data of "greet": userId is missing; send the id of a user`},
		{"a field too much", "greet", json.RawMessage(`{"userId":"u","x":1}`), nil, "data", `data of "greet": field "x" is unknown; remove it`},
		{"a payload without JSON", "tidy", make(chan int), nil, "data", "data cannot be stored"},
		{"text that is no time", "tidy", nil, []queue.Option{queue.When("someday", nil)}, "when", "someday"},
		{"no text", "tidy", nil, []queue.Option{queue.When("", nil)}, "when", ""},
		{"two times", "tidy", nil, []queue.Option{queue.In(time.Second), queue.At(start)}, "when", "give one of At, In and When, not several"},
	} {
		t.Run(c.title, func(t *testing.T) {
			_, err := b.client.Enqueue(t.Context(), c.name, c.payload, c.options...)
			refused, ok := errors.AsType[*errs.Error](err)
			if !ok || refused.Kind != errs.KindInvalid || refused.Field != c.field || !strings.Contains(refused.Message, c.want) {
				t.Errorf("the error is %#v; want an invalid %s with %q", err, c.field, c.want)
			}
		})
	}
	b.empty()
	if sent := b.station.signals(); len(sent) != 0 {
		t.Errorf("signals of refused jobs: %v", sent)
	}
}

func TestEnqueueTakesNamesThatWorkersAnnounce(t *testing.T) {
	t.Parallel()
	b := newBench(t, queue.ClientOptions{
		OtherNames: func(context.Context, string) ([]string, error) { return []string{"node job"}, nil },
	})
	b.enqueue("node job", map[string]any{"anything": 1})

	silent := errors.New("fleet unknown")
	b = newBench(t, queue.ClientOptions{OtherNames: func(context.Context, string) ([]string, error) { return nil, silent }})
	if _, err := b.client.Enqueue(t.Context(), "node job", nil); !errors.Is(err, silent) {
		t.Errorf("the error is %v, want %v", err, silent)
	}
	b.enqueue("tidy", nil) // is in the catalog: nobody is asked
}

func TestReusedIdempotencyKeyIsAConflict(t *testing.T) {
	t.Parallel()
	b := newBench(t, queue.ClientOptions{})
	b.enqueue("greet", greeting{UserID: "u1"}, queue.Idempotent("k"))
	_, err := b.client.Enqueue(t.Context(), "greet", greeting{UserID: "u2"}, queue.Idempotent("k"))
	if errs.KindOf(err) != errs.Conflict || !errors.Is(err, queue.ErrKeyReused) {
		t.Errorf("the error is %v, want a conflict", err)
	}
}

// The job is stored, and that is what counts: workers will find it.
func TestEnqueueWithoutWakeUp(t *testing.T) {
	t.Parallel()
	b := newBench(t, queue.ClientOptions{})
	b.station.away = errors.New("redis is away")
	receipt := b.enqueue("tidy", nil)
	if _, err := b.store.Get(t.Context(), receipt.Job.ID); err != nil {
		t.Error(err)
	}
	if log := b.log.String(); !strings.Contains(log, "wake-up not sent") || !strings.Contains(log, "job_name=tidy") {
		t.Errorf("the log is %q", log)
	}
}

func TestEnqueueReportsTheStoresFailure(t *testing.T) {
	t.Parallel()
	b := newBench(t, queue.ClientOptions{})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := b.client.Enqueue(ctx, "tidy", nil); !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), `enqueue "tidy"`) {
		t.Errorf("the error is %v", err)
	}
	if sent := b.station.signals(); len(sent) != 0 {
		t.Errorf("signals of a job that was not stored: %v", sent)
	}
}

func TestEnqueueMany(t *testing.T) {
	t.Parallel()
	b := newBench(t, queue.ClientOptions{})
	data, err := job.ToData(greeting{UserID: "u"})
	if err != nil {
		t.Fatal(err)
	}
	requests := []queue.Request{
		{Name: "greet", Data: data}, {Name: "tidy", RunAt: start.Add(time.Hour)}, {Name: "greet", Data: data}, {Name: "tidy"},
	}
	receipts, err := b.client.EnqueueMany(t.Context(), requests...)
	if err != nil || len(receipts) != 4 {
		t.Fatalf("%d receipts, %v", len(receipts), err)
	}
	for i, receipt := range receipts {
		if receipt.Job.Name != requests[i].Name {
			t.Errorf("receipt %d is of %q, want %q", i, receipt.Job.Name, requests[i].Name)
		}
	}
	want := []wake.Signal{{Kind: wake.Due, Name: "greet"}, {Kind: wake.Due, Name: "tidy"}} // once per name
	if diff := cmp.Diff(want, b.station.signals()); diff != "" {
		t.Errorf("signals:\n%s", diff)
	}
}

func TestEnqueueManyStoresAllOrNothing(t *testing.T) {
	t.Parallel()
	b := newBench(t, queue.ClientOptions{})
	_, err := b.client.EnqueueMany(t.Context(), queue.Request{Name: "tidy"}, queue.Request{Name: "greet"})
	if errs.KindOf(err) != errs.KindInvalid || !strings.Contains(err.Error(), `request 1: data of "greet": userId is missing`) {
		t.Errorf("the error is %v", err)
	}
	b.empty()
}

func TestOperatorsActionsAreAnnounced(t *testing.T) {
	t.Parallel()
	b := newBench(t, queue.ClientOptions{})
	ctx := t.Context()
	waiting, running := b.enqueue("tidy", nil, queue.In(time.Hour)).Job.ID, b.enqueue("tidy", nil).Job.ID
	batch, err := b.store.Lease(ctx, queue.LeaseRequest{Holder: "worker@w1", Total: 1, Names: map[string]queue.NameRequest{"tidy": {Free: 1}}})
	if err != nil || len(batch.Leases) != 1 || batch.Leases[0].Job.ID != running {
		t.Fatalf("leased %v, %v", batch.Leases, err)
	}
	for _, c := range []struct {
		title string
		act   func() error
		want  []wake.Signal
	}{
		{"cancel of a waiting job", func() error { _, err := b.client.Cancel(ctx, waiting, "ann"); return err }, nil},
		{"cancel of a running job", func() error { _, err := b.client.Cancel(ctx, running, "ann"); return err }, []wake.Signal{{Kind: wake.Cancel, Name: "tidy", JobID: running.Hex()}}},
		{"retry", func() error { _, err := b.client.Retry(ctx, waiting, "ann"); return err }, []wake.Signal{{Kind: wake.Due, Name: "tidy"}}},
		{"pause", func() error { return b.client.Pause(ctx, "tidy", "ann") }, []wake.Signal{{Kind: wake.Settings, Name: "tidy"}}},
		{"resume", func() error { return b.client.Resume(ctx, "tidy", "ann") }, []wake.Signal{{Kind: wake.Settings, Name: "tidy"}}},
		{"settings", func() error { return b.client.ChangeSettings(ctx, job.Settings{Name: "tidy", Concurrency: 3}) }, []wake.Signal{{Kind: wake.Settings, Name: "tidy"}}},
	} {
		before := len(b.station.signals())
		if err := c.act(); err != nil {
			t.Errorf("%s: %v", c.title, err)
		}
		if diff := cmp.Diff(c.want, b.station.signals()[before:], cmp.Transformer("none", func(s []wake.Signal) []wake.Signal {
			return append([]wake.Signal{}, s...)
		})); diff != "" {
			t.Errorf("%s: signals (-want +got):\n%s", c.title, diff)
		}
	}
}

func TestActionsThatFailAreNotAnnounced(t *testing.T) {
	t.Parallel()
	b := newBench(t, queue.ClientOptions{})
	ghost := job.Document{}.ID
	if _, err := b.client.Cancel(t.Context(), ghost, "ann"); !errors.Is(err, queue.ErrNotFound) {
		t.Errorf("Cancel: %v", err)
	}
	if _, err := b.client.Retry(t.Context(), ghost, "ann"); !errors.Is(err, queue.ErrNotFound) {
		t.Errorf("Retry: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := b.client.Pause(ctx, "tidy", "ann"); !errors.Is(err, context.Canceled) {
		t.Errorf("Pause: %v", err)
	}
	if sent := b.station.signals(); len(sent) != 0 {
		t.Errorf("signals: %v", sent)
	}
}

func TestActionStandsWhenItsSignalIsLost(t *testing.T) {
	t.Parallel()
	b := newBench(t, queue.ClientOptions{})
	b.station.away = errors.New("redis is away")
	if err := b.client.Pause(t.Context(), "tidy", "ann"); err != nil {
		t.Fatal(err)
	}
	settings, err := b.store.Settings(t.Context())
	if err != nil || !settings["tidy"].Paused {
		t.Errorf("settings are %+v, %v; want a pause", settings["tidy"], err)
	}
	if log := b.log.String(); !strings.Contains(log, "signal not sent") {
		t.Errorf("the log is %q", log)
	}
}

// What is missing is named when the client is wired.
func TestAClientWithoutAStoreIsRefused(t *testing.T) {
	t.Parallel()
	defer func() {
		if text, _ := recover().(string); text != "queue: NewClient was given no store" {
			t.Errorf("NewClient panics with %q, want what is missing", text)
		}
	}()
	queue.NewClient(nil, nil, nil, queue.ClientOptions{})
}
