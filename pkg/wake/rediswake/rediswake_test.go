package rediswake_test

import (
	"context"
	"log/slog"
	"net/url"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/etrainer/backend/pkg/lifecycle"
	"github.com/etrainer/backend/pkg/lifecycle/lifecycletest"
	"github.com/etrainer/backend/pkg/mongodb/mongotest"
	"github.com/etrainer/backend/pkg/outagetest"
	"github.com/etrainer/backend/pkg/wake"
	"github.com/etrainer/backend/pkg/wake/rediswake"
)

func TestMain(m *testing.M) { mongotest.Main(m) }

// patience is how long a test waits for what must happen.
const patience = 30 * time.Second

// connect returns a client of the shared Redis, or of what stands before it.
func connect(t *testing.T, address string) *redis.Client {
	t.Helper()
	options, err := redis.ParseURL(mongotest.RedisURL(t))
	if err != nil {
		t.Fatal(err)
	}
	if address != "" {
		options.Addr = address
	}
	options.ContextTimeoutEnabled = true
	options.DialTimeout = time.Second
	options.MaxRetries = 1
	client := redis.NewClient(options)
	t.Cleanup(func() { _ = client.Close() })
	return client
}

func redisHost(t *testing.T) string {
	t.Helper()
	u, err := url.Parse(mongotest.RedisURL(t))
	if err != nil {
		t.Fatal(err)
	}
	return u.Host
}

func subscribe(t *testing.T, client *redis.Client, queue string) *rediswake.Subscriber {
	t.Helper()
	s := rediswake.NewSubscriber(client, queue, slog.New(slog.DiscardHandler))
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Stop(context.Background()); err != nil {
			t.Errorf("Stop: %v", err)
		}
	})
	return s
}

// next returns the next signal.
func next(t *testing.T, s wake.Subscriber) wake.Signal {
	t.Helper()
	select {
	case signal := <-s.Signals():
		return signal
	case <-time.After(patience):
		t.Fatal("no signal came")
		return wake.Signal{}
	}
}

// joined waits for the signal that tells to look at everything, which comes
// with each new connection.
func joined(t *testing.T, s *rediswake.Subscriber) {
	t.Helper()
	if signal := next(t, s); signal != (wake.Signal{Kind: wake.Due}) {
		t.Fatalf("the first signal is %+v; want one to look at everything", signal)
	}
	if !s.Connected() {
		t.Error("signals arrive, and Connected is false")
	}
}

func publish(t *testing.T, p wake.Publisher, signal wake.Signal) {
	t.Helper()
	if err := p.Publish(t.Context(), signal); err != nil {
		t.Fatalf("Publish: %v", err)
	}
}

func TestSignalsReachEverySubscriberOfTheQueue(t *testing.T) {
	t.Parallel()
	client, name := connect(t, ""), mongotest.Name(t)
	first, second := subscribe(t, client, name), subscribe(t, client, name)
	other := subscribe(t, client, mongotest.Name(t))
	for _, s := range []*rediswake.Subscriber{first, second, other} {
		joined(t, s)
	}
	publisher := rediswake.NewPublisher(client, name)
	sent := []wake.Signal{
		{Kind: wake.Due, Name: "a job with \"quotes\""}, {Kind: wake.Cancel, Name: "a", JobID: "65a701"}, {Kind: wake.Settings, Name: "a"}, {Kind: wake.Busy},
	}
	for _, signal := range sent {
		publish(t, publisher, signal)
	}
	for _, s := range []*rediswake.Subscriber{first, second} {
		for _, want := range sent {
			if got := next(t, s); got != want {
				t.Errorf("got %+v, want %+v", got, want)
			}
		}
	}
	select {
	case signal := <-other.Signals():
		t.Errorf("another queue heard %+v", signal)
	default:
	}
}

func TestSignalsThatAreNoneAreIgnored(t *testing.T) {
	t.Parallel()
	client, name := connect(t, ""), mongotest.Name(t)
	s := subscribe(t, client, name)
	joined(t, s)
	if err := client.Publish(t.Context(), "etrainer:wake:"+name, "not JSON").Err(); err != nil {
		t.Fatal(err)
	}
	want := wake.Signal{Kind: wake.Due, Name: "after"}
	publish(t, rediswake.NewPublisher(client, name), want)
	if got := next(t, s); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

// A receiver that is busy loses signals, and never holds up the subscription.
func TestSignalsAreDroppedWhenTheReceiverIsBusy(t *testing.T) {
	t.Parallel()
	client, name := connect(t, ""), mongotest.Name(t)
	s := subscribe(t, client, name)
	joined(t, s)
	publisher := rediswake.NewPublisher(client, name)
	for range 500 {
		publish(t, publisher, wake.Signal{Kind: wake.Due, Name: "flood"})
	}
	eventually(t, "the buffer is full", func() bool { return len(s.Signals()) == cap(s.Signals()) })
	for len(s.Signals()) > 0 {
		<-s.Signals()
	}
	last := wake.Signal{Kind: wake.Due, Name: "last"}
	for { // what was on its way when the buffer was emptied may come first
		publish(t, publisher, last)
		if next(t, s) == last {
			return
		}
	}
}

func TestSubscriptionSurvivesALostConnection(t *testing.T) {
	t.Parallel()
	proxy := outagetest.New(t, redisHost(t))
	name := mongotest.Name(t)
	s := subscribe(t, connect(t, proxy.Address()), name)
	joined(t, s)

	proxy.Cut()
	eventually(t, "the loss is noticed", func() bool { return !s.Connected() })
	proxy.Restore()
	joined(t, s) // whatever was announced meanwhile went unheard

	want := wake.Signal{Kind: wake.Due, Name: "a"}
	publish(t, rediswake.NewPublisher(connect(t, ""), name), want)
	if got := next(t, s); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

// A network that drops packets closes nothing: only the missing answer tells.
func TestSubscriptionNoticesASilentConnection(t *testing.T) {
	t.Parallel()
	proxy := outagetest.New(t, redisHost(t))
	s := subscribe(t, connect(t, proxy.Address()), mongotest.Name(t))
	joined(t, s)
	proxy.Freeze()
	eventually(t, "the silence is noticed", func() bool { return !s.Connected() })
	proxy.Restore()
	joined(t, s)
}

// Silence alone is no loss: the pings are answered.
func TestQuietSubscriptionStaysConnected(t *testing.T) {
	t.Parallel()
	client, name := connect(t, ""), mongotest.Name(t)
	s := subscribe(t, client, name)
	joined(t, s)
	const twoChecks = 7 * time.Second
	select {
	case signal := <-s.Signals():
		t.Errorf("a quiet subscription was made anew: %+v", signal)
	case <-time.After(twoChecks):
	}
	if !s.Connected() {
		t.Error("a quiet subscription counts as lost")
	}
}

func TestRedisThatIsAwayIsJoinedWhenItComes(t *testing.T) {
	t.Parallel()
	proxy := outagetest.New(t, redisHost(t))
	proxy.Cut()
	s := subscribe(t, connect(t, proxy.Address()), mongotest.Name(t)) // Start does not fail
	if s.Connected() {
		t.Error("connected to a Redis that is away")
	}
	proxy.Restore()
	joined(t, s)
}

func TestPublishFailsSoon(t *testing.T) {
	t.Parallel()
	proxy := outagetest.New(t, redisHost(t))
	publisher := rediswake.NewPublisher(connect(t, proxy.Address()), mongotest.Name(t))
	publish(t, publisher, wake.Signal{Kind: wake.Busy})
	for name, away := range map[string]func(){"cut": proxy.Cut, "frozen": proxy.Freeze} {
		away()
		done := make(chan error, 1)
		go func() { done <- publisher.Publish(t.Context(), wake.Signal{Kind: wake.Busy}) }()
		select {
		case err := <-done:
			if err == nil {
				t.Errorf("%s: Publish did not fail", name)
			}
		case <-time.After(patience):
			t.Fatalf("%s: Publish hangs", name)
		}
	}
}

// Stop does not wait for the next check of the connection.
func TestStopEndsAReceive(t *testing.T) {
	t.Parallel()
	s := rediswake.NewSubscriber(connect(t, ""), mongotest.Name(t), slog.New(slog.DiscardHandler))
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	joined(t, s)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	if err := s.Stop(ctx); err != nil {
		t.Errorf("Stop: %v", err)
	}
	if s.Connected() {
		t.Error("connected after Stop")
	}
}

func TestSubscriberIsAService(t *testing.T) {
	t.Parallel()
	client := connect(t, "")
	lifecycletest.Stress(t, func() lifecycle.Service {
		return rediswake.NewSubscriber(client, mongotest.Name(t), slog.New(slog.DiscardHandler))
	})
}

func TestSubscriberStartsAgainAfterStop(t *testing.T) {
	t.Parallel()
	s := rediswake.NewSubscriber(connect(t, ""), mongotest.Name(t), slog.New(slog.DiscardHandler))
	for range 2 {
		if err := s.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		joined(t, s)
		if err := s.Stop(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

func eventually(t *testing.T, what string, condition func() bool) {
	t.Helper()
	deadline := time.After(patience)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !condition() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("it did not come to pass that %s", what)
		}
	}
}
