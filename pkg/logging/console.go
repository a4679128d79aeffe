package logging

import (
	"context"
	"io"
	"log/slog"

	"github.com/lmittmann/tint"
)

// consoleHandler writes records for people, with their secrets hidden. The
// attributes of the context come after those of the record.
type consoleHandler struct{ next slog.Handler }

func newConsoleHandler(out io.Writer, level slog.Level) slog.Handler {
	return consoleHandler{tint.NewTextHandler(out, &tint.Options{Level: level, ReplaceAttr: hide, TimeFormat: "15:04:05.000", NoColor: true})}
}

func (h consoleHandler) Enabled(ctx context.Context, level slog.Level) bool {
	return h.next.Enabled(ctx, level)
}

func (h consoleHandler) Handle(ctx context.Context, record slog.Record) error {
	if attrs := From(ctx); len(attrs) > 0 {
		record = record.Clone()
		record.AddAttrs(attrs...)
	}
	return h.next.Handle(ctx, record)
}

func (h consoleHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return consoleHandler{h.next.WithAttrs(attrs)}
}

func (h consoleHandler) WithGroup(name string) slog.Handler {
	return consoleHandler{h.next.WithGroup(name)}
}
