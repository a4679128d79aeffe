package push

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/sony/gobreaker/v2"
)

// SenderOptions are the rules of a Sender. The zero value of each field is its
// default.
type SenderOptions struct {
	// Limiter is the budget shared with other senders; nil = the provider's
	// Limits.PerSecond, for this process alone.
	Limiter Limiter
	// Tries is how often an exchange is made that certainly sent nothing;
	// 0 = 4.
	Tries int
	// Pause is the wait before the second try; it doubles with each; 0 = 1 s.
	Pause time.Duration
	// LongestPause bounds the waits. A provider that asks for more is not
	// waited for: its messages come back as RateLimited or Unavailable;
	// 0 = 1 min.
	LongestPause time.Duration
	// ExchangeTimeout bounds one exchange; 0 = 30 s.
	ExchangeTimeout time.Duration
	// BreakAfter is how many exchanges in a row must fail to open the circuit
	// breaker; 0 = 5.
	BreakAfter int
	// BreakFor is how long the open breaker refuses before it lets one
	// exchange through; 0 = 30 s.
	BreakFor time.Duration
	// Metrics counts messages and exchanges; nil = nothing is counted.
	Metrics *Metrics
	// Log receives changes of the breaker; nil = nothing is logged.
	Log *slog.Logger
}

// Sender sends to one provider: in batches, several at once, within its
// limits, with retries and a circuit breaker. It is safe for concurrent use,
// and all that send to a provider in a process share one.
type Sender struct {
	provider Provider
	limits   Limits
	options  SenderOptions
	breaker  *gobreaker.CircuitBreaker[[]Result]
	slots    chan struct{}
	resumeAt atomic.Int64            // Unix nanoseconds; nothing is sent before
	broken   atomic.Pointer[Failure] // the last failure that counted for the breaker
}

// NewSender returns a Sender.
func NewSender(provider Provider, options SenderOptions) *Sender {
	limits := provider.Limits()
	limits.Batch, limits.Concurrency = max(limits.Batch, 1), max(limits.Concurrency, 1)
	s := &Sender{
		provider: provider, limits: limits, options: options.withDefaults(limits),
		slots: make(chan struct{}, limits.Concurrency),
	}
	s.breaker = s.newBreaker()
	return s
}

func (o SenderOptions) withDefaults(limits Limits) SenderOptions {
	if o.Limiter == nil {
		o.Limiter = NewLocalLimiter(limits.PerSecond, limits.Batch)
	}
	if o.Tries <= 0 {
		o.Tries = 4
	}
	if o.Pause <= 0 {
		o.Pause = time.Second
	}
	if o.LongestPause <= 0 {
		o.LongestPause = time.Minute
	}
	if o.ExchangeTimeout <= 0 {
		o.ExchangeTimeout = 30 * time.Second
	}
	if o.BreakAfter <= 0 {
		o.BreakAfter = 5
	}
	if o.BreakFor <= 0 {
		o.BreakFor = 30 * time.Second
	}
	if o.Metrics == nil {
		o.Metrics = NewMetrics(prometheus.Registerer(nil))
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return o
}

// Provider returns the provider that s sends to.
func (s *Sender) Provider() Provider { return s.provider }

// Send delivers messages and returns one result for each, in order. It never
// fails as a whole: what went wrong is in the results. When ctx ends, what is
// on its way is still finished, and the rest comes back as NotSent.
func (s *Sender) Send(ctx context.Context, messages []Message) []Result {
	results := make([]Result, len(messages))
	good := make([]int, 0, len(messages)) // what is worth sending
	for i, m := range messages {
		if s.provider.Valid(m.Token) {
			good = append(good, i)
			continue
		}
		results[i] = Result{Reason: InvalidToken, Detail: "this is no token of " + s.provider.Name()}
	}
	var running sync.WaitGroup
	for len(good) > 0 {
		part := good[:min(len(good), s.limits.Batch)]
		good = good[len(part):]
		if !s.acquire(ctx) {
			fill(results, part, Result{Reason: NotSent, Detail: context.Cause(ctx).Error()})
			continue
		}
		running.Go(func() {
			defer s.release()
			s.sendPart(ctx, messages, part, results)
		})
	}
	running.Wait()
	s.options.Metrics.count(s.provider.Name(), results)
	return results
}

func (s *Sender) acquire(ctx context.Context) bool {
	if ctx.Err() != nil {
		return false
	}
	select {
	case s.slots <- struct{}{}:
		return true
	case <-ctx.Done():
		return false
	}
}

func (s *Sender) release() { <-s.slots }

// sendPart sends the messages at some places and fills in their results.
func (s *Sender) sendPart(ctx context.Context, messages []Message, places []int, results []Result) {
	batch := make([]Message, len(places))
	for i, place := range places {
		batch[i] = messages[place]
	}
	for i, result := range s.deliver(ctx, batch) {
		results[places[i]] = result
	}
}

func fill(results []Result, places []int, result Result) {
	for _, place := range places {
		results[place] = result
	}
}
