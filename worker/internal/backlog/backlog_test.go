package backlog_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/jonboulle/clockwork"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/etrainer/backend/pkg/queue"
	"github.com/etrainer/backend/worker/internal/backlog"
)

// answers is a store that gives a prepared answer, and counts the questions.
type answers struct {
	due   queue.Due
	err   error
	asked int
}

func (a *answers) Due(context.Context, []string) (queue.Due, error) {
	a.asked++
	return a.due, a.err
}

func TestCollector(t *testing.T) {
	t.Parallel()
	store := &answers{due: queue.Due{ByName: map[string]int64{"a": 3, "b": 0}, Oldest: 90 * time.Second}}
	clock, registry := clockwork.NewFakeClock(), prometheus.NewPedanticRegistry()
	registry.MustRegister(backlog.New(store, []string{"a", "b"}, clock, slog.New(slog.DiscardHandler)))
	check := func(what, want string, asked int) {
		t.Helper()
		if err := testutil.GatherAndCompare(registry, strings.NewReader(want)); err != nil {
			t.Errorf("%s: %v", what, err)
		}
		if store.asked != asked {
			t.Errorf("%s: the queue was asked %d times, want %d", what, store.asked, asked)
		}
	}
	const full = `
# HELP etrainer_worker_due_jobs Jobs in the whole queue that wait for a worker, by job name; 10000 in all at the most. Those of paused names do not count.
# TYPE etrainer_worker_due_jobs gauge
etrainer_worker_due_jobs{name="a"} 3
etrainer_worker_due_jobs{name="b"} 0
# HELP etrainer_worker_oldest_due_seconds How long the oldest of the jobs that wait for a worker has waited; 0 = none waits.
# TYPE etrainer_worker_oldest_due_seconds gauge
etrainer_worker_oldest_due_seconds 90
`
	check("first scrape", full, 1)
	check("a moment later", full, 1)
	clock.Advance(backlog.Fresh)
	store.err = errors.New("no server")
	check("the database is away", "", 2)
	store.err = nil
	check("and back", full, 3)
}
