package redis

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/redis/go-redis/v9"
)

// LogTo sends what the driver has to say to a log, at debug level: whoever sent
// a command reports its failure as well. Without it the driver writes to
// standard error. It counts for the whole process.
func LogTo(log *slog.Logger) { redis.SetLogger(driverLog{log}) }

type driverLog struct{ log *slog.Logger }

// Printf is what the driver calls.
func (l driverLog) Printf(ctx context.Context, format string, args ...any) {
	if l.log.Enabled(ctx, slog.LevelDebug) {
		l.log.DebugContext(ctx, "redis driver", slog.String("detail", fmt.Sprintf(format, args...)))
	}
}
