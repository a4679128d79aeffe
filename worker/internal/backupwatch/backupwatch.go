// Package backupwatch tells monitoring when the newest backup started. It asks
// the place where backups are kept, and not the queue: so it is true after a
// restart, for every worker, and also when the job no longer runs at all.
package backupwatch

import (
	"context"
	"log/slog"
	"time"

	"github.com/jonboulle/clockwork"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/etrainer/backend/pkg/lifecycle"
	"github.com/etrainer/backend/worker/internal/backup"
)

// Every is how often it looks; it looks at the start, too.
const Every = 30 * time.Minute

// Options are what it needs.
type Options struct {
	// Database is the one whose backups count.
	Database string
	// Open gives the place. While it fails there are no backups.
	Open func() (backup.Store, error)
	// Registerer gets etrainer_worker_newest_backup_timestamp_seconds: the start
	// of the newest finished backup, as seconds since 1970; 0 = there is none.
	Registerer prometheus.Registerer
	// Clock nil = the real one.
	Clock clockwork.Clock
	Log   *slog.Logger
}

// New returns a lifecycle.Service.
func New(o Options) *lifecycle.Loop {
	if o.Clock == nil {
		o.Clock = clockwork.NewRealClock()
	}
	newest := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "etrainer_worker_newest_backup_timestamp_seconds",
		Help: "Start of the newest finished backup, in seconds since 1970; 0 = there is none.",
	})
	o.Registerer.MustRegister(newest)
	return lifecycle.NewLoop("backup watch", func(ctx context.Context) error {
		ticker := o.Clock.NewTicker(Every)
		defer ticker.Stop()
		for {
			o.look(ctx, newest)
			select {
			case <-ctx.Done():
				return nil
			case <-ticker.Chan():
			}
		}
	})
}

// look sets the gauge. When the place cannot be asked, the last answer stands:
// it grows old, which is what monitoring acts on.
func (o Options) look(ctx context.Context, gauge prometheus.Gauge) {
	store, err := o.Open()
	if err != nil {
		return // the worker has said so when it started
	}
	names, err := store.Names(ctx)
	if err != nil {
		if ctx.Err() == nil {
			o.Log.WarnContext(ctx, "backups not listed; the newest is not known", slog.Any("error", err))
		}
		return
	}
	var newest time.Time
	for _, name := range names {
		of, started, err := backup.ParseName(name)
		if err == nil && of == o.Database && started.After(newest) {
			newest = started
		}
	}
	if newest.IsZero() {
		gauge.Set(0)
		return
	}
	gauge.Set(float64(newest.UnixMilli()) / 1e3)
}
