package logging

import (
	"fmt"
	"io"
	"log/slog"
	"os"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/etrainer/backend/pkg/metrics"
)

// The formats of a log.
const (
	FormatJSON    = "json"    // one JSON object on a line, for machines
	FormatConsole = "console" // for people
)

// Options are the parts of New.
type Options struct {
	// Level is the least level that is written at first: debug, info, warn or error,
	// in any case. "" = info.
	Level string
	// Format is FormatJSON or FormatConsole; see FormatFor. "" = FormatJSON.
	Format string
	// Out receives the lines. nil = standard error.
	Out io.Writer
	// Service and Version stand on every line of the JSON format; people know
	// what they have started. "" = left out.
	Service, Version string
	// Child is the number of this process among the children of its parent, and
	// stands on every line. 0 = left out.
	Child int
}

// FormatFor returns the format for an environment as NODE_ENV names it: JSON
// in production, console otherwise.
func FormatFor(environment string) string {
	if environment == "production" {
		return FormatJSON
	}
	return FormatConsole
}

// Log is the log of a program. Packages take its Logger.
type Log struct {
	*slog.Logger
	// Zap writes the same lines without the way through package log/slog, for a line
	// that is written with every request. Add the context with AppendFields.
	Zap *zap.Logger
	// Level is the least level that is written.
	Level *Level

	lines *batch
}

// New returns a log; call its Flush before the program ends. Lines of JSON below
// the level warn may wait for up to 20 milliseconds when there are many; all others
// are written at once. An unknown level or format is an error.
func New(options Options) (*Log, error) {
	level, err := newLevel(options.Level)
	if err != nil {
		return nil, err
	}
	lines := &batch{out: options.Out}
	if lines.out == nil {
		lines.out = os.Stderr
	}
	var encoder zapcore.Encoder
	var marks []zapcore.Field
	switch options.Format {
	case FormatJSON, "":
		encoder, lines.wait = newJSONEncoder(), batchTime
		marks = append(marks, mark("service", options.Service), mark("version", options.Version))
	case FormatConsole:
		encoder = newConsoleEncoder()
	default:
		return nil, fmt.Errorf("log format %q is unknown: use %s or %s", options.Format, FormatJSON, FormatConsole)
	}
	if options.Child != 0 {
		marks = append(marks, zap.Int("child", options.Child))
	}
	to := (&core{zapcore.NewCore(encoder, lines, level.zap)}).With(marks)
	// What is not written is counted; there is no other place to report it.
	direct := zap.New(to, zap.ErrorOutput(zapcore.AddSync(io.Discard)))
	level.log = slog.New(newHandler(to, level))
	return &Log{Logger: level.log, Zap: direct, Level: level, lines: lines}, nil
}

// mark is a field that stands on every line; it is left out if it is empty.
func mark(key, text string) zapcore.Field {
	if text == "" {
		return zap.Skip()
	}
	return zap.String(key, text)
}

// Flush writes what waits.
func (l *Log) Flush() error { return l.lines.Sync() }

// Lost is how many lines could not be written, such as to a full disk.
func (l *Log) Lost() uint64 { return l.lines.lost.Load() }

// Collector measures Lost.
func (l *Log) Collector() prometheus.Collector {
	return prometheus.NewCounterFunc(prometheus.CounterOpts{
		Namespace: metrics.Namespace, Subsystem: "log", Name: "lines_lost_total",
		Help: "Log lines that could not be written.",
	}, func() float64 { return float64(l.Lost()) })
}
