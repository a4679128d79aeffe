package supervise

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/etrainer/backend/pkg/config"
)

// askTimeout bounds a question to a child: it is on this machine.
const askTimeout = 2 * time.Second

// greatestAnswer bounds what a child may say, in bytes.
const greatestAnswer = 8 << 20

// servePrivate serves the parent's private port.
func servePrivate(ctx context.Context, variable, address string, handler http.Handler, log *slog.Logger) (*http.Server, error) {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	if err != nil {
		return nil, config.Listening(variable, address, err)
	}
	server := &http.Server{
		Handler: handler, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second,
		WriteTimeout: 30 * time.Second, IdleTimeout: time.Minute, MaxHeaderBytes: 16 << 10,
	}
	go func() {
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			log.ErrorContext(context.WithoutCancel(ctx), "private port closed", slog.Any("error", err))
		}
	}()
	log.InfoContext(ctx, "private port open", slog.String("address", listener.Addr().String()))
	return server, nil
}

// handler answers for the parent and its children.
func (p *parent) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /livez", func(w http.ResponseWriter, _ *http.Request) { answer(w, http.StatusOK, "live") })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) {
		if !p.anyReady(r.Context()) {
			w.Header().Set("Retry-After", "1")
			answer(w, http.StatusServiceUnavailable, "not ready")
			return
		}
		answer(w, http.StatusOK, "ready")
	})
	mux.Handle("GET /metrics", p.metricsHandler())
	if p.options.Level != nil {
		mux.Handle("/log-level", p.options.Level)
	}
	return mux
}

// anyReady reports whether one child is ready, by its report, and says so
// itself if it can be asked.
func (p *parent) anyReady(ctx context.Context) bool {
	addresses := *p.privates.Load()
	for _, child := range p.current.Load().Workers {
		if child.State != Ready {
			continue
		}
		address, askable := addresses[child.ID]
		if !askable {
			return true
		}
		body, err := ask(ctx, address, "/readyz", "")
		if err == nil {
			_ = body.Close()
		}
		if err == nil || errors.Is(err, errNoSuchPage) {
			return true
		}
	}
	return false
}

// errNoSuchPage is what ask returns for a page that the child does not have.
var errNoSuchPage = errors.New("the child has no such page")

// ask returns the body of what a child answers with 200.
func ask(ctx context.Context, address, path, accept string) (io.ReadCloser, error) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+path, http.NoBody)
	if err != nil {
		cancel()
		return nil, fmt.Errorf("ask a child: %w", err)
	}
	request.Header.Set("Accept", accept)
	reply, err := http.DefaultClient.Do(request)
	if err != nil {
		cancel()
		return nil, fmt.Errorf("ask a child: %w", err)
	}
	if reply.StatusCode != http.StatusOK {
		_ = reply.Body.Close()
		cancel()
		if reply.StatusCode == http.StatusNotFound {
			return nil, fmt.Errorf("ask a child for %s: %w", path, errNoSuchPage)
		}
		return nil, fmt.Errorf("ask a child: %s answers %s", path, reply.Status)
	}
	return body{Reader: io.LimitReader(reply.Body, greatestAnswer), closer: reply.Body, cancel: cancel}, nil
}

type body struct {
	io.Reader
	closer io.Closer
	cancel context.CancelFunc
}

func (b body) Close() error {
	defer b.cancel()
	return b.closer.Close()
}

func answer(w http.ResponseWriter, code int, status string) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(code)
	_, _ = fmt.Fprintf(w, "{\"status\":%q}\n", status) // the client went away
}
