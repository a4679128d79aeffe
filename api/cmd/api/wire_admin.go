package main

import (
	"context"
	"time"

	"github.com/etrainer/backend/api/internal/auth"
	"github.com/etrainer/backend/api/internal/config"
	"github.com/etrainer/backend/pkg/lifecycle"
)

// warnEvery is how often the log says that there is no administrator.
const warnEvery = 5 * time.Minute

// isPublic reports that strangers may reach this deployment, as far as settings
// tell.
func isPublic(cfg config.Config) bool { return cfg.Environment == "production" }

// minded tells /health whether there is an administrator; nil = nobody minds.
func minded(cfg config.Config, accounts *auth.Service) func(context.Context) (bool, error) {
	if !isPublic(cfg) {
		return nil
	}
	return accounts.HasAdmin
}

// adminWatch warns while a public deployment has no administrator, whose place the
// first stranger might take. It ends when there is one.
func adminWatch(cfg config.Config, accounts *auth.Service) *lifecycle.Loop {
	return lifecycle.NewLoop("administrator", func(ctx context.Context) error {
		tick := time.NewTicker(warnEvery)
		defer tick.Stop()
		for isPublic(cfg) && !accounts.WarnWithoutAdmin(ctx) {
			select {
			case <-tick.C:
			case <-ctx.Done():
				return nil
			}
		}
		return nil
	})
}
