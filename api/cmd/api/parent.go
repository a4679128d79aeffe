package main

import (
	"context"
	"log/slog"

	"github.com/etrainer/backend/api/internal/config"
	settings "github.com/etrainer/backend/pkg/config"
	"github.com/etrainer/backend/pkg/lifecycle"
	"github.com/etrainer/backend/pkg/logging"
	"github.com/etrainer/backend/pkg/metrics"
	"github.com/etrainer/backend/pkg/supervise"
)

// parent runs WORKER_COUNT processes of this program on one port, and returns
// the exit code.
func parent(ctx context.Context, cfg config.Config, log *logging.Log) int {
	path, err := supervise.Self()
	if err != nil {
		log.ErrorContext(ctx, "start failed", slog.Any("error", err))
		return lifecycle.ExitFailed
	}
	listener, err := supervise.Listen(ctx, cfg.Address())
	if err != nil {
		log.ErrorContext(ctx, "start failed", slog.Any("error", settings.Listening("PORT", cfg.Address(), err)))
		return lifecycle.ExitFailed
	}
	registry := metrics.New("api", log.Logger)
	registry.MustRegister(log.Collector())
	return supervise.Run(ctx, supervise.Options{
		Path: path, Count: cfg.Cluster.Count.Children(), Listener: listener,
		Private: cfg.PrivateAddress(), PrivateVariable: "API_PRIVATE_PORT", Metrics: registry, Grace: cfg.Shutdown, Log: log.Logger, Level: log.Level,
	})
}
