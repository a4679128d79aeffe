package mongodb

import (
	"context"
	"maps"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	"go.mongodb.org/mongo-driver/v2/event"
)

// CommandCounter counts the commands that are sent to the server, by name.
// Tests and benchmarks read the counts; Prometheus gets the times as the
// histogram etrainer_mongodb_command_seconds, by command and outcome. The zero
// value counts, and has no metrics.
type CommandCounter struct {
	seconds *prometheus.HistogramVec

	mu     sync.Mutex
	counts map[string]int64
}

// NewCommandCounter returns a counter that registers its metrics with
// registerer. nil = no metrics, only counts.
func NewCommandCounter(registerer prometheus.Registerer) (*CommandCounter, error) {
	c := &CommandCounter{}
	if registerer == nil {
		return c, nil
	}
	c.seconds = prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name:    "etrainer_mongodb_command_seconds",
		Help:    "Time from sending a command to its answer.",
		Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10},
	}, []string{"command", "outcome"})
	return c, registerer.Register(c.seconds)
}

// Monitor returns what goes into Options.Monitor. It looks at names and
// times, never into the commands.
func (c *CommandCounter) Monitor() *event.CommandMonitor {
	return &event.CommandMonitor{
		Started: func(_ context.Context, e *event.CommandStartedEvent) {
			c.mu.Lock()
			defer c.mu.Unlock()
			if c.counts == nil {
				c.counts = map[string]int64{}
			}
			c.counts[e.CommandName]++
		},
		Succeeded: func(_ context.Context, e *event.CommandSucceededEvent) { c.observe(&e.CommandFinishedEvent, "ok") },
		Failed:    func(_ context.Context, e *event.CommandFailedEvent) { c.observe(&e.CommandFinishedEvent, "failed") },
	}
}

func (c *CommandCounter) observe(e *event.CommandFinishedEvent, outcome string) {
	if c.seconds != nil {
		c.seconds.WithLabelValues(e.CommandName, outcome).Observe(e.Duration.Seconds())
	}
}

// Counts returns how many commands of each name were started since the
// counter was made or Reset.
func (c *CommandCounter) Counts() map[string]int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return maps.Clone(c.counts)
}

// Total returns how many commands were started.
func (c *CommandCounter) Total() int64 {
	var total int64
	for _, count := range c.Counts() {
		total += count
	}
	return total
}

// Reset begins the counts anew. The histogram goes on.
func (c *CommandCounter) Reset() {
	c.mu.Lock()
	defer c.mu.Unlock()
	clear(c.counts)
}
