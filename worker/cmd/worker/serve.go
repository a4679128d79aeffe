package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"

	baseconfig "github.com/etrainer/backend/pkg/config"
	"github.com/etrainer/backend/pkg/lifecycle"
	"github.com/etrainer/backend/pkg/logging"
	"github.com/etrainer/backend/pkg/metrics"
	"github.com/etrainer/backend/pkg/redis"
	"github.com/etrainer/backend/pkg/version"
	"github.com/etrainer/backend/worker/internal/config"
	"github.com/etrainer/backend/worker/internal/probe"
)

// serve is the worker program; it returns its exit code.
func serve(ctx context.Context) int {
	var cfg config.Config
	var warnings []string
	if err := baseconfig.Load(&cfg, baseconfig.Options{Warnings: &warnings}); err != nil {
		fmt.Fprintln(os.Stderr, "worker: "+err.Error())
		if errors.Is(err, baseconfig.ErrConfig) {
			return lifecycle.ExitBadConfig
		}
		return lifecycle.ExitFailed
	}
	log, sync, err := logging.New(logging.Options{
		Level: cfg.LogLevel, Format: logging.FormatFor(cfg.Environment), Service: "worker", Version: version.Version,
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, "worker: "+err.Error())
		return lifecycle.ExitBadConfig
	}
	defer func() { _ = sync() }()
	redis.LogTo(log)
	for _, warning := range warnings {
		log.WarnContext(ctx, "configuration", slog.String("warning", warning))
	}
	registry := metrics.New("worker", log)
	p := &program{cfg: &cfg, log: log, metrics: registry}
	group := lifecycle.NewGroup(log)
	group.Add("probe", probe.New(cfg.Host, cfg.Port, p.ready, registry.Handler(), log)) // answers before the database does
	group.Add("program", p)
	return lifecycle.Run(ctx, log, group, lifecycle.RunOptions{Grace: cfg.ShutdownTimeout})
}
