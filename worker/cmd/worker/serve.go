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
	"github.com/etrainer/backend/pkg/supervise"
	"github.com/etrainer/backend/pkg/version"
	"github.com/etrainer/backend/worker/internal/config"
	"github.com/etrainer/backend/worker/internal/probe"
)

// serve is the worker program; it returns its exit code.
func serve(ctx context.Context) (code int) {
	var cfg config.Config
	var warnings []string
	if err := baseconfig.Load(&cfg, baseconfig.Options{Warnings: &warnings}); err != nil {
		fmt.Fprintln(os.Stderr, "worker: "+err.Error())
		if errors.Is(err, baseconfig.ErrConfig) {
			return lifecycle.ExitBadConfig
		}
		return lifecycle.ExitFailed
	}
	child, err := supervise.Inherit()
	if err != nil {
		fmt.Fprintln(os.Stderr, "worker: "+err.Error())
		return lifecycle.ExitBadConfig
	}
	lines, err := logging.New(logging.Options{
		Level: cfg.LogLevel, Format: logging.FormatFor(cfg.Environment), Service: "worker", Version: version.Version, Child: child.ID(),
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, "worker: "+err.Error())
		return lifecycle.ExitBadConfig
	}
	log := lines.Logger
	defer func() { _ = lines.Flush() }() // there is nowhere to report it
	defer lines.Level.ToggleOnSignal()()
	redis.LogTo(log)
	slog.SetDefault(log) //nolint:forbidigo // the SDK of Cloudinary writes through package log
	for _, warning := range warnings {
		log.WarnContext(ctx, "configuration", slog.String("warning", warning))
	}
	registry := metrics.New("worker", log)
	registry.MustRegister(lines.Collector())
	if child == nil && cfg.Cluster.Clustering {
		return parent(ctx, &cfg, registry, lines)
	}
	child.FollowLevel(lines.Level)
	ctx = child.Begin(ctx)
	defer func() { child.End(code) }()
	host, port := cfg.Host, cfg.Port
	if child != nil {
		host, port = "127.0.0.1", 0 // the parent has the private port, and asks here
	}
	p := &program{cfg: &cfg, log: log, metrics: registry, child: child}
	private := probe.New(host, port, p.ready, registry.Handler(), lines.Level, log)
	group := lifecycle.NewGroup(log)
	group.Add("probe", private) // answers before the database does
	group.Add("private address", announcement{child, private})
	group.Add("program", p)
	child.CountInFlight(p.inFlight)
	group.Add("readiness", child.Readiness())
	return lifecycle.Run(ctx, log, group, lifecycle.RunOptions{Grace: cfg.ShutdownTimeout})
}
