package cache_test

import (
	"context"
	"fmt"
	"time"

	"github.com/etrainer/backend/pkg/cache"
)

// The second time, the answer comes from the cache.
func Example() {
	ctx := context.Background()
	memory, err := cache.NewMemory(cache.MemoryOptions{Entries: 100})
	if err != nil {
		panic(err)
	}
	lengths := cache.NewThrough[int](memory, cache.Policy{Fresh: time.Minute}, nil, nil)
	defer func() { _ = lengths.Stop(ctx) }()
	for range 2 {
		found, err := lengths.Get(ctx, "word", func(context.Context) (int, error) { return len("word"), nil })
		fmt.Println(found.Value, found.Hit, err)
	}
	// Output:
	// 4 false <nil>
	// 4 true <nil>
}
