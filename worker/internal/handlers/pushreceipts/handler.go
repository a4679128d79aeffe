// Package pushreceipts is the job "read push receipts": a quarter of an hour
// after Expo took a message, it can tell what Apple and Google said. Tokens
// that turn out dead are removed. The Node backend never read a receipt.
package pushreceipts

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/etrainer/backend/pkg/catalog"
	"github.com/etrainer/backend/pkg/push"
	"github.com/etrainer/backend/pkg/runner"
	"github.com/etrainer/backend/worker/internal/notify"
)

const (
	// ripe is how old a ticket must be: Expo's advice.
	ripe = 15 * time.Minute
	// lost is when Expo has removed a receipt.
	lost = 24 * time.Hour
)

// Result is what a run did.
type Result struct {
	Read              int            `json:"readCount"`         // receipts
	Delivered         int            `json:"deliveredCount"`    // messages that Apple or Google took
	DeadTokensRemoved int            `json:"deadTokensRemoved"` // tokens that they no longer know
	Failures          map[string]int `json:"failures"`          // messages that were not delivered, by reason
	Pending           int            `json:"pending"`           // tickets whose receipt is not there yet
	Missing           int            `json:"missing"`           // tickets given up: a day old, and still no receipt
}

// Store is the tickets.
type Store interface {
	// Tickets returns the next tickets by id, after one, that are at least as
	// old as an instant.
	Tickets(ctx context.Context, until time.Time, after string, limit int) ([]notify.Ticket, error)
	// Remove removes tickets.
	Remove(ctx context.Context, ids []string) error
}

// Devices removes tokens from their users.
type Devices interface {
	Forget(ctx context.Context, devices []notify.Device) (int, error)
}

// Job is the job with what it needs.
type Job struct {
	Reader  push.ReceiptReader // nil = nothing is sent here, so there is nothing to read
	Store   Store
	Devices Devices
	Now     func() time.Time
}

// Handler returns the handler.
func (p Job) Handler() runner.Handler { return runner.Handle(catalog.PushReceipts, p.Run) }

// Run reads the receipts of every ticket that is old enough.
func (p Job) Run(ctx context.Context, _ runner.Job[catalog.PushReceiptsPayload]) (Result, error) {
	result := Result{Failures: map[string]int{}}
	if p.Reader == nil {
		return result, nil
	}
	now, after := p.Now(), ""
	for {
		if err := runner.Heartbeat(ctx); err != nil {
			return Result{}, err
		}
		page, err := p.Store.Tickets(ctx, now.Add(-ripe), after, p.Reader.ReceiptBatch())
		if err != nil {
			return Result{}, err
		}
		if len(page) == 0 {
			break
		}
		after = page[len(page)-1].ID
		if err := p.read(ctx, page, now, &result); err != nil {
			return Result{}, err
		}
	}
	runner.Progress(ctx, 100, fmt.Sprintf("%d receipts read", result.Read))
	if result.Read+result.Pending+result.Missing > 0 {
		runner.Logger(ctx).InfoContext(ctx, "receipts read", slog.Int("read", result.Read), slog.Int("delivered", result.Delivered),
			slog.Int("pending", result.Pending), slog.Int("missing", result.Missing), slog.Any("failures", result.Failures))
	}
	return result, nil
}

// read reads one page. Tickets are removed last, so that a run that dies is
// made up by the next; removing a dead token twice does no harm.
func (p Job) read(ctx context.Context, page []notify.Ticket, now time.Time, result *Result) error {
	ids := make([]string, len(page))
	for i, t := range page {
		ids[i] = t.ID
	}
	receipts, err := p.Reader.Receipts(ctx, ids)
	if err != nil {
		return fmt.Errorf("read %d receipts: %w", len(ids), err)
	}
	var dead []notify.Device
	done := ids[:0]
	for _, t := range page {
		receipt, there := receipts[t.ID]
		switch {
		case !there && now.Sub(t.At) < lost:
			result.Pending++
			continue
		case !there:
			result.Missing++
		default:
			result.count(receipt)
		}
		if receipt.Reason == push.Unregistered {
			dead = append(dead, t.Device)
		}
		done = append(done, t.ID)
	}
	if len(dead) > 0 {
		removed, err := p.Devices.Forget(ctx, dead)
		if err != nil {
			return err
		}
		result.DeadTokensRemoved += removed
	}
	if len(done) == 0 {
		return nil
	}
	return p.Store.Remove(ctx, done)
}

func (r *Result) count(receipt push.Result) {
	r.Read++
	if receipt.Accepted() {
		r.Delivered++
		return
	}
	r.Failures[string(receipt.Reason)]++
}
