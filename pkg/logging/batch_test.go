package logging_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/etrainer/backend/pkg/logging"
)

// flaky is an output that fails while it is told to.
type flaky struct {
	bytes.Buffer
	broken error
}

func (f *flaky) Write(piece []byte) (int, error) {
	if f.broken != nil {
		return 0, f.broken
	}
	return f.Buffer.Write(piece)
}

// TestOneFailedWriteStopsNoOther shows why the lines do not go through
// zapcore.BufferedWriteSyncer: it never writes again after a write that failed, and
// ours does.
func TestOneFailedWriteStopsNoOther(t *testing.T) {
	t.Parallel()
	t.Run("zapcore.BufferedWriteSyncer", func(t *testing.T) {
		t.Parallel()
		out := &flaky{}
		theirs := &zapcore.BufferedWriteSyncer{WS: zapcore.AddSync(out), FlushInterval: time.Hour}
		defer func() { _ = theirs.Stop() }()
		log := zap.New(zapcore.NewCore(zapcore.NewJSONEncoder(zapcore.EncoderConfig{MessageKey: "msg"}), theirs, zap.InfoLevel), zap.ErrorOutput(zapcore.AddSync(io.Discard)))
		failThenLog(out, func() { log.Error("line") }, theirs.Sync)
		if out.Len() != 0 {
			t.Errorf("the library writes again: use it instead of ours\n%s", out)
		}
	})
	t.Run("ours", func(t *testing.T) {
		t.Parallel()
		out := &flaky{}
		log, err := logging.New(logging.Options{Out: out})
		if err != nil {
			t.Fatal(err)
		}
		failThenLog(out, func() { log.Info("line") }, log.Flush)
		if lines := strings.Count(out.String(), "\n"); lines != 100 || log.Lost() != 1 {
			t.Errorf("%d lines are written and %d lost, want 100 and 1", lines, log.Lost())
		}
	})
}

// failThenLog logs a line that cannot be written, and then a hundred that can.
func failThenLog(out *flaky, line func(), flush func() error) {
	out.broken = errors.New("resource temporarily unavailable")
	line()
	_ = flush()
	out.broken = nil
	for range 100 {
		line()
	}
	_ = flush()
}

func TestLostLinesAreCounted(t *testing.T) {
	t.Parallel()
	out := &flaky{broken: errors.New("no space left")}
	log, err := logging.New(logging.Options{Out: out})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 50 {
		log.Info(fmt.Sprint(i), slog.String("text", strings.Repeat("x", 300)))
		log.Zap.Info("direct")
	}
	_ = log.Flush()
	if log.Lost() != 100 {
		t.Errorf("%d lines are lost, want 100", log.Lost())
	}
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(log.Collector())
	families, err := registry.Gather()
	if err != nil || len(families) != 1 || families[0].GetName() != "etrainer_log_lines_lost_total" || families[0].GetMetric()[0].GetCounter().GetValue() != 100 {
		t.Errorf("metrics = %v, %v, want 100 lost lines", families, err)
	}
}
