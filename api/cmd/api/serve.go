package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"

	"github.com/etrainer/backend/api/internal/config"
	settings "github.com/etrainer/backend/pkg/config"
	"github.com/etrainer/backend/pkg/lifecycle"
	"github.com/etrainer/backend/pkg/logging"
	"github.com/etrainer/backend/pkg/redis"
	"github.com/etrainer/backend/pkg/supervise"
	"github.com/etrainer/backend/pkg/version"
)

// serve runs the api, and returns the exit code.
func serve(ctx context.Context, stderr io.Writer) (code int) {
	var cfg config.Config
	var warnings []string
	if err := settings.Load(&cfg, settings.Options{Warnings: &warnings}); err != nil {
		fmt.Fprintln(stderr, "api:", err)
		return lifecycle.ExitBadConfig
	}
	child, err := supervise.Inherit()
	if err != nil {
		fmt.Fprintln(stderr, "api:", err)
		return lifecycle.ExitBadConfig
	}
	log, err := logging.New(logging.Options{
		Level: cfg.Level(), Format: logging.FormatFor(cfg.Environment), Out: stderr, Service: "api", Version: version.Version, Child: child.ID(),
	})
	if err != nil {
		fmt.Fprintln(stderr, "api:", err)
		return lifecycle.ExitBadConfig
	}
	defer func() { _ = log.Flush() }() // there is nowhere to report it
	defer log.Level.ToggleOnSignal()()
	redis.LogTo(log.Logger)
	slog.SetDefault(log.Logger) //nolint:forbidigo // the SDK of Cloudinary writes through package log
	for _, warning := range warnings {
		log.WarnContext(ctx, "configuration", slog.String("warning", warning))
	}
	log.LogAttrs(ctx, slog.LevelInfo, "configuration", shown(&cfg)...)

	if child == nil && cfg.Cluster.Clustering {
		return parent(ctx, cfg, log)
	}
	child.FollowLevel(log.Level)
	ctx = child.Begin(ctx)
	defer func() { child.End(code) }()
	ctx, release := lifecycle.NotifyContext(ctx)
	defer release()
	group, err := wire(ctx, cfg, log, child)
	switch {
	case err == nil:
		return lifecycle.Run(ctx, log.Logger, group, lifecycle.RunOptions{Grace: cfg.Shutdown})
	case ctx.Err() != nil:
		log.InfoContext(ctx, "stopped while starting", slog.Any("reason", context.Cause(ctx)))
		return lifecycle.ExitOK
	case errors.Is(err, settings.ErrConfig):
		log.ErrorContext(ctx, "configuration", slog.Any("error", err))
		return lifecycle.ExitBadConfig
	default:
		log.ErrorContext(ctx, "start failed", slog.Any("error", err))
		return lifecycle.ExitFailed
	}
}

// shown lists the variables that have a value, secrets masked.
func shown(cfg *config.Config) []slog.Attr {
	var attrs []slog.Attr
	for _, entry := range settings.Describe(cfg) {
		if entry.Value != "" {
			attrs = append(attrs, slog.String(strings.ToLower(entry.Name), entry.Value))
		}
	}
	return attrs
}
