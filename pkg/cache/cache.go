package cache

import (
	"context"
	"errors"
	"time"
)

// ErrMiss is returned by Get when there is no value for the key.
var ErrMiss = errors.New("not in the cache")

// Cache keeps values by key. It is safe for concurrent use. Every error but
// ErrMiss means that the cache is away; callers go on without it.
type Cache interface {
	// Get returns a copy of a value, or ErrMiss.
	Get(ctx context.Context, key string) ([]byte, error)
	// Set keeps a value for a time, which is at least a millisecond.
	Set(ctx context.Context, key string, value []byte, ttl time.Duration) error
	// Add keeps a value only where there is none, and reports whether it did:
	// of many that call it at once, one succeeds.
	Add(ctx context.Context, key string, value []byte, ttl time.Duration) (bool, error)
	// Delete removes keys. Removing what is not there does nothing.
	Delete(ctx context.Context, keys ...string) error
	// Clear removes everything that was put into this cache, and nothing that
	// somebody else keeps in the same server.
	Clear(ctx context.Context) error
	// Stats tells how the cache is doing.
	Stats(ctx context.Context) Stats
}

// Stats is the state of a cache, by layer: the one that is asked first comes
// first.
type Stats struct {
	Layers []Layer
}

// The names that Layer.Name can have.
const (
	LayerMemory = "memory"
	LayerRedis  = "redis"
)

// Layer is the state of one store. Hits and misses are those of this process
// since its start.
type Layer struct {
	Name string
	// Available is false while the layer does not answer.
	Available bool
	// Entries is how many values are in it. It is a lower bound where
	// EntriesAtLeast is true.
	Entries        int64
	EntriesAtLeast bool
	Hits, Misses   int64
	// Evictions is how many values left before their time for want of room; -1 =
	// not known. With EvictionsOfServer they are those of all who keep something
	// in the same server, since its start.
	Evictions         int64
	EvictionsOfServer bool
	// Errors is how many calls failed because the layer was away.
	Errors int64
}

// HitRate is the share of hits, 0 to 1; 0 when nobody has asked.
func (l Layer) HitRate() float64 { return rate(l.Hits, l.Misses) }

// Layer returns a layer by name; false = the cache has none of this name.
func (s Stats) Layer(name string) (Layer, bool) {
	for _, layer := range s.Layers {
		if layer.Name == name {
			return layer, true
		}
	}
	return Layer{}, false
}

// Total adds the layers up: each request asks one of them. Entries are those of
// the first layer that answers, evictions those that are known to be ours.
func (s Stats) Total() Layer {
	var total Layer
	for _, layer := range s.Layers {
		if layer.Available && !total.Available {
			total = Layer{Name: layer.Name, Available: true, Entries: layer.Entries, EntriesAtLeast: layer.EntriesAtLeast, Hits: total.Hits, Misses: total.Misses, Evictions: total.Evictions, Errors: total.Errors}
		}
		total.Hits += layer.Hits
		total.Misses += layer.Misses
		if !layer.EvictionsOfServer {
			total.Evictions += max(0, layer.Evictions)
		}
		total.Errors += layer.Errors
	}
	return total
}

func rate(hits, misses int64) float64 {
	if hits+misses == 0 {
		return 0
	}
	return float64(hits) / float64(hits+misses)
}
