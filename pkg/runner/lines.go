package runner

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"unicode/utf8"

	"github.com/etrainer/backend/pkg/job"
)

// lines is a slog.Handler that writes to the record of a run and passes every
// line on to the log of the process.
type lines struct {
	task   *task
	next   slog.Handler
	prefix string // groups, as in "a.b."
	attrs  string // attributes already rendered
}

func (l lines) Enabled(_ context.Context, level slog.Level) bool { return level >= slog.LevelDebug }

func (l lines) Handle(ctx context.Context, record slog.Record) error {
	var text strings.Builder
	text.WriteString(record.Message)
	text.WriteString(l.attrs)
	record.Attrs(func(a slog.Attr) bool {
		fmt.Fprintf(&text, " %s%s=%v", l.prefix, a.Key, a.Value.Resolve())
		return true
	})
	l.task.addLine(job.LogLine{At: record.Time.UTC(), Level: strings.ToLower(record.Level.String()), Message: text.String()})
	if !l.next.Enabled(ctx, record.Level) {
		return nil
	}
	return l.next.Handle(ctx, record)
}

func (l lines) WithAttrs(attrs []slog.Attr) slog.Handler {
	for _, a := range attrs {
		l.attrs += fmt.Sprintf(" %s%s=%v", l.prefix, a.Key, a.Value.Resolve())
	}
	l.next = l.next.WithAttrs(attrs)
	return l
}

func (l lines) WithGroup(name string) slog.Handler {
	l.prefix += name + "."
	l.next = l.next.WithGroup(name)
	return l
}

// cutText shortens text to at most n bytes of valid UTF-8.
func cutText(text string, n int) string {
	text = strings.ToValidUTF8(text, "\uFFFD")
	if len(text) <= n {
		return text
	}
	const mark = "…"
	end := n - len(mark)
	for end > 0 && !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end] + mark
}
