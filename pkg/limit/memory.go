package limit

import (
	"context"
	"time"

	"github.com/maypok86/otter/v2"
)

// maxKeys bounds the memory of a Memory, at about 20 MiB. Beyond it, the keys
// that were asked for least are forgotten.
const maxKeys = 100_000

// Memory is a Store for one process. It is safe for concurrent use.
type Memory struct {
	now     func() time.Time
	windows *otter.Cache[string, window]
}

// NewMemory returns an empty Memory. now is the clock.
func NewMemory(now func() time.Time) *Memory {
	return &Memory{now: now, windows: otter.Must(&otter.Options[string, window]{MaximumSize: maxKeys})}
}

// Take implements Store. It never fails.
func (m *Memory) Take(_ context.Context, rule Rule, key string, n int) (Result, error) {
	var result Result
	m.windows.Compute(memoryKey(rule, key), func(old window, _ bool) (window, otter.ComputeOp) {
		var changed window
		changed, result = old.take(rule, m.now(), n)
		return changed, otter.WriteOp
	})
	return result, nil
}

// Refund implements Store. It never fails.
func (m *Memory) Refund(_ context.Context, rule Rule, key string, n int) error {
	m.windows.ComputeIfPresent(memoryKey(rule, key), func(old window) (window, otter.ComputeOp) {
		return old.refund(rule, m.now(), n), otter.WriteOp
	})
	return nil
}

// Keys is how many keys are kept, about.
func (m *Memory) Keys() int { return m.windows.EstimatedSize() }

func memoryKey(rule Rule, key string) string {
	return rule.Name + ":" + rule.Window.String() + ":" + key
}
