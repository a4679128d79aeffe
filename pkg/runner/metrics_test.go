package runner_test

import (
	"context"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/etrainer/backend/pkg/runner"
)

// An alert on an increase would miss the first failure of a name whose series
// begins with it.
func TestCountersOfRunsBeginAtZero(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewRegistry()
	idle := handler("a", func(context.Context, noteJob) (any, error) { return nil, nil })
	options := newBench(t, nil).options(idle)
	options.Metrics = runner.NewMetrics(registry)
	runner.New(options)
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	begun := map[string]bool{}
	for _, family := range families {
		if family.GetName() != "etrainer_worker_runs_total" {
			continue
		}
		for _, metric := range family.GetMetric() {
			for _, label := range metric.GetLabel() {
				begun[label.GetValue()] = metric.GetCounter().GetValue() == 0
			}
		}
	}
	for _, want := range []string{"a", "succeeded", "retrying", "dead"} {
		if !begun[want] {
			t.Errorf("no counter at zero for %q: %v", want, begun)
		}
	}
}
