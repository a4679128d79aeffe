package logging

import (
	"context"
	"log/slog"
	"slices"

	"go.uber.org/zap"
)

type contextKey struct{}

// With returns a context whose attributes stand on every line that is logged
// with it or with its children, after those of the line. Its own come after those
// of ctx.
func With(ctx context.Context, attrs ...slog.Attr) context.Context {
	// Clip makes append copy, so that siblings do not share memory.
	return context.WithValue(ctx, contextKey{}, append(slices.Clip(From(ctx)), attrs...))
}

// From returns the attributes that With put into the context, for what passes
// them on by other means than the log. nil = none.
func From(ctx context.Context) []slog.Attr {
	attrs, _ := ctx.Value(contextKey{}).([]slog.Attr)
	return attrs
}

// AppendFields adds the attributes of the context to the fields of a line that is
// logged through zap, which knows no context.
func AppendFields(fields []zap.Field, ctx context.Context) []zap.Field { //nolint:revive // like append, what is added comes last
	for _, attr := range From(ctx) {
		fields = append(fields, field(attr))
	}
	return fields
}

func field(attr slog.Attr) zap.Field {
	switch value := attr.Value.Resolve(); value.Kind() {
	case slog.KindString: // the usual case, without an allocation
		return zap.String(attr.Key, value.String())
	case slog.KindGroup:
		members := make([]zap.Field, 0, len(value.Group()))
		for _, member := range value.Group() {
			members = append(members, field(member))
		}
		return zap.Dict(attr.Key, members...)
	default:
		return zap.Any(attr.Key, value.Any())
	}
}
