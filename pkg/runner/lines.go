package runner

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/etrainer/backend/pkg/job"
)

// lines is a slog.Handler that writes to the record of a run and passes every
// line on to the log of the process. What follows the message of a line reads
// as in slog.TextHandler: values with spaces in quotes, times as in RFC 3339.
type lines struct {
	task  *task
	next  slog.Handler
	attrs *attrText
	text  slog.Handler // writes to attrs
}

func newLines(t *task, next slog.Handler) lines {
	attrs := &attrText{}
	return lines{task: t, next: next, attrs: attrs, text: slog.NewTextHandler(&attrs.buffer, nil)}
}

func (l lines) Enabled(_ context.Context, level slog.Level) bool { return level >= slog.LevelDebug }

func (l lines) Handle(ctx context.Context, record slog.Record) error {
	attrs, err := l.attrs.of(ctx, record, l.text)
	if err != nil {
		return err
	}
	l.task.addLine(job.LogLine{At: record.Time.UTC(), Level: strings.ToLower(record.Level.String()), Message: record.Message + attrs})
	if !l.next.Enabled(ctx, record.Level) {
		return nil
	}
	return l.next.Handle(ctx, record)
}

func (l lines) WithAttrs(attrs []slog.Attr) slog.Handler {
	l.text, l.next = l.text.WithAttrs(attrs), l.next.WithAttrs(attrs)
	return l
}

func (l lines) WithGroup(name string) slog.Handler {
	l.text, l.next = l.text.WithGroup(name), l.next.WithGroup(name)
	return l
}

// attrText is what the text handlers of one run write to, one record at a time.
type attrText struct {
	mu     sync.Mutex
	buffer bytes.Buffer
}

// of renders the attributes of record, each after a space.
func (a *attrText) of(ctx context.Context, record slog.Record, handler slog.Handler) (string, error) {
	// Without a time, a level of its own and a message, what a text handler
	// writes before the attributes is always the same.
	const head = `level=INFO msg=""`
	bare := slog.NewRecord(time.Time{}, slog.LevelInfo, "", 0)
	record.Attrs(func(attr slog.Attr) bool {
		bare.AddAttrs(attr)
		return true
	})
	a.mu.Lock()
	defer a.mu.Unlock()
	a.buffer.Reset()
	if err := handler.Handle(ctx, bare); err != nil {
		return "", err
	}
	return strings.TrimPrefix(strings.TrimSuffix(a.buffer.String(), "\n"), head), nil
}
