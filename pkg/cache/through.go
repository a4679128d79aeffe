package cache

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"
)

// ErrAbsent is what a load returns, wrapped or not, when the thing does not
// exist. It is remembered, and returned to those who ask again.
var ErrAbsent = errors.New("there is none")

// DefaultLoadTimeout bounds one load unless a Policy says otherwise.
const DefaultLoadTimeout = 30 * time.Second

// Policy says how long values are believed.
type Policy struct {
	// Fresh is how long a value is served as it is.
	Fresh time.Duration
	// Stale is for how long after that it is still served, while a new one is
	// loaded in the background. 0 = not at all.
	Stale time.Duration
	// Absent is how long it is believed that there is none. 0 = not at all.
	Absent time.Duration
	// LoadTimeout bounds one load. 0 = DefaultLoadTimeout.
	LoadTimeout time.Duration
}

// Found is a value and where it comes from.
type Found[T any] struct {
	Value T
	// Hit reports that it came from the cache.
	Hit bool
	// LoadedAt is when it was loaded, by the clock of whoever did.
	LoadedAt time.Time
}

// Through reads values of one kind through a cache. Values are kept as JSON. It
// is a lifecycle.Service: Stop cancels the loads that are going on and waits
// for them; after it, Get serves what is cached and loads nothing.
type Through[T any] struct {
	cache  Cache
	policy Policy
	now    func() time.Time
	log    *slog.Logger

	mu      sync.Mutex
	flights map[string]*flight[T]
	landed  uint64 // flights that have ended
	stopped bool
	loads   sync.WaitGroup
}

// flight is one load, for which many may wait. The fields are read after done.
type flight[T any] struct {
	cancel    context.CancelCauseFunc
	forgotten bool // guarded by Through.mu: the result is not kept
	done      chan struct{}
	result    kept[T]
	err       error
}

// NewThrough returns a Through on a cache. now nil = time.Now; log nil =
// nothing is logged.
func NewThrough[T any](cache Cache, policy Policy, now func() time.Time, log *slog.Logger) *Through[T] {
	if policy.LoadTimeout == 0 {
		policy.LoadTimeout = DefaultLoadTimeout
	}
	if now == nil {
		now = time.Now
	}
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &Through[T]{cache: cache, policy: policy, now: now, log: log, flights: map[string]*flight[T]{}}
}

// kept is a value as it is in the cache.
type kept[T any] struct {
	Value    T         `json:"v,omitempty"`
	Absent   bool      `json:"absent,omitempty"` // there is none
	LoadedAt time.Time `json:"at"`
}

// Get returns the value of a key, which load makes where the cache has none.
// All who ask for it at the same time wait for one load, which goes on when one
// of them goes away; each waits until its own ctx ends. A cache that is away is
// as good as an empty one. A load that panics is an error.
func (t *Through[T]) Get(ctx context.Context, key string, load func(context.Context) (T, error)) (Found[T], error) {
	landed := t.hasLanded()
	if found, ok := t.look(ctx, key); ok {
		if t.now().Sub(found.LoadedAt) >= t.fresh(found) && t.mayRefresh(ctx, key) {
			_, _ = t.begin(ctx, key, load, nil) // whether it can or not, there is an answer
		}
		return t.answer(found, true)
	}
	loading, err := t.begin(ctx, key, load, &landed)
	if err != nil {
		return Found[T]{}, err
	}
	select {
	case <-loading.done:
		if loading.err != nil {
			return Found[T]{}, loading.err
		}
		return t.answer(loading.result, false)
	case <-ctx.Done():
		return Found[T]{}, fmt.Errorf("wait for %s to load: %w", key, ctx.Err())
	}
}

// Forget removes the values of keys, also those that are being loaded.
func (t *Through[T]) Forget(ctx context.Context, keys ...string) error {
	t.Drop(Notice{Keys: keys})
	return t.cache.Delete(ctx, keys...)
}

// ForgetAll is Forget for every key. It clears the whole cache, also of what
// others keep in it.
func (t *Through[T]) ForgetAll(ctx context.Context) error {
	t.Drop(Notice{All: true})
	return t.cache.Clear(ctx)
}

// Drop does what a notice asks for with the loads that are going on: what they
// read before it is not kept. The cache itself it leaves alone.
func (t *Through[T]) Drop(notice Notice) {
	t.mu.Lock()
	defer t.mu.Unlock()
	keys := notice.Keys
	if notice.All {
		keys = slices.Collect(maps.Keys(t.flights))
	}
	for _, key := range keys {
		if loading := t.flights[key]; loading != nil {
			loading.forgotten = true
			delete(t.flights, key)
		}
	}
}

// hasLanded counts the loads that have ended.
func (t *Through[T]) hasLanded() uint64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.landed
}

func (t *Through[T]) answer(k kept[T], hit bool) (Found[T], error) {
	if k.Absent {
		return Found[T]{Hit: hit, LoadedAt: k.LoadedAt}, ErrAbsent
	}
	return Found[T]{Value: k.Value, Hit: hit, LoadedAt: k.LoadedAt}, nil
}

func (t *Through[T]) look(ctx context.Context, key string) (kept[T], bool) {
	text, err := t.cache.Get(ctx, key)
	if err != nil {
		if !errors.Is(err, ErrMiss) {
			t.log.DebugContext(ctx, "cache not read", slog.String("key", key), slog.Any("error", err))
		}
		return kept[T]{}, false
	}
	var k kept[T]
	if err := json.Unmarshal(text, &k); err != nil { // of another version
		return kept[T]{}, false
	}
	return k, true
}

func (t *Through[T]) fresh(k kept[T]) time.Duration {
	if k.Absent {
		return t.policy.Absent
	}
	return t.policy.Fresh
}

// mayRefresh lets one of all processes that share the cache through.
func (t *Through[T]) mayRefresh(ctx context.Context, key string) bool {
	mine, err := t.cache.Add(ctx, loadingKey(key), []byte("1"), t.policy.LoadTimeout)
	return mine || err != nil
}
