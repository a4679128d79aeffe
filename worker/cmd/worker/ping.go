package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	baseconfig "github.com/etrainer/backend/pkg/config"
	"github.com/etrainer/backend/worker/internal/config"
)

// pingTimeout bounds the question.
const pingTimeout = 3 * time.Second

// pingCommand lets the binary be its own health check, where an image holds
// nothing else.
func pingCommand() *cobra.Command {
	return &cobra.Command{
		Use: "ping", Short: "Ask a running worker on this machine whether it lives", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var cfg config.Config
			if err := baseconfig.Load(&cfg, baseconfig.Options{}); err != nil {
				return err
			}
			host := cfg.Host
			if host == "" {
				host = "127.0.0.1"
			}
			return ping(cmd.Context(), "http://"+net.JoinHostPort(host, strconv.Itoa(cfg.Port))+"/livez")
		},
	}
}

func ping(ctx context.Context, url string) error {
	ctx, cancel := context.WithTimeout(ctx, pingTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return fmt.Errorf("no worker answers at %s: %w", url, err)
	}
	_ = response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("the worker at %s answers %s", url, response.Status)
	}
	return nil
}
