package system

import (
	"bytes"
	"math"
	"net/http"
	"os"
	"runtime"
	"runtime/metrics"
	"strconv"
	"syscall"

	"github.com/gin-gonic/gin"

	"github.com/etrainer/backend/api/internal/web"
)

// cpuUsage is processor time in microseconds, as Node tells it.
type cpuUsage struct {
	User   int64 `json:"user"`
	System int64 `json:"system"`
}

func cpu() cpuUsage {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		return cpuUsage{} // it cannot fail with these arguments
	}
	micros := func(t syscall.Timeval) int64 { return t.Nano() / 1000 }
	return cpuUsage{User: micros(usage.Utime), System: micros(usage.Stime)}
}

// memory is in MiB. What Node calls external is all that the runtime holds
// beside the heap: stacks and its own structures.
type memory struct {
	used, total, external float64
	goroutines            uint64
	lag                   float64 // ms, 99th percentile of the waits for a processor
}

// The samples that heap reads. Reading them does not stop the program.
const (
	heapObjects = "/memory/classes/heap/objects:bytes"
	heapUnused  = "/memory/classes/heap/unused:bytes"
	heapFree    = "/memory/classes/heap/free:bytes"
	released    = "/memory/classes/heap/released:bytes"
	total       = "/memory/classes/total:bytes"
	goroutines  = "/sched/goroutines:goroutines"
	latencies   = "/sched/latencies:seconds"
)

func heap() memory {
	samples := []metrics.Sample{{Name: heapObjects}, {Name: heapUnused}, {Name: heapFree}, {Name: released}, {Name: total}, {Name: goroutines}, {Name: latencies}}
	metrics.Read(samples)
	at := func(i int) uint64 { return samples[i].Value.Uint64() }
	whole := at(0) + at(1) + at(2)
	return memory{
		used: mebibytes(at(0)), total: mebibytes(whole), external: mebibytes(at(4) - whole - at(3)),
		goroutines: at(5), lag: round(percentile(samples[6].Value.Float64Histogram(), 0.99) * 1000),
	}
}

// percentile is the upper bound of the bucket that holds it.
func percentile(h *metrics.Float64Histogram, share float64) float64 {
	var all, seen uint64
	for _, n := range h.Counts {
		all += n
	}
	for i, n := range h.Counts {
		seen += n
		if n > 0 && float64(seen) >= share*float64(all) {
			if upper := h.Buckets[i+1]; !math.IsInf(upper, 1) {
				return upper
			}
			return h.Buckets[i]
		}
	}
	return 0
}

// rss is the resident memory in MiB, or what the runtime holds where the system
// does not tell.
func rss(m memory) float64 {
	text, err := os.ReadFile("/proc/self/statm")
	if err == nil {
		if fields := bytes.Fields(text); len(fields) > 1 {
			if pages, err := strconv.ParseUint(string(fields[1]), 10, 64); err == nil {
				return mebibytes(pages * uint64(os.Getpagesize()))
			}
		}
	}
	return m.total + m.external
}

func mebibytes(bytes uint64) float64 { return round(float64(bytes) / (1 << 20)) }

// round keeps two decimals.
func round(x float64) float64 { return math.Round(x*100) / 100 }

func percent(part, whole float64) float64 {
	if whole == 0 {
		return 0
	}
	return round(part / whole * 100)
}

type metricsReply struct {
	Message string       `json:"message"`
	Metrics metricsValue `json:"metrics"`
}

type metricsValue struct {
	Timestamp    web.Instant   `json:"timestamp"`
	Uptime       float64       `json:"uptime"`
	Memory       metricsMemory `json:"memory"`
	CPU          cpuUsage      `json:"cpu"`
	Cluster      cluster       `json:"cluster"`
	EventLoopLag float64       `json:"event_loop_lag"` // ms; 99th percentile of the waits for a processor
	Goroutines   uint64        `json:"goroutines"`
	GoVersion    string        `json:"go_version"`
}

type metricsMemory struct {
	HeapUsedMB   float64 `json:"heap_used_mb"`
	HeapTotalMB  float64 `json:"heap_total_mb"`
	ExternalMB   float64 `json:"external_mb"`
	UsagePercent float64 `json:"usage_percent"`
	ResidentMB   float64 `json:"resident_mb"`
}

func (h *Handler) metrics(c *gin.Context) error {
	living, err := h.living(c.Request.Context())
	if err != nil {
		return err
	}
	state := h.siblings(living)
	m := heap()
	return web.JSON(c, http.StatusOK, metricsReply{
		Message: "Performance metrics retrieved",
		Metrics: metricsValue{
			Timestamp: h.now(), Uptime: h.uptime(), CPU: cpu(), Cluster: state,
			Memory: metricsMemory{
				HeapUsedMB: m.used, HeapTotalMB: m.total, ExternalMB: m.external,
				UsagePercent: percent(m.used, m.total), ResidentMB: rss(m),
			},
			EventLoopLag: m.lag, Goroutines: m.goroutines, GoVersion: runtime.Version(),
		},
	})
}

type performanceReply struct {
	Memory      performanceMemory `json:"memory"`
	CPU         cpuUsage          `json:"cpu"`
	Uptime      int64             `json:"uptime"`
	PID         int               `json:"pid"`
	NodeVersion string            `json:"nodeVersion"` // Go's
	Platform    string            `json:"platform"`
	Arch        string            `json:"arch"`
	Goroutines  uint64            `json:"goroutines"`
	Processors  int               `json:"processors"`
}

type performanceMemory struct {
	RSS              float64 `json:"rss"`
	HeapTotal        float64 `json:"heapTotal"`
	HeapUsed         float64 `json:"heapUsed"`
	External         float64 `json:"external"`
	HeapUsagePercent float64 `json:"heapUsagePercent"`
}

func (h *Handler) performance(c *gin.Context) error {
	m := heap()
	return web.JSON(c, http.StatusOK, performanceReply{
		Memory: performanceMemory{
			RSS: rss(m), HeapTotal: m.total, HeapUsed: m.used, External: m.external,
			HeapUsagePercent: percent(m.used, m.total),
		},
		CPU: cpu(), Uptime: int64(h.uptime()), PID: os.Getpid(), NodeVersion: runtime.Version(),
		Platform: runtime.GOOS, Arch: nodeArch(), Goroutines: m.goroutines, Processors: runtime.GOMAXPROCS(0),
	})
}
