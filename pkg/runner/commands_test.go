package runner_test

import (
	"context"
	"sync/atomic"
	"testing"

	"github.com/etrainer/backend/pkg/mongodb"
	"github.com/etrainer/backend/pkg/queue"
)

// A backlog costs at most a tenth of a command for each job, where Agenda 6
// needs more than three.
func TestBacklogCostsATenthOfACommandPerJob(t *testing.T) {
	t.Parallel()
	const jobs = 1000
	var commands mongodb.CommandCounter
	b := newBench(t, commands.Monitor())
	b.enqueueMany("a", jobs)
	var ran atomic.Int64
	o := b.options(handler("a", func(context.Context, noteJob) (any, error) { ran.Add(1); return nil, nil }))
	commands.Reset()
	r := b.start(o)
	eventually(t, "all have run, and are recorded", func() bool { return ran.Load() == jobs && r.InFlight() == 0 })
	counts, total := commands.Counts(), commands.Total()
	t.Logf("%d commands for %d jobs: %v", total, jobs, counts)
	if perJob := float64(total) / jobs; perJob > 0.1 {
		t.Errorf("%.3f commands per job, want at most 0.1: %v", perJob, counts)
	}
	page, err := b.store.List(t.Context(), queue.Filter{States: nil, Limit: 1})
	if err != nil || len(page.Jobs) != 1 || page.Jobs[0].LastFinishedAt.IsZero() {
		t.Errorf("the outcome is not in the database: %+v, %v", page.Jobs, err)
	}
}
