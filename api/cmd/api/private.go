package main

import (
	"log/slog"
	"net/http"

	"github.com/etrainer/backend/api/internal/config"
	"github.com/etrainer/backend/api/internal/server"
	"github.com/etrainer/backend/pkg/metrics"
	"github.com/etrainer/backend/pkg/supervise"
)

// private is the listener of what is not for the public: /metrics for
// Prometheus. It is not authenticated.
func private(cfg config.Config, child *supervise.Child, registry *metrics.Registry, log *slog.Logger) *server.Server {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", registry.Handler())
	address := cfg.PrivateAddress()
	if child != nil {
		address = "127.0.0.1:0" // the parent has the private port, and asks here
	}
	listener := server.New(server.Options{Address: address, Variable: "API_PRIVATE_PORT", Log: log})
	listener.Use(mux)
	return listener
}
