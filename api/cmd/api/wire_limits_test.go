package main

import (
	"log/slog"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/etrainer/backend/api/internal/config"
	"github.com/etrainer/backend/pkg/limit"
)

// TestLimitsAreThoseOfTheSettings, each its own.
func TestLimitsAreThoseOfTheSettings(t *testing.T) {
	t.Parallel()
	limits := counter(nil, slog.New(slog.DiscardHandler)).limits(config.Config{
		RateLimitWindowMS: 60_000, RateLimitMax: 1, AuthLimitMax: 2, UploadLimitMax: 3, StrictLimitMax: 4,
	})
	got := []limit.Rule{limits.Global.Rule, limits.Auth.Rule, limits.Upload.Rule, limits.Strict.Rule}
	want := []limit.Rule{
		{Name: "global", Max: 1, Window: time.Minute},
		{Name: "auth", Max: 2, Window: time.Minute},
		{Name: "upload", Max: 3, Window: time.Minute},
		{Name: "strict", Max: 4, Window: time.Hour},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("rules (-want +got):\n%s", diff)
	}
}
