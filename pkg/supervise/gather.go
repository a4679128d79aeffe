package supervise

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/etrainer/backend/pkg/metrics"
)

// childLabel tells the metrics of the children apart. Its value is the id of
// the place, so that restarts make no new series.
const childLabel = "child"

// textFormat is what children are asked for.
const textFormat = "text/plain; version=0.0.4"

// counts are the metrics of a parent.
type counts struct {
	children *prometheus.GaugeVec
	restarts prometheus.Counter
	hangs    prometheus.Counter
}

func newCounts(registry prometheus.Registerer) *counts {
	c := &counts{
		children: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Namespace: metrics.Namespace, Subsystem: "supervise", Name: "children",
			Help: "Children of this parent by state; waiting and resting are places without a process.",
		}, []string{"state"}),
		restarts: prometheus.NewCounter(prometheus.CounterOpts{
			Namespace: metrics.Namespace, Subsystem: "supervise", Name: "unwanted_ends_total",
			Help: "Children that ended without having been asked to.",
		}),
		hangs: prometheus.NewCounter(prometheus.CounterOpts{
			Namespace: metrics.Namespace, Subsystem: "supervise", Name: "hangs_total",
			Help: "Children that were killed because they had stopped reporting.",
		}),
	}
	registry.MustRegister(c.children, c.restarts, c.hangs)
	return c
}

func (c *counts) set(s Status) {
	in := map[State]int{Starting: 0, Ready: 0, Draining: 0, Waiting: 0, Resting: 0}
	for _, each := range s.Workers {
		in[each.State]++
	}
	for state, n := range in {
		c.children.WithLabelValues(string(state)).Set(float64(n))
	}
}

// metricsHandler serves the metrics of this process, and those of the children
// with the label child.
func (p *parent) metricsHandler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		children := prometheus.GathererFunc(func() ([]*dto.MetricFamily, error) { return p.gather(r.Context()), nil })
		promhttp.HandlerFor(prometheus.Gatherers{p.options.Metrics, children}, promhttp.HandlerOpts{
			ErrorHandling: promhttp.ContinueOnError, EnableOpenMetrics: true,
		}).ServeHTTP(w, r)
	})
}

// gather asks all children at once. One that does not answer is left out, and
// logged.
func (p *parent) gather(ctx context.Context) []*dto.MetricFamily {
	var mu sync.Mutex
	var asking sync.WaitGroup
	merged := map[string]*dto.MetricFamily{}
	for id, address := range *p.privates.Load() {
		asking.Go(func() {
			families, err := scrape(ctx, address)
			if err != nil {
				p.log.WarnContext(ctx, "metrics of a child left out", slog.Int("child", id), slog.Any("error", err))
				return
			}
			mu.Lock()
			defer mu.Unlock()
			merge(merged, families, strconv.Itoa(id))
		})
	}
	asking.Wait()
	out := make([]*dto.MetricFamily, 0, len(merged))
	for _, family := range merged {
		out = append(out, family)
	}
	slices.SortFunc(out, func(a, b *dto.MetricFamily) int { return strings.Compare(a.GetName(), b.GetName()) })
	return out
}

func scrape(ctx context.Context, address string) (map[string]*dto.MetricFamily, error) {
	text, err := ask(ctx, address, "/metrics", textFormat)
	if err != nil {
		return nil, err
	}
	defer text.Close()
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(text)
	if err != nil {
		return nil, fmt.Errorf("read the metrics of a child: %w", err)
	}
	return families, nil
}

// merge adds the metrics of one child.
func merge(into, families map[string]*dto.MetricFamily, child string) {
	name := childLabel
	for _, family := range families {
		for _, each := range family.GetMetric() {
			each.Label = append(each.Label, &dto.LabelPair{Name: &name, Value: &child})
			slices.SortFunc(each.Label, func(a, b *dto.LabelPair) int { return strings.Compare(a.GetName(), b.GetName()) })
		}
		if known := into[family.GetName()]; known != nil {
			known.Metric = append(known.Metric, family.GetMetric()...)
			continue
		}
		into[family.GetName()] = family
	}
}
