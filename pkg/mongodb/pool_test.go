package mongodb_test

import (
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/etrainer/backend/pkg/metrics"
	"github.com/etrainer/backend/pkg/mongodb"
	"github.com/etrainer/backend/pkg/mongodb/wiretest"
)

// eventually polls until the condition holds.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	deadline := time.Now().Add(patience)
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !holds() {
		if time.Now().After(deadline) {
			t.Fatalf("not so within %v: %s", patience, what)
		}
		<-tick.C
	}
}

func TestPoolStats(t *testing.T) {
	t.Parallel()
	arrived, release := make(chan struct{}, 3), make(chan struct{})
	server := wiretest.New(t, func(command bson.Raw) bson.D {
		if wiretest.Name(command) == "ping" {
			arrived <- struct{}{}
			<-release
		}
		return plain(command)
	})
	client := connect(t, mongodb.Options{URI: "mongodb://" + server.Host(), MaxPoolSize: 1})
	before := client.PoolStats()
	if before.Open != 1 || before.InUse != 0 || before.CheckOuts != 2 { // hello and buildInfo
		t.Errorf("after Connect = %+v, want one idle connection, checked out twice", before)
	}

	var pings sync.WaitGroup
	for range 3 {
		pings.Go(func() {
			if err := client.Ping(t.Context()); err != nil {
				t.Errorf("Ping: %v", err)
			}
		})
	}
	<-arrived
	eventually(t, "one connection in use, two operations waiting", func() bool {
		s := client.PoolStats()
		return s.Open == 1 && s.InUse == 1 && s.Waiting == 2
	})
	close(release)
	pings.Wait()
	eventually(t, "the pool is idle", func() bool { return client.PoolStats().InUse == 0 })
	after := client.PoolStats()
	if after.Waiting != 0 || after.CheckOuts != before.CheckOuts+3 || after.Waited <= before.Waited {
		t.Errorf("after three pings = %+v", after)
	}
	if err := client.Close(t.Context()); err != nil {
		t.Fatalf("Close: %v", err)
	}
	eventually(t, "no connection is open after Close", func() bool { return client.PoolStats().Open == 0 })
}

func TestCommandCounter(t *testing.T) {
	t.Parallel()
	registry := metrics.New("test", nil)
	counter, err := mongodb.NewCommandCounter(registry)
	if err != nil {
		t.Fatalf("NewCommandCounter: %v", err)
	}
	if _, err := mongodb.NewCommandCounter(registry); err == nil {
		t.Error("a second counter in one registry is accepted")
	}
	client := connect(t, mongodb.Options{URI: "mongodb://" + wiretest.New(t, plain).Host(), Monitor: counter.Monitor()})
	if diff := cmp.Diff(map[string]int64{"hello": 1, "buildInfo": 1}, counter.Counts()); diff != "" {
		t.Errorf("commands of Connect (-want +got):\n%s", diff)
	}
	counter.Reset()
	for range 3 {
		if err := client.Ping(t.Context()); err != nil {
			t.Fatalf("Ping: %v", err)
		}
	}
	if got := counter.Total(); got != 3 {
		t.Errorf("total = %d, want 3", got)
	}
	if err := registry.Register(client.Collector()); err != nil {
		t.Fatalf("register the collector: %v", err)
	}
	if got := samples(t, registry, "etrainer_mongodb_command_seconds"); !cmp.Equal(got, []float64{1, 1, 3}) {
		t.Errorf("observations by command = %v, want 1 buildInfo, 1 hello, 3 pings", got)
	}
	if got := samples(t, registry, "etrainer_mongodb_pool_connections"); !cmp.Equal(got, []float64{0, 1}) {
		t.Errorf("connections in use and idle = %v, want one idle", got)
	}
	if got := samples(t, registry, "etrainer_mongodb_fallback"); !cmp.Equal(got, []float64{0}) {
		t.Errorf("fallback = %v, want 0", got)
	}
}

// TestZeroCommandCounter is what benchmarks and tests of other packages use.
func TestZeroCommandCounter(t *testing.T) {
	t.Parallel()
	var counter mongodb.CommandCounter
	connect(t, mongodb.Options{URI: "mongodb://" + wiretest.New(t, plain).Host(), Monitor: counter.Monitor()})
	if got := counter.Total(); got != 2 {
		t.Errorf("total = %d, want 2", got)
	}
}

// samples returns the values of a metric, or the counts of a histogram, in
// ascending order.
func samples(t *testing.T, registry *metrics.Registry, name string) []float64 {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatalf("gather: %v", err)
	}
	var out []float64
	for _, family := range families {
		if family.GetName() != name {
			continue
		}
		for _, metric := range family.GetMetric() {
			switch {
			case metric.GetHistogram() != nil:
				out = append(out, float64(metric.GetHistogram().GetSampleCount()))
			case metric.GetGauge() != nil:
				out = append(out, metric.GetGauge().GetValue())
			}
		}
	}
	slices.Sort(out)
	return out
}
