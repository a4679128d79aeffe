package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/etrainer/backend/api/internal/config"
	settings "github.com/etrainer/backend/pkg/config"
	"github.com/etrainer/backend/pkg/lifecycle"
)

// pingTimeout is below the ten seconds that health checks usually wait.
const pingTimeout = 3 * time.Second

// ping asks /livez of the api on this machine.
func ping(ctx context.Context, stderr io.Writer) int {
	var listen config.Listen
	if err := settings.Load(&listen, settings.Options{}); err != nil {
		fmt.Fprintln(stderr, "api:", err)
		return lifecycle.ExitBadConfig
	}
	ctx, cancel := context.WithTimeout(ctx, pingTimeout)
	defer cancel()
	if err := askLive(ctx, "http://"+listen.LocalAddress()+"/livez"); err != nil {
		fmt.Fprintln(stderr, "api:", err)
		return lifecycle.ExitFailed
	}
	return lifecycle.ExitOK
}

func askLive(ctx context.Context, url string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return fmt.Errorf("ask %s: %w", url, err)
	}
	reply, err := http.DefaultClient.Do(request)
	if err != nil {
		return fmt.Errorf("the api does not answer: %w", err)
	}
	defer func() { _ = reply.Body.Close() }()
	if reply.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answered %s", url, reply.Status)
	}
	return nil
}
