package logging

import (
	"errors"
	"log/slog"
	"strings"

	"go.uber.org/zap/zapcore"

	"github.com/etrainer/backend/pkg/redact"
)

// core is the one way to the output, for package log/slog and for zap: it hides
// secrets, and does not let lines from the level warn on wait.
type core struct{ zapcore.Core }

// With returns a core with more fields on every line.
func (c *core) With(fields []zapcore.Field) zapcore.Core { return &core{c.Core.With(hidden(fields))} }

// Check adds the core to those that write an entry, if it is one for it.
func (c *core) Check(entry zapcore.Entry, checked *zapcore.CheckedEntry) *zapcore.CheckedEntry {
	if !c.Enabled(entry.Level) {
		return checked
	}
	return checked.AddCore(entry, c)
}

// Write writes an entry without its secrets. The name of the level goes out as that
// of the logger, because the encoders write it after the time, where readers of our
// lines expect it, and because zap has no levels between its own.
func (c *core) Write(entry zapcore.Entry, fields []zapcore.Field) error {
	entry.Message = redact.Text(entry.Message)
	entry.LoggerName = entry.Level.String()
	if last := len(fields) - 1; last >= 0 {
		if level, ok := fields[last].Interface.(between); ok {
			entry.LoggerName = strings.ToLower(slog.Level(level).String())
			fields = fields[:last]
		}
	}
	err := c.Core.Write(entry, hidden(fields))
	if entry.Level >= zapcore.WarnLevel {
		err = errors.Join(err, c.Sync())
	}
	return err
}
