package logging

import (
	"context"
	"log/slog"
	"math"
	"slices"

	"go.uber.org/zap/exp/zapslog"
	"go.uber.org/zap/zapcore"
)

// handler is what zapslog lacks: the attributes of the context, which come after
// those of the record, and levels between those of zap.
type handler struct {
	next  slog.Handler
	level *Level
}

func newHandler(to zapcore.Core, level *Level) slog.Handler {
	return handler{zapslog.NewHandler(to, zapslog.AddStacktraceAt(math.MaxInt)), level}
}

func (h handler) Enabled(_ context.Context, level slog.Level) bool { return level >= h.level.least() }

func (h handler) Handle(ctx context.Context, record slog.Record) error {
	attrs := From(ctx)
	known := known(record.Level)
	if len(attrs) > 0 || !known {
		record = record.Clone()
		record.AddAttrs(attrs...)
	}
	if !known {
		record.AddAttrs(slog.Any("", between(record.Level)))
	}
	return h.next.Handle(ctx, record)
}

func (h handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	attrs = slices.DeleteFunc(slices.Clone(attrs), func(attr slog.Attr) bool {
		return attr.Value.Kind() == slog.KindGroup && len(attr.Value.Group()) == 0
	})
	if len(attrs) == 0 {
		return h
	}
	return handler{h.next.WithAttrs(attrs), h.level}
}

func (h handler) WithGroup(name string) slog.Handler {
	if name == "" {
		return h
	}
	return handler{h.next.WithGroup(name), h.level}
}

// known reports whether zap has a level.
func known(level slog.Level) bool {
	return level == slog.LevelDebug || level == slog.LevelInfo || level == slog.LevelWarn || level == slog.LevelError
}

// between is a level that zap does not have, such as INFO+2. It passes zapslog, which
// would round it, as the last attribute.
type between slog.Level
