package cache_test

import (
	"bytes"
	"strconv"
	"testing"
	"time"

	"github.com/jonboulle/clockwork"

	"github.com/etrainer/backend/pkg/cache"
	"github.com/etrainer/backend/pkg/cache/cachetest"
)

func memory(t *testing.T, o cache.MemoryOptions) *cache.Memory {
	t.Helper()
	m, err := cache.NewMemory(o)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestConformance(t *testing.T) {
	t.Parallel()
	cachetest.Run(t, func(t *testing.T) cache.Cache { return memory(t, cache.MemoryOptions{}) })
}

func TestMemoryIsBounded(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		value   int // bytes
		entries int64
	}{"by entries": {10, 100}, "by bytes": {200 << 10, 100 / 13}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := memory(t, cache.MemoryOptions{Entries: 100})
			for i := range 500 {
				if err := m.Set(t.Context(), strconv.Itoa(i), bytes.Repeat([]byte("x"), test.value), time.Hour); err != nil {
					t.Fatal(err)
				}
			}
			layer, _ := m.Stats(t.Context()).Layer(cache.LayerMemory)
			if layer.Entries > test.entries || layer.Entries == 0 || layer.Evictions != 500-layer.Entries {
				t.Errorf("%d entries (want at most %d), %d evictions", layer.Entries, test.entries, layer.Evictions)
			}
			if counters := m.Counters(); counters != layer { // nothing has expired
				t.Errorf("the counters are %+v, the statistics %+v", counters, layer)
			}
		})
	}
}

func TestMemoryByTheInjectedClock(t *testing.T) {
	t.Parallel()
	clock := clockwork.NewFakeClock()
	m := memory(t, cache.MemoryOptions{Now: clock.Now})
	if err := m.Set(t.Context(), "a", nil, time.Minute); err != nil {
		t.Fatal(err)
	}
	clock.Advance(time.Minute - time.Millisecond)
	if _, err := m.Get(t.Context(), "a"); err != nil {
		t.Errorf("just before its end: %v", err)
	}
	clock.Advance(2 * time.Millisecond)
	if _, err := m.Get(t.Context(), "a"); err == nil {
		t.Error("it did not expire")
	}
	if layer, _ := m.Stats(t.Context()).Layer(cache.LayerMemory); layer.Evictions != 0 || layer.Entries != 0 {
		t.Errorf("an expiry is no eviction: %+v", layer)
	}
}

func TestMemoryRefusesANegativeSize(t *testing.T) {
	t.Parallel()
	if _, err := cache.NewMemory(cache.MemoryOptions{Entries: -1}); err == nil {
		t.Error("accepted")
	}
}
