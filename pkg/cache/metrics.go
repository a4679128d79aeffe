package cache

import "github.com/prometheus/client_golang/prometheus"

// NewCollector returns the metrics etrainer_cache_*, by layer. layers is called
// at each scrape and must cost nothing; entries and evictions below zero are not
// shown.
func NewCollector(layers func() []Layer) prometheus.Collector { return collector(layers) }

type collector func() []Layer

func describe(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("etrainer_cache_"+name, help, append([]string{"layer"}, labels...), nil)
}

var (
	requestsDesc  = describe("requests_total", "Reads, by outcome.", "outcome")
	evictionsDesc = describe("evictions_total", "Values that left before their time for want of room.")
	entriesDesc   = describe("entries", "Values that are kept.")
	availableDesc = describe("available", "1 when the layer answers.")
)

func (c collector) Describe(out chan<- *prometheus.Desc) {
	for _, desc := range []*prometheus.Desc{requestsDesc, evictionsDesc, entriesDesc, availableDesc} {
		out <- desc
	}
}

func (c collector) Collect(out chan<- prometheus.Metric) {
	for _, layer := range c() {
		counter := func(desc *prometheus.Desc, value int64, labels ...string) {
			out <- prometheus.MustNewConstMetric(desc, prometheus.CounterValue, float64(value), append([]string{layer.Name}, labels...)...)
		}
		gauge := func(desc *prometheus.Desc, value float64) {
			out <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, value, layer.Name)
		}
		counter(requestsDesc, layer.Hits, "hit")
		counter(requestsDesc, layer.Misses, "miss")
		counter(requestsDesc, layer.Errors, "error")
		if layer.Evictions >= 0 {
			counter(evictionsDesc, layer.Evictions)
		}
		available := 0.0
		if layer.Available {
			available = 1
		}
		gauge(availableDesc, available)
		if layer.Entries >= 0 {
			gauge(entriesDesc, float64(layer.Entries))
		}
	}
}
