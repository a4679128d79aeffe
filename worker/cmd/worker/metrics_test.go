package main

import (
	"log/slog"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	baseconfig "github.com/etrainer/backend/pkg/config"
	"github.com/etrainer/backend/pkg/metrics"
	"github.com/etrainer/backend/pkg/mongodb/mongotest"
	"github.com/etrainer/backend/worker/internal/config"
)

var described = regexp.MustCompile(`fqName: "([^"]+)"`)

// TestMetricsThatAlertsRelyOn starts the whole program: an alert or a chart on a
// metric that is gone would be silent for ever.
func TestMetricsThatAlertsRelyOn(t *testing.T) {
	t.Parallel()
	db := mongotest.Database(t)
	mongotest.Migrate(t, db)
	settings := map[string]string{"MONGODB_URI": mongotest.URI(t) + db.Name()}
	var cfg config.Config
	if err := baseconfig.Load(&cfg, baseconfig.Options{Environment: settings}); err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.DiscardHandler)
	p := &program{cfg: &cfg, log: log, metrics: metrics.New("worker", log)}
	if err := p.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := p.Stop(t.Context()); err != nil {
			t.Error(err)
		}
	}()
	has := map[string]bool{}
	descriptions := make(chan *prometheus.Desc)
	go func() { defer close(descriptions); p.metrics.Describe(descriptions) }()
	for each := range descriptions {
		if m := described.FindStringSubmatch(each.String()); m != nil {
			has[m[1]] = true
		}
	}
	text, err := os.ReadFile("../../../deploy/prometheus/metrics/worker.txt")
	if err != nil {
		t.Fatal(err)
	}
	for name := range strings.FieldsSeq(string(text)) {
		if !has[name] {
			t.Errorf("the worker has no metric %s", name)
		}
	}
	families, err := p.metrics.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		if family.GetName() == "etrainer_worker_due_jobs" {
			return
		}
	}
	t.Error("due jobs are not counted")
}
