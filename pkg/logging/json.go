package logging

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/rs/zerolog"

	"github.com/etrainer/backend/pkg/instant"
	"github.com/etrainer/backend/pkg/redact"
)

// jsonHandler writes records as lines of JSON, with their secrets hidden. It is a
// handler of its own, because that of log/slog takes three times as long as soon
// as it has to replace anything, and a line is written for each request. The
// attributes of the context come after those of the record.
type jsonHandler struct {
	level slog.Level
	// lines may wait for others; urgent ones do not.
	lines, urgent zerolog.Logger
	// open are the groups that With and WithGroup opened, outermost first. The
	// first has no name: it is the line itself.
	open []openGroup
}

type openGroup struct {
	name  string
	attrs []slog.Attr
}

func newJSONHandler(out *batch, level slog.Level) slog.Handler {
	return jsonHandler{level: level, lines: zerolog.New(out), urgent: zerolog.New(urgent{out}), open: make([]openGroup, 1)}
}

func (h jsonHandler) Enabled(_ context.Context, level slog.Level) bool { return level >= h.level }

func (h jsonHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	h.open = slices.Clone(h.open)
	last := &h.open[len(h.open)-1]
	last.attrs = slices.Concat(last.attrs, attrs)
	return h
}

func (h jsonHandler) WithGroup(name string) slog.Handler {
	if name != "" {
		h.open = append(slices.Clip(h.open), openGroup{name: name})
	}
	return h
}

func (h jsonHandler) Handle(ctx context.Context, record slog.Record) error {
	lines := &h.lines
	if record.Level >= slog.LevelWarn {
		lines = &h.urgent
	}
	line := lines.Log()
	if !record.Time.IsZero() {
		addTime(line, slog.TimeKey, record.Time)
	}
	line.Str(slog.LevelKey, levelName(record.Level)).Str(slog.MessageKey, redact.Text(record.Message))
	addOpen(line, h.open, record, From(ctx))
	line.Send()
	return nil
}

// addOpen adds what is in the groups, and to the innermost what is in the record
// and its context.
func addOpen(to *zerolog.Event, groups []openGroup, record slog.Record, more []slog.Attr) {
	for _, attr := range groups[0].attrs {
		add(to, attr)
	}
	inner := groups[1:]
	if len(inner) == 0 {
		record.Attrs(func(attr slog.Attr) bool {
			add(to, attr)
			return true
		})
		for _, attr := range more {
			add(to, attr)
		}
		return
	}
	if record.NumAttrs()+len(more) == 0 && !slices.ContainsFunc(inner, func(g openGroup) bool { return len(g.attrs) > 0 }) {
		return // an empty group is left out
	}
	group := to.CreateDict()
	addOpen(group, inner, record, more)
	to.Dict(inner[0].name, group)
}

// add adds an attribute without its secrets.
func add(to *zerolog.Event, attr slog.Attr) {
	attr.Value = attr.Value.Resolve()
	if attr.Equal(slog.Attr{}) {
		return
	}
	switch attr = hide(nil, attr); attr.Value.Kind() {
	case slog.KindString:
		to.Str(attr.Key, attr.Value.String())
	case slog.KindInt64:
		to.Int64(attr.Key, attr.Value.Int64())
	case slog.KindUint64:
		to.Uint64(attr.Key, attr.Value.Uint64())
	case slog.KindFloat64:
		to.Float64(attr.Key, attr.Value.Float64())
	case slog.KindBool:
		to.Bool(attr.Key, attr.Value.Bool())
	case slog.KindDuration:
		to.Str(attr.Key, attr.Value.Duration().String())
	case slog.KindTime:
		addTime(to, attr.Key, attr.Value.Time())
	case slog.KindGroup:
		addGroup(to, attr.Key, attr.Value.Group())
	default:
		addAny(to, attr.Key, attr.Value.Any())
	}
}

// addAny adds what only its type can write, or the panic in which that ends.
func addAny(to *zerolog.Event, key string, value any) {
	defer func() {
		if p := recover(); p != nil { // nothing of the value is in the line
			to.Str(key, panicText(p))
		}
	}()
	to.Interface(key, value)
}

// addGroup adds a group as an object; one without a name stands for what is in it.
func addGroup(to *zerolog.Event, name string, attrs []slog.Attr) {
	if len(attrs) == 0 {
		return
	}
	into := to
	if name != "" {
		into = to.CreateDict()
	}
	for _, attr := range attrs {
		add(into, attr)
	}
	if name != "" {
		to.Dict(name, into)
	}
}

// addTime writes UTC, whatever the zone of the machine, so that lines of several
// machines sort.
func addTime(to *zerolog.Event, key string, t time.Time) {
	var text [32]byte
	to.RawJSON(key, append(instant.Append(append(text[:0], '"'), t), '"'))
}

// levelName is the name in small letters, as in the setting of the level.
func levelName(level slog.Level) string {
	switch level {
	case slog.LevelDebug:
		return "debug"
	case slog.LevelInfo:
		return "info"
	case slog.LevelWarn:
		return "warn"
	case slog.LevelError:
		return "error"
	default:
		return strings.ToLower(level.String())
	}
}
