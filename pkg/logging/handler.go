package logging

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/etrainer/backend/pkg/redact"
)

// handler adds the attributes of the context and hides secrets. In a logger
// with an open group (slog.Logger.WithGroup) the attributes of the context
// land in that group; our loggers open none.
type handler struct{ next slog.Handler }

func (h *handler) Enabled(ctx context.Context, level slog.Level) bool {
	return h.next.Enabled(ctx, level)
}

func (h *handler) Handle(ctx context.Context, record slog.Record) error {
	clean := slog.NewRecord(record.Time, record.Level, redact.Text(record.Message), record.PC)
	attrs := make([]slog.Attr, 0, 16) // added one by one, a record grows as often
	for _, attr := range From(ctx) {
		attrs = append(attrs, hide(attr))
	}
	record.Attrs(func(attr slog.Attr) bool {
		attrs = append(attrs, hide(attr))
		return true
	})
	clean.AddAttrs(attrs...)
	return h.next.Handle(ctx, clean)
}

func (h *handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	clean := make([]slog.Attr, len(attrs))
	for i, attr := range attrs {
		clean[i] = hide(attr)
	}
	return &handler{next: h.next.WithAttrs(clean)}
}

func (h *handler) WithGroup(name string) slog.Handler {
	return &handler{next: h.next.WithGroup(name)}
}

// hide returns the attribute without its secrets. What it cannot look into,
// such as a struct, is left to the type's own care (see config.Secret).
func hide(attr slog.Attr) slog.Attr {
	value := attr.Value.Resolve()
	switch value.Kind() {
	case slog.KindGroup:
		group := value.Group()
		clean := make([]slog.Attr, len(group))
		for i, inner := range group {
			clean[i] = hide(inner)
		}
		return slog.Attr{Key: attr.Key, Value: slog.GroupValue(clean...)}
	case slog.KindString:
		if redact.Key(attr.Key) && value.String() != "" {
			return slog.String(attr.Key, redact.Mask)
		}
		return slog.String(attr.Key, redact.Text(value.String()))
	case slog.KindAny:
		return hideAny(attr.Key, value)
	default: // numbers, times and the like: a secret is none of these
		return slog.Attr{Key: attr.Key, Value: value}
	}
}

func hideAny(key string, value slog.Value) slog.Attr {
	if redact.Key(key) && value.Any() != nil {
		return slog.String(key, redact.Mask)
	}
	switch v := value.Any().(type) {
	case error:
		return slog.String(key, redact.Text(call(v.Error)))
	case fmt.Stringer:
		return slog.String(key, redact.Text(call(v.String)))
	case []string:
		clean := make([]string, len(v))
		for i, text := range v {
			clean[i] = redact.Text(text)
		}
		return slog.Any(key, clean)
	default:
		return slog.Attr{Key: key, Value: value}
	}
}

// call returns the text of a value, or of the panic with which, for instance,
// the Error method of a nil pointer answers: a log line ends no program.
func call(text func() string) (s string) {
	defer func() {
		if p := recover(); p != nil {
			s = fmt.Sprintf("panic: %v", p)
		}
	}()
	return text()
}
