package main

import (
	"context"
	"log/slog"
	"time"

	"github.com/jonboulle/clockwork"

	"github.com/etrainer/backend/api/internal/config"
	"github.com/etrainer/backend/api/internal/middleware"
	"github.com/etrainer/backend/pkg/lifecycle"
	"github.com/etrainer/backend/pkg/limit"
	"github.com/etrainer/backend/pkg/limit/redislimit"
	"github.com/etrainer/backend/pkg/redis"
)

// counted is what counts for limits, shared by all replicas through Redis if
// there is one.
type counted struct {
	store limit.Store
	// batches gives back what was taken from Redis and not used.
	batches lifecycle.Service
	// shared reports whether the counts are shared at present; nil = never.
	shared func(context.Context) bool
}

func counter(cache *redis.Client, log *slog.Logger) counted {
	memory := limit.NewMemory(time.Now)
	if cache == nil {
		return counted{store: memory, batches: hooks{}}
	}
	batched := limit.NewBatched(redislimit.New(cache), clockwork.NewRealClock())
	store := limit.NewFallback(batched, memory, log)
	return counted{store: store, batches: lifecycle.NewLoop("limits", batched.Run), shared: store.Shared}
}

func (c counted) limits(cfg config.Config) middleware.Limits {
	rule := func(name string, most int, window time.Duration) *limit.Limiter {
		return limit.New(c.store, limit.Rule{Name: name, Max: most, Window: window})
	}
	return middleware.Limits{
		Global: rule("global", cfg.RateLimitMax, cfg.RateLimitWindow()),
		Auth:   rule("auth", cfg.AuthLimitMax, cfg.RateLimitWindow()),
		Upload: rule("upload", cfg.UploadLimitMax, cfg.RateLimitWindow()),
		Strict: rule("strict", cfg.StrictLimitMax, time.Hour),
	}
}
