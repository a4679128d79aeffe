package logging

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"os"
	"strings"
	"syscall"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/exp/zapslog"
	"go.uber.org/zap/zapcore"
)

// The formats of a log.
const (
	FormatJSON    = "json"    // one JSON object on a line, for machines
	FormatConsole = "console" // for people
)

// Options are the parts of New.
type Options struct {
	// Level is the least level that is written: debug, info, warn or error, in
	// any case. "" = info.
	Level string
	// Format is FormatJSON or FormatConsole; see FormatFor. "" = FormatJSON.
	Format string
	// Out receives the lines. nil = standard error.
	Out io.Writer
	// Service and Version stand on every line of the JSON format; people know
	// what they have started. "" = left out.
	Service, Version string
}

// FormatFor returns the format for an environment as NODE_ENV names it: JSON
// in production, console otherwise.
func FormatFor(environment string) string {
	if environment == "production" {
		return FormatJSON
	}
	return FormatConsole
}

// New returns a logger, and a function that writes out what is buffered: call
// it before the program ends. An unknown level or format is an error.
func New(options Options) (*slog.Logger, func() error, error) {
	level, err := parseLevel(options.Level)
	if err != nil {
		return nil, nil, err
	}
	encoder, err := newEncoder(options.Format)
	if err != nil {
		return nil, nil, err
	}
	out := options.Out
	if out == nil {
		out = os.Stderr
	}
	core := zapcore.NewCore(encoder, zapcore.Lock(zapcore.AddSync(out)), level)
	// Jobs and panics bring their own stacks; one of the logging call on every
	// error would be noise.
	handler := &handler{next: zapslog.NewHandler(core, zapslog.AddStacktraceAt(slog.Level(math.MaxInt)))}
	log := slog.New(handler)
	for _, mark := range []slog.Attr{slog.String("service", options.Service), slog.String("version", options.Version)} {
		if mark.Value.String() != "" && options.Format != FormatConsole {
			log = log.With(mark)
		}
	}
	return log, func() error { return ignoreUnsyncable(core.Sync()) }, nil
}

func parseLevel(text string) (zapcore.Level, error) {
	switch strings.ToLower(text) {
	case "debug":
		return zap.DebugLevel, nil
	case "info", "":
		return zap.InfoLevel, nil
	case "warn":
		return zap.WarnLevel, nil
	case "error":
		return zap.ErrorLevel, nil
	default:
		return 0, fmt.Errorf("log level %q is unknown: use debug, info, warn or error", text)
	}
}

func newEncoder(format string) (zapcore.Encoder, error) {
	config := zapcore.EncoderConfig{
		TimeKey:        "time",
		LevelKey:       "level",
		MessageKey:     "msg",
		LineEnding:     zapcore.DefaultLineEnding,
		EncodeLevel:    zapcore.LowercaseLevelEncoder,
		EncodeTime:     encodeTime,
		EncodeDuration: zapcore.StringDurationEncoder,
	}
	switch format {
	case FormatJSON, "":
		return zapcore.NewJSONEncoder(config), nil
	case FormatConsole:
		config.EncodeLevel = zapcore.CapitalLevelEncoder
		config.EncodeTime = zapcore.TimeEncoderOfLayout("15:04:05.000")
		config.ConsoleSeparator = "  "
		return zapcore.NewConsoleEncoder(config), nil
	default:
		return nil, fmt.Errorf("log format %q is unknown: use %s or %s", format, FormatJSON, FormatConsole)
	}
}

// encodeTime writes UTC with milliseconds, whatever the zone of the machine,
// so that lines of several machines sort.
func encodeTime(t time.Time, encoder zapcore.PrimitiveArrayEncoder) {
	encoder.AppendString(t.UTC().Format("2006-01-02T15:04:05.000Z07:00"))
}

// ignoreUnsyncable drops what fsync answers for terminals and pipes.
func ignoreUnsyncable(err error) error {
	if errors.Is(err, syscall.EINVAL) || errors.Is(err, syscall.ENOTTY) || errors.Is(err, syscall.ENOTSUP) {
		return nil
	}
	return err
}
