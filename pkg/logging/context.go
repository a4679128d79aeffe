package logging

import (
	"context"
	"log/slog"
	"slices"
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
