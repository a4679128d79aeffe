package mongodb

import (
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.mongodb.org/mongo-driver/v2/event"
)

// PoolStats is the state of the connection pools of all servers together.
type PoolStats struct {
	Open    int64 // connections
	InUse   int64 // of those
	Waiting int64 // operations that wait for a connection
	// CheckOuts and CheckOutFailures count the operations that got a
	// connection, and that did not.
	CheckOuts, CheckOutFailures int64
	// Waited is how long all operations together have waited for one.
	Waited time.Duration
}

// PoolStats returns the state of the pool.
func (c *Client) PoolStats() PoolStats { return c.pool.stats() }

// pool counts what the driver tells of its connection pools.
type pool struct {
	open, inUse, waiting, checkOuts, failures, waited atomic.Int64
}

func (p *pool) monitor() *event.PoolMonitor { return &event.PoolMonitor{Event: p.see} }

func (p *pool) see(e *event.PoolEvent) {
	switch e.Type {
	case event.ConnectionCreated:
		p.open.Add(1)
	case event.ConnectionClosed:
		p.open.Add(-1)
	case event.ConnectionCheckOutStarted:
		p.waiting.Add(1)
	case event.ConnectionCheckedOut:
		p.waiting.Add(-1)
		p.inUse.Add(1)
		p.checkOuts.Add(1)
		p.waited.Add(int64(e.Duration))
	case event.ConnectionCheckOutFailed:
		p.waiting.Add(-1)
		p.failures.Add(1)
		p.waited.Add(int64(e.Duration))
	case event.ConnectionCheckedIn:
		p.inUse.Add(-1)
	}
}

func (p *pool) stats() PoolStats {
	return PoolStats{
		Open: p.open.Load(), InUse: p.inUse.Load(), Waiting: p.waiting.Load(),
		CheckOuts: p.checkOuts.Load(), CheckOutFailures: p.failures.Load(),
		Waited: time.Duration(p.waited.Load()),
	}
}

// Collector returns the metrics of the connection: etrainer_mongodb_target_info,
// etrainer_mongodb_fallback and etrainer_mongodb_pool_*.
func (c *Client) Collector() prometheus.Collector { return collector{c} }

type collector struct{ client *Client }

func describe(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("etrainer_mongodb_"+name, help, labels, nil)
}

var (
	targetDesc      = describe("target_info", "Always 1; the labels tell the deployment.", "target", "engine", "engine_version", "topology")
	fallbackDesc    = describe("fallback", "1 when the fallback database is used because Atlas did not answer.")
	connectionsDesc = describe("pool_connections", "Connections by state.", "state")
	waitingDesc     = describe("pool_waiting", "Operations that wait for a connection.")
	checkOutsDesc   = describe("pool_checkouts_total", "Operations that asked for a connection, by outcome.", "outcome")
	waitedDesc      = describe("pool_wait_seconds_total", "Time that operations have waited for a connection.")
)

func (c collector) Describe(out chan<- *prometheus.Desc) {
	for _, desc := range []*prometheus.Desc{targetDesc, fallbackDesc, connectionsDesc, waitingDesc, checkOutsDesc, waitedDesc} {
		out <- desc
	}
}

func (c collector) Collect(out chan<- prometheus.Metric) {
	gauge := func(desc *prometheus.Desc, value float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, value, labels...)
	}
	counter := func(desc *prometheus.Desc, value float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(desc, prometheus.CounterValue, value, labels...)
	}
	can, stats := c.client.capabilities, c.client.PoolStats()
	gauge(targetDesc, 1, c.client.target.Name, can.Engine, can.Version, can.Topology)
	fallback := 0.0
	if c.client.target.Fallback {
		fallback = 1
	}
	gauge(fallbackDesc, fallback)
	gauge(connectionsDesc, float64(stats.InUse), "in_use")
	gauge(connectionsDesc, float64(max(0, stats.Open-stats.InUse)), "idle")
	gauge(waitingDesc, float64(stats.Waiting))
	counter(checkOutsDesc, float64(stats.CheckOuts), "ok")
	counter(checkOutsDesc, float64(stats.CheckOutFailures), "failed")
	counter(waitedDesc, stats.Waited.Seconds())
}
