package logging

import (
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
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

// New returns a logger, and a function that writes what waits: call it before the
// program ends. Lines of JSON below the level warn may wait for up to 20
// milliseconds when there are many; all others are written at once. An unknown
// level or format is an error.
func New(options Options) (*slog.Logger, func() error, error) {
	level, err := parseLevel(options.Level)
	if err != nil {
		return nil, nil, err
	}
	out := options.Out
	if out == nil {
		out = os.Stderr
	}
	switch options.Format {
	case FormatJSON, "":
		lines := &batch{out: out}
		return slog.New(newJSONHandler(lines, level)).With(marks(options)...), lines.Flush, nil
	case FormatConsole:
		return slog.New(newConsoleHandler(out, level)), func() error { return nil }, nil
	default:
		return nil, nil, fmt.Errorf("log format %q is unknown: use %s or %s", options.Format, FormatJSON, FormatConsole)
	}
}

func parseLevel(text string) (slog.Level, error) {
	switch strings.ToLower(text) {
	case "debug":
		return slog.LevelDebug, nil
	case "info", "":
		return slog.LevelInfo, nil
	case "warn":
		return slog.LevelWarn, nil
	case "error":
		return slog.LevelError, nil
	default:
		return 0, fmt.Errorf("log level %q is unknown: use debug, info, warn or error", text)
	}
}

// marks are what stands on every line.
func marks(options Options) (attrs []any) {
	if options.Service != "" {
		attrs = append(attrs, slog.String("service", options.Service))
	}
	if options.Version != "" {
		attrs = append(attrs, slog.String("version", options.Version))
	}
	return attrs
}
