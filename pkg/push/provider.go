package push

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// The names of the providers.
const (
	FCM  = "fcm"
	Expo = "expo"
)

// Provider is the port to one push service. An adapter makes one exchange and
// tells what it learned; retries, limits and the circuit breaker are the
// Sender's. Adapters are safe for concurrent use.
type Provider interface {
	// Name returns FCM or Expo.
	Name() string
	// Limits returns what the service takes.
	Limits() Limits
	// Valid reports whether a text can be a token of this service.
	Valid(token string) bool
	// Send hands a batch of at most Limits.Batch messages over in one
	// exchange. It returns one result for each message, in order, or a
	// *Failure when the whole exchange failed.
	Send(ctx context.Context, batch []Message) ([]Result, error)
}

// ReceiptReader is a provider that tells later what became of what it had
// accepted.
type ReceiptReader interface {
	// ReceiptBatch is the most ids of one Receipts call.
	ReceiptBatch() int
	// Receipts returns what is known, by id. Ids without a receipt yet are
	// missing from the answer.
	Receipts(ctx context.Context, ids []string) (map[string]Result, error)
}

// Limits are what a provider takes.
type Limits struct {
	Batch       int     // messages in one exchange, at least 1
	Concurrency int     // exchanges at once in this process, at least 1
	PerSecond   float64 // messages a second, over everything; 0 = no limit
}

// Failure is an exchange that failed as a whole.
type Failure struct {
	Reason     Reason
	Detail     string        // the provider's words, without tokens
	RetryAfter time.Duration // what the provider asks to wait; 0 = nothing said
	Err        error         // the cause, if it was an error of ours or of the network
}

// Error implements error.
func (f *Failure) Error() string {
	text := string(f.Reason)
	if f.Detail != "" {
		text += ": " + f.Detail
	}
	if f.Err != nil {
		text = fmt.Sprintf("%s: %v", text, f.Err)
	}
	return text
}

// Unwrap returns the cause.
func (f *Failure) Unwrap() error { return f.Err }

// FailureOf returns err as a *Failure. Any other error is taken for Uncertain,
// because nothing is known about what was sent.
func FailureOf(err error) *Failure {
	if failure, ok := errors.AsType[*Failure](err); ok {
		return failure
	}
	return &Failure{Reason: Uncertain, Err: err}
}

// result is the failure as the result of one message.
func (f *Failure) result() Result {
	detail := f.Detail
	if detail == "" && f.Err != nil {
		detail = f.Err.Error()
	}
	return Result{Reason: f.Reason, Detail: detail}
}
