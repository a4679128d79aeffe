package cache_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/etrainer/backend/pkg/cache"
)

func TestCollector(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(cache.NewCollector(func() []cache.Layer {
		return []cache.Layer{
			{Name: cache.LayerRedis, Hits: 3, Misses: 2, Errors: 1, Entries: -1, Evictions: -1},
			{Name: cache.LayerMemory, Available: true, Hits: 5, Evictions: 4, Entries: 7},
		}
	}))
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]float64{}
	for _, family := range families {
		for _, metric := range family.GetMetric() {
			name := strings.TrimPrefix(family.GetName(), "etrainer_cache_")
			for _, label := range metric.GetLabel() {
				name += " " + label.GetValue()
			}
			got[name] = metric.GetCounter().GetValue() + metric.GetGauge().GetValue()
		}
	}
	want := map[string]float64{
		"available memory": 1, "available redis": 0,
		"entries memory":            7, // those of Redis are not known
		"evictions_total memory":    4, // likewise
		"requests_total memory hit": 5, "requests_total memory miss": 0, "requests_total memory error": 0,
		"requests_total redis hit": 3, "requests_total redis miss": 2, "requests_total redis error": 1,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("metrics (-want +got):\n%s", diff)
	}
}
