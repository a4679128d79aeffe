package logging_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/etrainer/backend/pkg/logging"
)

// TestLinesKeepTheirShape compares lines with those of testdata, letter for
// letter: dashboards and eyes know them.
func TestLinesKeepTheirShape(t *testing.T) {
	t.Parallel()
	for format, file := range map[string]string{logging.FormatJSON: "lines.json", logging.FormatConsole: "lines.txt"} {
		t.Run(format, func(t *testing.T) {
			t.Parallel()
			want, err := os.ReadFile(filepath.Join("testdata", file))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), write(t, format)); diff != "" {
				t.Errorf("lines (-want +got):\n%s", diff)
			}
		})
	}
}

// write returns lines of many kinds, all of one time.
func write(t *testing.T, format string) string {
	t.Helper()
	var out bytes.Buffer
	log, err := logging.New(logging.Options{Out: &out, Format: format, Level: "debug", Service: "api", Version: "v1"})
	if err != nil {
		t.Fatal(err)
	}
	const uri = "mongodb://user:hunter2@host/db"
	line := func(log *slog.Logger, ctx context.Context, level slog.Level, message string, attrs ...slog.Attr) {
		record := slog.NewRecord(time.Date(2026, 1, 2, 3, 4, 5, 67_999_999, time.UTC), level, message, 0)
		record.AddAttrs(attrs...)
		if err := log.Handler().Handle(ctx, record); err != nil {
			t.Error(err)
		}
	}
	ctx := logging.With(t.Context(), slog.String("request_id", "r 1"), slog.Int("child", 2))
	line(log.Logger, t.Context(), slog.LevelInfo, "running")
	line(log.Logger, ctx, slog.LevelDebug, "request", slog.String("method", "GET"), slog.String("route", ""), slog.Int("status", 200),
		slog.Float64("duration_ms", 1.234), slog.Attr{})
	line(log.Logger, ctx, slog.LevelWarn, "database lost: "+uri, slog.Any("error", fmt.Errorf("ping: %w", errors.New("dial "+uri))))
	line(log.Logger, t.Context(), slog.LevelError+2, "numbers", slog.Uint64("most", 1<<63), slog.Int("least", -1), slog.Bool("yes", true),
		slog.Float64("great", 1e20), slog.Float64("small", 1e-6), slog.Duration("took", 1500*time.Millisecond),
		slog.Time("at", time.Date(2026, 1, 2, 3, 4, 5, 6_999_999, time.FixedZone("", 3600))))
	line(log.Logger, t.Context(), slog.LevelInfo, "texts", slog.String("quoted", `a "b" \c`), slog.String("lines", "a\nb\tc"), slog.String("equals", "a=b"),
		slog.String("letters", "Việt <b>&"), slog.String("broken", "a\xffb"), slog.String("a key", "v"), slog.Any("nothing", nil))
	line(log.Logger, t.Context(), slog.LevelInfo, "secrets", slog.String("password", "hunter2"), slog.String("apiKey", ""), slog.Any("tokens", []string{"hunter2"}),
		slog.Int("token", 3), slog.String("target", uri), slog.Any("by", level(1)))
	pool := log.With(slog.String("component", "pool"), slog.String("secret", "hunter2")).WithGroup("pool")
	line(pool, t.Context(), slog.LevelInfo, "empty group")
	line(pool.With(slog.Int("open", 2)).WithGroup("last"), ctx, slog.LevelInfo, "groups", slog.Any("error", errors.New(uri)),
		slog.Group("in", slog.String("uri", uri), slog.Duration("took", time.Second), slog.Group("none"), slog.Group("", slog.String("token", "hunter2"))))
	line(log.Logger, t.Context(), slog.LevelInfo, "lazy", slog.Any("value", lazy{}))
	if err := log.Flush(); err != nil {
		t.Error(err)
	}
	return out.String()
}

// lazy resolves into a group.
type lazy struct{}

func (lazy) LogValue() slog.Value {
	return slog.GroupValue(slog.String("password", "hunter2"), slog.Int("n", 1))
}
