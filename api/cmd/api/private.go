package main

import (
	"log/slog"
	"net/http"

	"github.com/etrainer/backend/api/internal/config"
	"github.com/etrainer/backend/api/internal/server"
	"github.com/etrainer/backend/pkg/metrics"
)

// private is the listener of what is not for the public: /metrics for
// Prometheus. It is not authenticated.
func private(cfg config.Config, registry *metrics.Registry, log *slog.Logger) *server.Server {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", registry.Handler())
	listener := server.New(server.Options{Address: cfg.PrivateAddress(), Log: log})
	listener.Use(mux)
	return listener
}
