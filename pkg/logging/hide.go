package logging

import (
	"fmt"
	"log/slog"

	"github.com/etrainer/backend/pkg/redact"
)

// hide returns an attribute, whose value is resolved, without its secrets. It has
// the form of a ReplaceAttr of log/slog; who calls it looks into groups. What it
// cannot look into, such as a struct, is left to the type's own care (see
// config.Secret).
func hide(_ []string, attr slog.Attr) slog.Attr {
	switch attr.Value.Kind() {
	case slog.KindString:
		if redact.Key(attr.Key) && attr.Value.String() != "" {
			return slog.String(attr.Key, redact.Mask)
		}
		return slog.String(attr.Key, redact.Text(attr.Value.String()))
	case slog.KindAny:
		return hideAny(attr)
	default: // numbers, times and the like: a secret is none of these
		return attr
	}
}

func hideAny(attr slog.Attr) slog.Attr {
	if redact.Key(attr.Key) && attr.Value.Any() != nil {
		return slog.String(attr.Key, redact.Mask)
	}
	switch v := attr.Value.Any().(type) {
	case error:
		return slog.String(attr.Key, redact.Text(call(v.Error)))
	case fmt.Stringer:
		return slog.String(attr.Key, redact.Text(call(v.String)))
	case []string:
		clean := make([]string, len(v))
		for i, text := range v {
			clean[i] = redact.Text(text)
		}
		return slog.Any(attr.Key, clean)
	default:
		return attr
	}
}

// call returns the text of a value, or of the panic with which, for instance,
// the Error method of a nil pointer answers: a log line ends no program.
func call(text func() string) (s string) {
	defer func() {
		if p := recover(); p != nil {
			s = panicText(p)
		}
	}()
	return text()
}

func panicText(p any) string { return fmt.Sprintf("panic: %v", p) }
