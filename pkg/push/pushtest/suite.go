package pushtest

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/etrainer/backend/pkg/push"
)

// StandIn is what the suite needs of a stand-in.
type StandIn interface {
	Fail(next ...Fault)
	Device(token, code string)
	Count(token string) int
	Last(token string) Delivered
	Total() int
	Close()
}

// Harness is one adapter on a stand-in of its own.
type Harness struct {
	Provider push.Provider
	StandIn  StandIn
	// Token makes the n-th valid token.
	Token func(n int) string
	// DeadCode is the service's error code for a token that is gone.
	DeadCode string
	// Malformed are texts that are no tokens.
	Malformed []string
}

// slowTimeout is how long the suite waits for an answer that never comes.
const slowTimeout = 200 * time.Millisecond

// Run checks that an adapter keeps the rules of push.Provider. fresh makes an
// adapter and its stand-in for each test.
func Run(t *testing.T, fresh func(t *testing.T) Harness) {
	t.Helper()
	t.Run("delivers in order", func(t *testing.T) { t.Parallel(); delivers(t, fresh(t)) })
	t.Run("finds dead tokens", func(t *testing.T) { t.Parallel(); findsDead(t, fresh(t)) })
	t.Run("knows what is no token", func(t *testing.T) { t.Parallel(); knowsTokens(t, fresh(t)) })
	t.Run("is away", func(t *testing.T) { t.Parallel(); away(t, fresh(t)) })
	for name, c := range map[string]struct {
		fault Fault
		want  push.Reason
		after time.Duration
	}{
		"429":                 {TooManyRequests, push.RateLimited, 7 * time.Second},
		"503":                 {Overloaded, push.Unavailable, 0},
		"500":                 {Broken, push.Unavailable, 0},
		"502 with HTML":       {BadGateway, push.Unavailable, 0},
		"200 with HTML":       {LoginPage, push.Uncertain, 0},
		"403":                 {BadCredentials, push.Credentials, 0},
		"cut":                 {Cut, push.Uncertain, 0},
		"cut in the answer":   {CutAnswer, push.Uncertain, 0},
		"no answer":           {Slow, push.Uncertain, 0},
		"JSON of another API": {Garbage, push.Uncertain, 0},
	} {
		t.Run(name, func(t *testing.T) { t.Parallel(); fails(t, fresh(t), c.fault, c.want, c.after) })
	}
}

func message(token string) push.Message {
	return push.Message{Token: token, Title: "⏰ Nhắc học bài!", Body: `Bạn đã đặt lịch "bây giờ" <đó> & 📚`, Data: map[string]string{"type": "reminder", "n": "1"}}
}

func delivers(t *testing.T, h Harness) {
	n := h.Provider.Limits().Batch
	batch := make([]push.Message, n)
	for i := range batch {
		batch[i] = message(h.Token(i))
	}
	results, err := h.Provider.Send(t.Context(), batch)
	if err != nil || len(results) != n {
		t.Fatalf("Send: %d results, %v; want %d", len(results), err, n)
	}
	ids := map[string]bool{}
	for i, r := range results {
		if !r.Accepted() || r.ID == "" || ids[r.ID] {
			t.Errorf("result %d is %+v; want it accepted, with an id of its own", i, r)
		}
		ids[r.ID] = true
		got, want := h.StandIn.Last(h.Token(i)), message("")
		if got.Title != want.Title || got.Body != want.Body || fmt.Sprint(got.Data) != fmt.Sprint(want.Data) {
			t.Errorf("message %d arrived as %+v", i, got)
		}
	}
	if total := h.StandIn.Total(); total != n {
		t.Errorf("%d messages arrived, want %d", total, n)
	}
}

// findsDead has a dead token last, so that a batch shows mixed answers in
// their order.
func findsDead(t *testing.T, h Harness) {
	n := h.Provider.Limits().Batch
	batch := make([]push.Message, n)
	for i := range batch {
		batch[i] = message(h.Token(i))
	}
	h.StandIn.Device(h.Token(n-1), h.DeadCode)
	results, err := h.Provider.Send(t.Context(), batch)
	if err != nil || len(results) != n {
		t.Fatalf("Send: %d results, %v", len(results), err)
	}
	for i, r := range results[:n-1] {
		if !r.Accepted() {
			t.Errorf("result %d is %+v", i, r)
		}
	}
	dead := results[n-1]
	if dead.Reason != push.Unregistered || strings.Contains(dead.Detail, h.Token(n-1)) {
		t.Errorf("the dead token gives %+v; want %s, and no token in the detail", dead, push.Unregistered)
	}
}

func knowsTokens(t *testing.T, h Harness) {
	if !h.Provider.Valid(h.Token(1)) {
		t.Errorf("%q is refused", h.Token(1))
	}
	for _, text := range append([]string{"", " ", "a b", "token\n"}, h.Malformed...) {
		if h.Provider.Valid(text) {
			t.Errorf("%q is taken for a token", text)
		}
	}
}

// away: nothing listens, so nothing was sent.
func away(t *testing.T, h Harness) {
	h.StandIn.Close()
	_, err := h.Provider.Send(t.Context(), []push.Message{message(h.Token(1))})
	if err == nil || push.FailureOf(err).Reason != push.Unavailable {
		t.Errorf("Send to nobody: %v; want %s", err, push.Unavailable)
	}
}

func fails(t *testing.T, h Harness, fault Fault, want push.Reason, after time.Duration) {
	token := h.Token(1)
	// The first exchange opens the connection and fetches tokens.
	if _, err := h.Provider.Send(t.Context(), []push.Message{message(h.Token(0))}); err != nil {
		t.Fatalf("without a fault: %v", err)
	}
	h.StandIn.Fail(fault)
	ctx := t.Context()
	if fault.Hang {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, slowTimeout)
		defer cancel()
	}
	results, err := h.Provider.Send(ctx, []push.Message{message(token)})
	if err == nil {
		t.Fatalf("Send gives %+v; want a failure", results)
	}
	failure := push.FailureOf(err)
	if failure.Reason != want || failure.RetryAfter != after {
		t.Errorf("Send fails as %q after %s (%v); want %q after %s", failure.Reason, failure.RetryAfter, err, want, after)
	}
	if strings.Contains(err.Error(), token) {
		t.Errorf("the error holds the token: %v", err)
	}
	if failure.Reason.Temporary() && h.StandIn.Count(token) > 0 {
		t.Errorf("%q says that nothing was sent, and %d messages were", failure.Reason, h.StandIn.Count(token))
	}
	if results, err := h.Provider.Send(t.Context(), []push.Message{message(h.Token(2))}); err != nil || !results[0].Accepted() {
		t.Errorf("after the fault: %+v, %v", results, err)
	}
}
