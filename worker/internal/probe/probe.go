// Package probe serves the worker's private port: /livez (the process runs),
// /readyz (it can do its work), /metrics for Prometheus and /log-level. It is not
// authenticated and must not be public.
package probe

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/etrainer/backend/pkg/config"
)

// checkTimeout bounds the question whether the database answers.
const checkTimeout = time.Second

// Server is a lifecycle.Service.
type Server struct {
	address string
	ready   func(context.Context) error
	log     *slog.Logger
	http    *http.Server

	mu       sync.Mutex
	listener net.Listener
	done     chan struct{}
}

// New returns a Server that listens on host:port; port 0 = any free one.
// ready tells why the worker cannot work, or nil.
func New(host string, port int, ready func(context.Context) error, metrics, level http.Handler, log *slog.Logger) *Server {
	s := &Server{address: net.JoinHostPort(host, strconv.Itoa(port)), ready: ready, log: log}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /livez", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, http.StatusOK, "live")
	})
	mux.HandleFunc("GET /readyz", s.readyz)
	mux.Handle("GET /metrics", metrics)
	mux.Handle("/log-level", level)
	s.http = &http.Server{
		Handler: mux, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second,
		WriteTimeout: 30 * time.Second, IdleTimeout: time.Minute, MaxHeaderBytes: 16 << 10,
	}
	return s
}

// Start listens and serves.
func (s *Server) Start(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.listener != nil {
		return nil
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", s.address)
	if err != nil {
		return config.Listening("WORKER_PORT", s.address, err)
	}
	s.listener, s.done = listener, make(chan struct{})
	go func() {
		defer close(s.done)
		if err := s.http.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			s.log.ErrorContext(context.WithoutCancel(ctx), "private port closed", slog.Any("error", err))
		}
	}()
	s.log.InfoContext(ctx, "private port open", slog.String("address", listener.Addr().String()))
	return nil
}

// Stop finishes the requests that are being answered.
func (s *Server) Stop(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.listener == nil {
		return nil
	}
	err := s.http.Shutdown(ctx)
	<-s.done
	return err
}

// Address is where the server listens, once it is started.
func (s *Server) Address() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.listener == nil {
		return ""
	}
	return s.listener.Addr().String()
}

func (s *Server) readyz(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), checkTimeout)
	defer cancel()
	if err := s.ready(ctx); err != nil {
		s.log.WarnContext(ctx, "not ready", slog.Any("error", err))
		w.Header().Set("Retry-After", "1")
		answer(w, http.StatusServiceUnavailable, "not ready")
		return
	}
	answer(w, http.StatusOK, "ready")
}

func answer(w http.ResponseWriter, code int, status string) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(code)
	_, _ = fmt.Fprintf(w, "{\"status\":%q}\n", status) // the client went away
}
