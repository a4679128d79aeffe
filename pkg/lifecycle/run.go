package lifecycle

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"time"

	"github.com/etrainer/backend/pkg/config"
)

// The exit codes of our programs. A supervisor restarts after ExitFailed, and
// does not after ExitBadConfig, which a restart cannot mend. A second signal
// ends the process at once with 128 plus its number: 130 after SIGINT, 143
// after SIGTERM.
const (
	ExitOK        = 0
	ExitFailed    = 1
	ExitBadConfig = 2
)

// DefaultGrace is how long Run lets a group take to stop.
const DefaultGrace = 30 * time.Second

// RunOptions are the optional parts of Run.
type RunOptions struct {
	// Grace bounds the stop. 0 = DefaultGrace.
	Grace time.Duration
	// Signals replaces SIGINT and SIGTERM of the process, for tests. nil =
	// the process's.
	Signals <-chan os.Signal
	// Exit replaces os.Exit after the second signal, for tests. nil = os.Exit.
	Exit func(code int)
}

// Run starts a group and runs it until SIGINT or SIGTERM, the end of ctx, or
// the failure of one of its services; then it stops the group within the
// grace time. It returns the exit code: ExitOK when it was asked to stop and
// everything stopped cleanly; ExitBadConfig when the start failed with
// config.ErrConfig; else ExitFailed. A second signal ends the process at once.
func Run(ctx context.Context, log *slog.Logger, g *Group, options RunOptions) (exitCode int) {
	if options.Grace == 0 {
		options.Grace = DefaultGrace
	}
	asked, release := notify(ctx, options)
	defer release()

	if err := start(asked, g); err != nil {
		if asked.Err() != nil && (errors.Is(err, context.Canceled) || errors.Is(err, context.Cause(asked))) {
			log.InfoContext(ctx, "stopped while starting", slog.String("reason", context.Cause(asked).Error()))
			return ExitOK
		}
		log.ErrorContext(ctx, "start failed", slog.Any("error", err))
		if errors.Is(err, config.ErrConfig) {
			return ExitBadConfig
		}
		return ExitFailed
	}
	log.InfoContext(ctx, "running")

	select {
	case <-asked.Done():
		log.InfoContext(ctx, "stopping", slog.String("reason", context.Cause(asked).Error()), slog.Duration("grace", options.Grace))
	case err := <-g.Failed():
		log.ErrorContext(ctx, "stopping after a failure", slog.Any("error", err), slog.Duration("grace", options.Grace))
		exitCode = ExitFailed
	}

	// The stop outlives ctx, whose end may be why we stop.
	within, cancel := context.WithTimeout(context.WithoutCancel(ctx), options.Grace)
	defer cancel()
	if err := g.Stop(within); err != nil {
		log.ErrorContext(ctx, "stop failed", slog.Any("error", err))
		return ExitFailed
	}
	log.InfoContext(ctx, "stopped")
	return exitCode
}

// start starts the group with a context that ends when a stop is asked for
// during the start, and never afterwards.
func start(asked context.Context, g *Group) error {
	ctx, cancel := context.WithCancelCause(context.WithoutCancel(asked))
	detach := context.AfterFunc(asked, func() { cancel(context.Cause(asked)) })
	defer detach()
	return g.Start(ctx)
}
