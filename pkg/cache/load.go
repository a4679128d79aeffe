package cache

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"strings"

	"github.com/etrainer/backend/pkg/lifecycle"
)

// begin joins the load of a key, or starts one. A load keeps the values of the
// context of whoever started it, and not its end. landed is how many loads had
// ended before the caller looked into the cache: with one that ended since, the
// value may be there now. nil = the caller has found one, and wants a new one.
func (t *Through[T]) begin(ctx context.Context, key string, load func(context.Context) (T, error), landed *uint64) (*flight[T], error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.stopped {
		return nil, fmt.Errorf("load %s: %w", key, lifecycle.ErrStopped)
	}
	if loading := t.flights[key]; loading != nil {
		return loading, nil
	}
	ctx, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	loading := &flight[T]{cancel: cancel, done: make(chan struct{})}
	t.flights[key] = loading
	look := landed != nil && *landed != t.landed
	t.loads.Go(func() {
		defer cancel(nil)
		defer close(loading.done)
		defer t.land(key, loading)
		if look {
			if found, ok := t.look(ctx, key); ok {
				loading.result = found
				return
			}
		}
		t.fly(ctx, key, loading, load)
	})
	return loading, nil
}

// fly loads a value and keeps it.
func (t *Through[T]) fly(ctx context.Context, key string, loading *flight[T], load func(context.Context) (T, error)) {
	limited, cancel := context.WithTimeout(ctx, t.policy.LoadTimeout)
	defer cancel()
	loading.result, loading.err = t.call(limited, load)
	if loading.err != nil {
		t.log.WarnContext(ctx, "not loaded for the cache", slog.String("key", key), slog.Any("error", loading.err))
	} else if !t.isForgotten(loading) {
		t.keep(limited, key, loading.result)
		if t.isForgotten(loading) { // just now: what was kept may be older than that
			t.drop(limited, key)
		}
	}
}

func (t *Through[T]) land(key string, loading *flight[T]) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.landed++
	if t.flights[key] == loading {
		delete(t.flights, key)
	}
}

// call runs a load. One that finds nothing has succeeded.
func (t *Through[T]) call(ctx context.Context, load func(context.Context) (T, error)) (result kept[T], err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	value, err := load(ctx)
	switch {
	case err == nil:
		return kept[T]{Value: value, LoadedAt: t.now()}, nil
	case errors.Is(err, ErrAbsent):
		return kept[T]{Absent: true, LoadedAt: t.now()}, nil
	default:
		return kept[T]{}, err
	}
}

func (t *Through[T]) isForgotten(loading *flight[T]) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return loading.forgotten
}

func (t *Through[T]) keep(ctx context.Context, key string, result kept[T]) {
	ttl := t.fresh(result)
	if !result.Absent {
		ttl += t.policy.Stale
	}
	if ttl <= 0 {
		return
	}
	text, err := json.Marshal(result)
	if err == nil {
		err = t.cache.Set(ctx, key, text, ttl)
	}
	if err == nil {
		err = t.cache.Delete(ctx, loadingKey(key)) // the next refresh may begin
	}
	if err != nil {
		t.log.DebugContext(ctx, "cache not written", slog.String("key", key), slog.Any("error", err))
	}
}

func (t *Through[T]) drop(ctx context.Context, key string) {
	if err := t.cache.Delete(ctx, key); err != nil {
		t.log.DebugContext(ctx, "cache not written", slog.String("key", key), slog.Any("error", err))
	}
}

// markSuffix ends the key that marks that one of the processes refreshes a value.
const markSuffix = ":loading"

func loadingKey(key string) string { return key + markSuffix }

// IsMark reports whether a key is no value, but the mark of a load.
func IsMark(key string) bool { return strings.HasSuffix(key, markSuffix) }

// Start implements lifecycle.Service.
func (t *Through[T]) Start(context.Context) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.stopped = false
	return nil
}

// Stop cancels the loads that are going on, and waits until they have ended.
func (t *Through[T]) Stop(ctx context.Context) error {
	t.mu.Lock()
	t.stopped = true
	for _, loading := range t.flights {
		loading.cancel(lifecycle.ErrStopping)
	}
	t.mu.Unlock()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		t.loads.Wait()
	}()
	select {
	case <-ended:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("wait for loads of the cache to end: %w", context.Cause(ctx))
	}
}
