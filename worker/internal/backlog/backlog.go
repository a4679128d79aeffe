// Package backlog tells monitoring how many jobs wait for a worker, and for how
// long: what autoscaling and alerts go by.
//
// It asks when it is scraped, so it costs nothing where nobody looks. Every
// worker tells the same of the whole queue: take the maximum over workers, not
// the sum.
package backlog

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/jonboulle/clockwork"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/etrainer/backend/pkg/queue"
)

const (
	// Fresh is how long an answer is used again: several Prometheus servers
	// cost no more than one.
	Fresh = 5 * time.Second
	// timeout bounds a count; Prometheus gives up after 10 s by default.
	timeout = 5 * time.Second
)

// Store is what it needs of the queue's store.
type Store interface {
	Due(ctx context.Context, names []string) (queue.Due, error)
}

// Collector is a prometheus.Collector of etrainer_worker_due_jobs, by name, and
// etrainer_worker_oldest_due_seconds. While the queue cannot be asked there are
// no such metrics: an old count would mislead an autoscaler.
type Collector struct {
	store Store
	names []string
	clock clockwork.Clock
	log   *slog.Logger

	mu    sync.Mutex
	due   queue.Due
	until time.Time // due can be used again up to here
}

// New returns a Collector for the jobs of these names. clock nil = the real one.
func New(store Store, names []string, clock clockwork.Clock, log *slog.Logger) *Collector {
	if clock == nil {
		clock = clockwork.NewRealClock()
	}
	return &Collector{store: store, names: names, clock: clock, log: log}
}

var (
	dueDesc = prometheus.NewDesc("etrainer_worker_due_jobs",
		"Jobs in the whole queue that wait for a worker, by job name; 10000 in all at the most. Those of paused names do not count.", []string{"name"}, nil)
	oldestDesc = prometheus.NewDesc("etrainer_worker_oldest_due_seconds",
		"How long the oldest of the jobs that wait for a worker has waited; 0 = none waits.", nil, nil)
)

// Describe implements prometheus.Collector.
func (c *Collector) Describe(out chan<- *prometheus.Desc) {
	out <- dueDesc
	out <- oldestDesc
}

// Collect implements prometheus.Collector.
func (c *Collector) Collect(out chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), timeout) //nolint:forbidigo // a collector is given none
	defer cancel()
	due, err := c.ask(ctx)
	if err != nil {
		c.log.WarnContext(ctx, "due jobs not counted", slog.Any("error", err))
		return
	}
	for name, n := range due.ByName {
		out <- prometheus.MustNewConstMetric(dueDesc, prometheus.GaugeValue, float64(n), name)
	}
	out <- prometheus.MustNewConstMetric(oldestDesc, prometheus.GaugeValue, due.Oldest.Seconds())
}

// ask counts, or repeats what it counted a moment ago.
func (c *Collector) ask(ctx context.Context) (queue.Due, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.clock.Now()
	if now.Before(c.until) {
		return c.due, nil
	}
	due, err := c.store.Due(ctx, c.names)
	if err != nil {
		return queue.Due{}, err
	}
	c.due, c.until = due, now.Add(Fresh)
	return due, nil
}
