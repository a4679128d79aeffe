package main

import (
	"context"
	"log/slog"
	"net"
	"strconv"

	"github.com/etrainer/backend/pkg/lifecycle"
	"github.com/etrainer/backend/pkg/logging"
	"github.com/etrainer/backend/pkg/metrics"
	"github.com/etrainer/backend/pkg/supervise"
	"github.com/etrainer/backend/worker/internal/config"
	"github.com/etrainer/backend/worker/internal/probe"
)

// parent runs WORKER_COUNT processes of this program, and returns the exit
// code. It serves the private port for all of them.
func parent(ctx context.Context, cfg *config.Config, registry *metrics.Registry, log *logging.Log) int {
	path, err := supervise.Self()
	if err != nil {
		log.ErrorContext(ctx, "start failed", slog.Any("error", err))
		return lifecycle.ExitFailed
	}
	return supervise.Run(ctx, supervise.Options{
		Path: path, Count: cfg.Cluster.Count.Children(), Private: net.JoinHostPort(cfg.Host, strconv.Itoa(cfg.Port)),
		PrivateVariable: "WORKER_PORT", Metrics: registry, Grace: cfg.ShutdownTimeout, Log: log.Logger, Level: log.Level,
	})
}

// announcement tells the parent where this child serves privately.
type announcement struct {
	child   *supervise.Child
	private *probe.Server
}

func (a announcement) Start(context.Context) error {
	a.child.ServesPrivately(a.private.Address())
	return nil
}

func (announcement) Stop(context.Context) error { return nil }
