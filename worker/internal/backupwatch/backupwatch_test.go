package backupwatch_test

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jonboulle/clockwork"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"github.com/etrainer/backend/worker/internal/backup"
	"github.com/etrainer/backend/worker/internal/backup/dirstore"
	"github.com/etrainer/backend/worker/internal/backupwatch"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is how long a test waits for what must come about.
const patience = 60 * time.Second

// value is the gauge as Prometheus gets it.
func value(t *testing.T, registry *prometheus.Registry) float64 {
	t.Helper()
	families, err := registry.Gather()
	if err != nil || len(families) != 1 || !strings.HasSuffix(families[0].GetName(), "newest_backup_timestamp_seconds") {
		t.Fatalf("%v, %v", families, err)
	}
	return families[0].GetMetric()[0].GetGauge().GetValue()
}

func await(t *testing.T, registry *prometheus.Registry, want float64) {
	t.Helper()
	deadline := time.After(patience)
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for value(t, registry) != want {
		select {
		case <-deadline:
			t.Fatalf("the gauge is %f, want %f", value(t, registry), want)
		case <-tick.C:
		}
	}
}

// The gauge is 0 without a backup, follows new ones, and counts those of its
// own database only.
func TestNewest(t *testing.T) {
	t.Parallel()
	dir, clock, registry := t.TempDir(), clockwork.NewFakeClock(), prometheus.NewRegistry()
	first := time.Date(2026, 8, 17, 3, 0, 0, 5e8, time.UTC)
	add := func(database string, started time.Time) {
		if err := os.Mkdir(filepath.Join(dir, backup.NameOf(database, started)), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	add("other", first.AddDate(1, 0, 0))
	watch := backupwatch.New(backupwatch.Options{
		Database: "etrainer", Open: func() (backup.Store, error) { return dirstore.New(dir), nil },
		Registerer: registry, Clock: clock, Log: slog.New(slog.DiscardHandler),
	})
	if got := value(t, registry); got != 0 {
		t.Errorf("before the start it is %f", got)
	}
	add("etrainer", first)
	if err := watch.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := watch.Stop(t.Context()); err != nil {
			t.Error(err)
		}
	}()
	await(t, registry, float64(first.UnixMilli())/1e3)
	add("etrainer", first.AddDate(0, 0, -1))
	add("etrainer", first.AddDate(0, 0, 1))
	if err := clock.BlockUntilContext(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	clock.Advance(backupwatch.Every)
	await(t, registry, float64(first.AddDate(0, 0, 1).UnixMilli())/1e3)
}
