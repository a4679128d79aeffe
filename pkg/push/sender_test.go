package push_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/etrainer/backend/pkg/push"
)

// service is a provider that fails as told, in time that tests move.
type service struct {
	limits push.Limits
	takes  time.Duration
	bad    map[string]push.Reason // refuses a batch that holds such a token

	mu       sync.Mutex
	failures []*push.Failure // of the next exchanges; nil = works
	always   *push.Failure
	batches  [][]string
	at       []time.Time
	running  int
	most     int
}

func (*service) Name() string            { return push.Expo }
func (s *service) Limits() push.Limits   { return s.limits }
func (*service) Valid(token string) bool { return token != "bad" }

func (s *service) Send(_ context.Context, batch []push.Message) ([]push.Result, error) {
	failure := s.begin(batch)
	if s.takes > 0 {
		time.Sleep(s.takes) // of the bubble's clock
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.running--
	if failure != nil {
		return nil, failure
	}
	for _, m := range batch {
		if reason := s.bad[m.Token]; reason != "" {
			return nil, &push.Failure{Reason: reason}
		}
	}
	results := make([]push.Result, len(batch))
	for i, m := range batch {
		results[i].ID = "id of " + m.Token
	}
	return results, nil
}

func (s *service) begin(batch []push.Message) *push.Failure {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.running++
	s.most = max(s.most, s.running)
	var tokens []string
	for _, m := range batch {
		tokens = append(tokens, m.Token)
	}
	s.batches, s.at = append(s.batches, tokens), append(s.at, time.Now())
	if s.always != nil {
		return s.always
	}
	if len(s.failures) == 0 {
		return nil
	}
	failure := s.failures[0]
	s.failures = s.failures[1:]
	return failure
}

func messages(n int) []push.Message {
	out := make([]push.Message, n)
	for i := range out {
		out[i].Token = fmt.Sprint("t", i)
	}
	return out
}

func reasons(results []push.Result) map[push.Reason]int {
	out := map[push.Reason]int{}
	for _, r := range results {
		out[r.Reason]++
	}
	return out
}

func TestSendKeepsTheOrderAndTheLimits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &service{limits: push.Limits{Batch: 10, Concurrency: 3}, takes: time.Second}
		batch := messages(95)
		batch[20].Token = "bad"
		results := push.NewSender(s, push.SenderOptions{}).Send(t.Context(), batch)
		for i, r := range results {
			switch {
			case i == 20 && r.Reason != push.InvalidToken, i != 20 && r.ID != "id of "+batch[i].Token:
				t.Errorf("result %d is %+v", i, r)
			}
		}
		if s.most != 3 || len(s.batches) != 10 {
			t.Errorf("%d exchanges, %d at once; want 10 and 3", len(s.batches), s.most)
		}
	})
}

// The rate is kept over the whole run, to the message.
func TestSendKeepsTheRate(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &service{limits: push.Limits{Batch: 100, Concurrency: 6, PerSecond: 600}}
		started := time.Now()
		push.NewSender(s, push.SenderOptions{}).Send(t.Context(), messages(6100))
		if took := time.Since(started); took < 10*time.Second || took > 10*time.Second+time.Millisecond {
			t.Errorf("6,100 messages at 600 a second, 100 of them at once, took %s; want 10s", took)
		}
	})
}

func TestWhatIsTriedAgain(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		failures []*push.Failure
		want     push.Reason
		tries    int
	}{
		"5xx once":         {[]*push.Failure{{Reason: push.Unavailable}}, "", 2},
		"429 three times":  {[]*push.Failure{{Reason: push.RateLimited}, {Reason: push.RateLimited}, {Reason: push.RateLimited}}, "", 4},
		"5xx for too long": {[]*push.Failure{{Reason: push.Unavailable}, {Reason: push.Unavailable}, {Reason: push.Unavailable}, {Reason: push.Unavailable}}, push.Unavailable, 4},
		"a cut":            {[]*push.Failure{{Reason: push.Uncertain}}, push.Uncertain, 1},
		"credentials":      {[]*push.Failure{{Reason: push.Credentials}}, push.Credentials, 1},
		"asks for an hour": {[]*push.Failure{{Reason: push.RateLimited, RetryAfter: time.Hour}}, push.RateLimited, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := &service{limits: push.Limits{Batch: 5}, failures: c.failures}
				results := push.NewSender(s, push.SenderOptions{}).Send(t.Context(), messages(5))
				if got := reasons(results); got[c.want] != 5 || len(s.batches) != c.tries {
					t.Errorf("%v after %d exchanges; want %q after %d", got, len(s.batches), c.want, c.tries)
				}
			})
		})
	}
}

// Retry-After holds every message of the provider back, not only the refused
// one.
func TestRetryAfterHoldsEverything(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &service{limits: push.Limits{Batch: 1, Concurrency: 1}, failures: []*push.Failure{{Reason: push.RateLimited, RetryAfter: 20 * time.Second}}}
		sender := push.NewSender(s, push.SenderOptions{})
		started := time.Now()
		var both sync.WaitGroup
		for range 2 {
			both.Go(func() { sender.Send(t.Context(), messages(1)) })
		}
		both.Wait()
		for _, at := range s.at[1:] {
			if at.Sub(started) < 20*time.Second {
				t.Errorf("an exchange came %s after the refusal; the provider asked for 20s", at.Sub(started))
			}
		}
	})
}

func TestTheBreaker(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &service{limits: push.Limits{Batch: 1, Concurrency: 1}, always: &push.Failure{Reason: push.Credentials, Detail: "who are you"}}
		sender := push.NewSender(s, push.SenderOptions{})
		results := sender.Send(t.Context(), messages(1000))
		if got := reasons(results); got[push.Credentials] != 1000 || len(s.batches) != 5 {
			t.Errorf("%v after %d exchanges; want 1000 refused credentials after 5", got, len(s.batches))
		}
		if want := "the circuit breaker is open after: who are you"; results[999].Detail != want {
			t.Errorf("the detail is %q, want %q", results[999].Detail, want)
		}
		s.mu.Lock()
		s.always = nil
		s.mu.Unlock()
		time.Sleep(31 * time.Second) // of the bubble's clock
		if got := reasons(sender.Send(t.Context(), messages(10))); got[""] != 10 {
			t.Errorf("the provider is back, and gives %v", got)
		}
	})
}

// A refusal of single messages is no reason to stop sending.
func TestRefusalsDoNotOpenTheBreaker(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &service{limits: push.Limits{Batch: 100}, bad: map[string]push.Reason{"t3": push.Rejected, "t50": push.TooLarge}}
		got := push.NewSender(s, push.SenderOptions{}).Send(t.Context(), messages(100))
		if got[3].Reason != push.Rejected || got[50].Reason != push.TooLarge || reasons(got)[""] != 98 {
			t.Errorf("%v; t3 is %+v, t50 is %+v", reasons(got), got[3], got[50])
		}
	})
}

// When the caller stops, what is on its way is finished and the rest is not
// begun.
func TestSendStopsBetweenExchanges(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &service{limits: push.Limits{Batch: 1, Concurrency: 2}, takes: time.Second}
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(1500*time.Millisecond, func() { cancel(errors.New("the worker is stopping")) })
		got := push.NewSender(s, push.SenderOptions{}).Send(ctx, messages(10))
		if r := reasons(got); r[""] != 4 || r[push.NotSent] != 6 || len(s.batches) != 4 {
			t.Errorf("%v after %d exchanges; want 4 sent, 6 not", r, len(s.batches))
		}
		if last := got[9]; last.Detail != "the worker is stopping" {
			t.Errorf("the last result is %+v", last)
		}
	})
}

func TestAWrongNumberOfAnswersIsUncertain(t *testing.T) {
	t.Parallel()
	got := push.NewSender(&short{}, push.SenderOptions{}).Send(t.Context(), messages(3))
	if reasons(got)[push.Uncertain] != 3 {
		t.Errorf("%v", reasons(got))
	}
}

type short struct{ service }

func (*short) Limits() push.Limits { return push.Limits{Batch: 3} }
func (*short) Send(context.Context, []push.Message) ([]push.Result, error) {
	return make([]push.Result, 2), nil
}

func TestCourier(t *testing.T) {
	t.Parallel()
	expo := &service{limits: push.Limits{Batch: 10}}
	firebase := named{Provider: &dying{dead: "gone"}, name: push.FCM}
	courier := push.NewCourier(push.NewSender(firebase, push.SenderOptions{}), push.NewSender(expo, push.SenderOptions{}))
	got := courier.Deliver(t.Context(), []push.Delivery{
		{FCMToken: "f1", ExpoToken: "e1"}, {ExpoToken: "e2"}, {}, {FCMToken: "gone"}, {FCMToken: "gone", ExpoToken: "e5"}, {ExpoToken: "bad"},
	})
	type brief struct {
		provider, token string
		reason          push.Reason
		dead            int
	}
	want := []brief{{push.FCM, "f1", "", 0}, {push.Expo, "e2", "", 0}, {"", "", push.NoDevice, 0}, {push.FCM, "gone", push.Unregistered, 1}, {push.Expo, "e5", "", 1}, {push.Expo, "bad", push.InvalidToken, 0}}
	for i, o := range got {
		if have := (brief{o.Provider, o.Token, o.Reason, len(o.Dead)}); have != want[i] {
			t.Errorf("outcome %d is %+v, want %+v", i, have, want[i])
		}
	}
	alone := push.NewCourier(push.NewSender(expo, push.SenderOptions{})).Deliver(t.Context(), []push.Delivery{{FCMToken: "f"}, {FCMToken: "f", ExpoToken: "e"}})
	if alone[0].Reason != push.NotConfigured || !alone[1].Accepted() {
		t.Errorf("without FCM: %+v", alone)
	}
}

type named struct {
	push.Provider
	name string
}

func (n named) Name() string { return n.name }

// dying answers that one token is dead.
type dying struct {
	service
	dead string
}

func (d *dying) Send(_ context.Context, batch []push.Message) ([]push.Result, error) {
	out := make([]push.Result, len(batch))
	for i, m := range batch {
		if m.Token == d.dead {
			out[i].Reason = push.Unregistered
		}
	}
	return out, nil
}

func TestTemporary(t *testing.T) {
	t.Parallel()
	var got []push.Reason
	for _, r := range []push.Reason{push.Unregistered, push.InvalidToken, push.WrongSender, push.TooLarge, push.Rejected, push.Credentials, push.RateLimited, push.Unavailable, push.NotSent, push.Uncertain, push.NoDevice, push.NotConfigured} {
		if r.Temporary() {
			got = append(got, r)
		}
	}
	if want := []push.Reason{push.Credentials, push.RateLimited, push.Unavailable, push.NotSent}; !slices.Equal(got, want) {
		t.Errorf("temporary are %v, want %v", got, want)
	}
}
