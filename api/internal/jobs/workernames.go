package jobs

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/etrainer/backend/pkg/fleet"
)

// namesFor is how long a worker's name is remembered after it was last seen: so
// much longer than a restart of all workers that a job scheduled meanwhile will
// find one.
const namesFor = 10 * time.Minute

// WorkerNames are the names that live workers can run. They are remembered, so
// that scheduling a job by one of them costs no command to look for it. It is
// safe for concurrent use.
type WorkerNames struct {
	registry fleet.Registry
	now      func() time.Time

	mu   sync.Mutex
	seen map[string]time.Time
}

// NewWorkerNames returns WorkerNames that remember nothing yet.
func NewWorkerNames(registry fleet.Registry, now func() time.Time) *WorkerNames {
	return &WorkerNames{registry: registry, now: now, seen: map[string]time.Time{}}
}

// Names lists them. It is the OtherNames of queue.ClientOptions: the registry is
// asked when wanted is not remembered, so that a worker that has just started is
// known.
func (w *WorkerNames) Names(ctx context.Context, wanted string) ([]string, error) {
	if names := w.remembered(); slices.Contains(names, wanted) {
		return names, nil
	}
	if err := w.Look(ctx); err != nil {
		return nil, err
	}
	return w.remembered(), nil
}

// Look asks the registry.
func (w *WorkerNames) Look(ctx context.Context) error {
	instances, err := w.registry.Instances(ctx)
	if err != nil {
		return err
	}
	now := w.now()
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, instance := range live(instances, now) {
		for name := range instance.Names {
			w.seen[name] = now
		}
	}
	return nil
}

func (w *WorkerNames) remembered() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	since := w.now().Add(-namesFor)
	maps.DeleteFunc(w.seen, func(_ string, seen time.Time) bool { return !seen.After(since) })
	return slices.Sorted(maps.Keys(w.seen))
}
