package cache

import (
	"bytes"
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/maypok86/otter/v2"
)

// DefaultMemoryEntries is how many entries a Memory holds unless told
// otherwise.
const DefaultMemoryEntries = 1000

// entryUnit is how large a value may be to count as one entry. A larger one
// counts as several, so that the bound on entries is one on bytes as well.
const entryUnit = 16 << 10

// MemoryOptions configure a Memory. The zero value is usable.
type MemoryOptions struct {
	// Entries is how many values of at most 16 KiB it holds; a larger one counts
	// as several. 0 = DefaultMemoryEntries.
	Entries int
	// Now is the clock. nil = time.Now.
	Now func() time.Time
}

// Memory is the cache of one process. It is bounded: the value that is least
// likely to be asked for again leaves first. It owns no goroutine.
type Memory struct {
	entries                 *otter.Cache[string, timed]
	hits, misses, evictions atomic.Int64
}

var _ Cache = (*Memory)(nil)

type timed struct {
	value []byte
	ttl   time.Duration
}

// NewMemory returns an empty cache.
func NewMemory(o MemoryOptions) (*Memory, error) {
	if o.Entries == 0 {
		o.Entries = DefaultMemoryEntries
	}
	if o.Entries < 0 {
		return nil, fmt.Errorf("a cache of %d entries: want one or more", o.Entries)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	m := &Memory{}
	entries, err := otter.New(&otter.Options[string, timed]{
		MaximumWeight:    uint64(o.Entries),
		Weigher:          func(_ string, t timed) uint32 { return 1 + uint32(len(t.value)/entryUnit) },
		ExpiryCalculator: otter.ExpiryWritingFunc(func(e otter.Entry[string, timed]) time.Duration { return e.Value.ttl }),
		OnAtomicDeletion: func(e otter.DeletionEvent[string, timed]) {
			if e.Cause == otter.CauseOverflow {
				m.evictions.Add(1)
			}
		},
		Clock: clock(o.Now),
		// Upkeep happens on the caller's goroutine: it is short, and owned.
		Executor: func(task func()) { task() },
	})
	if err != nil {
		return nil, fmt.Errorf("make a memory cache: %w", err)
	}
	m.entries = entries
	return m, nil
}

// clock is an otter.Clock without ticks: what has expired is never returned,
// and leaves with the upkeep that writes do.
type clock func() time.Time

func (c clock) NowNano() int64                    { return c().UnixNano() }
func (clock) Tick(time.Duration) <-chan time.Time { return nil }

// Get implements Cache.
func (m *Memory) Get(_ context.Context, key string) ([]byte, error) {
	found, ok := m.entries.GetIfPresent(key)
	if !ok {
		m.misses.Add(1)
		return nil, ErrMiss
	}
	m.hits.Add(1)
	return bytes.Clone(found.value), nil
}

// Set implements Cache.
func (m *Memory) Set(_ context.Context, key string, value []byte, ttl time.Duration) error {
	m.entries.Set(key, timed{bytes.Clone(value), ttl})
	return nil
}

// Add implements Cache.
func (m *Memory) Add(_ context.Context, key string, value []byte, ttl time.Duration) (bool, error) {
	_, added := m.entries.SetIfAbsent(key, timed{bytes.Clone(value), ttl})
	return added, nil
}

// Delete implements Cache.
func (m *Memory) Delete(_ context.Context, keys ...string) error {
	for _, key := range keys {
		m.entries.Invalidate(key)
	}
	return nil
}

// Clear implements Cache.
func (m *Memory) Clear(context.Context) error {
	m.entries.InvalidateAll()
	return nil
}

// Forget does what a Notice of another process asks for.
func (m *Memory) Forget(ctx context.Context, notice Notice) {
	if notice.All {
		_ = m.Clear(ctx) // memory never fails
		return
	}
	_ = m.Delete(ctx, notice.Keys...)
}

// Counters is Stats without counting the entries one by one: those that have
// expired and were not tidied up yet are among them.
func (m *Memory) Counters() Layer {
	return Layer{
		Name: LayerMemory, Available: true, Entries: int64(m.entries.EstimatedSize()),
		Hits: m.hits.Load(), Misses: m.misses.Load(), Evictions: m.evictions.Load(),
	}
}

// Stats implements Cache.
func (m *Memory) Stats(context.Context) Stats {
	layer := m.Counters()
	layer.Entries = 0
	for range m.entries.Keys() { // what has expired is not among them
		layer.Entries++
	}
	return Stats{Layers: []Layer{layer}}
}

// Notice tells the processes that share a cache what to forget of it in their
// memories.
type Notice struct {
	Keys []string `json:"keys,omitempty"`
	All  bool     `json:"all,omitempty"`
}
