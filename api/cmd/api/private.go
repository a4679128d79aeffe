package main

import (
	"net/http"

	"github.com/etrainer/backend/api/internal/config"
	"github.com/etrainer/backend/api/internal/server"
	"github.com/etrainer/backend/pkg/logging"
	"github.com/etrainer/backend/pkg/metrics"
	"github.com/etrainer/backend/pkg/supervise"
)

// private is the listener of what is not for the public: /metrics for
// Prometheus, and /log-level. It is not authenticated. It returns its handler too,
// which answers as well before the database does.
func private(cfg config.Config, child *supervise.Child, registry *metrics.Registry, log *logging.Log) (*server.Server, http.Handler) {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", registry.Handler())
	mux.Handle("/log-level", log.Level)
	address := cfg.PrivateAddress()
	if child != nil {
		address = "127.0.0.1:0" // the parent has the private port, and asks here
	}
	listener := server.New(server.Options{Address: address, Variable: "API_PRIVATE_PORT", Log: log.Logger})
	listener.Use(mux)
	return listener, mux
}
