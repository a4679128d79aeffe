package limit

import (
	"context"
	"log/slog"
	"sync/atomic"
)

// Fallback is a Store that counts in Shared while that answers, and else in
// Local, so that a limit holds per process rather than not at all. It returns
// by itself. It is safe for concurrent use.
type Fallback struct {
	shared, local Store
	log           *slog.Logger
	degraded      atomic.Bool
}

// NewFallback returns a Fallback. Its shared store must fail fast: every call
// begins there.
func NewFallback(shared, local Store, log *slog.Logger) *Fallback {
	return &Fallback{shared: shared, local: local, log: log}
}

// Degraded reports whether the last call was counted in this process alone.
func (f *Fallback) Degraded() bool { return f.degraded.Load() }

// Shared reports whether calls are counted in the shared store. It tries that,
// so the answer is true also where nobody takes anything.
func (f *Fallback) Shared(ctx context.Context) bool {
	_, _ = f.Take(ctx, Rule{Name: "probe", Max: 1, Window: MinWindow}, "probe", 1) // whether it is allowed does not matter
	return !f.Degraded()
}

// Take implements Store.
func (f *Fallback) Take(ctx context.Context, rule Rule, key string, n int) (Result, error) {
	result, err := f.shared.Take(ctx, rule, key, n)
	if f.lost(ctx, err) {
		return f.local.Take(ctx, rule, key, n)
	}
	return result, err
}

// Refund implements Store. What was taken before the shared store went away or
// came back cannot be given back.
func (f *Fallback) Refund(ctx context.Context, rule Rule, key string, n int) error {
	err := f.shared.Refund(ctx, rule, key, n)
	if f.lost(ctx, err) {
		return f.local.Refund(ctx, rule, key, n)
	}
	return err
}

// lost notes how a call of the shared store ended, and reports whether it
// failed through no fault of the caller.
func (f *Fallback) lost(ctx context.Context, err error) bool {
	switch {
	case err == nil:
		if f.degraded.CompareAndSwap(true, false) {
			f.log.InfoContext(ctx, "limits are shared again")
		}
		return false
	case ctx.Err() != nil: // the caller gave up: that says nothing
		return false
	}
	if f.degraded.CompareAndSwap(false, true) {
		f.log.WarnContext(ctx, "limits are counted in this process alone", slog.Any("error", err))
	}
	return true
}
