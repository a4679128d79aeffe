// Package drain stops an http.Server without losing a request.
//
// http.Server.Shutdown closes the connections that wait for a request, and
// drops a request that it reads after the shutdown has begun. A client that has
// just connected, or that uses a kept connection at that moment, gets no answer,
// and may not dare to repeat what it asked for. A [Server] closes the port first,
// says "Connection: close" in every answer from then on, and shuts down when all
// connections have ended, or after a short time: what is still open then has
// asked for nothing.
package drain

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync/atomic"
	"time"
)

// DefaultSettle is the usual Settle of a Server.
const DefaultSettle = 500 * time.Millisecond

// Server serves one listener, once. Create it with New.
type Server struct {
	// Settle is how long connections that ask for nothing are kept open after
	// the port has closed. Change it before Stop.
	Settle time.Duration

	http     *http.Server
	open     atomic.Int64  // connections
	emptied  chan struct{} // has one element when the last connection has ended
	closing  atomic.Bool
	listener net.Listener
	served   chan struct{} // closed when no connection can be added
}

// New returns a Server that serves listener by server, whose Handler and
// ConnState it wraps. It is not started.
func New(server *http.Server, listener net.Listener) *Server {
	s := &Server{Settle: DefaultSettle, http: server, listener: listener, emptied: make(chan struct{}, 1), served: make(chan struct{})}
	handler, connState := server.Handler, server.ConnState
	server.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s.closing.Load() {
			w.Header().Set("Connection", "close")
		}
		handler.ServeHTTP(w, r)
	})
	server.ConnState = func(conn net.Conn, state http.ConnState) {
		s.count(state)
		if connState != nil {
			connState(conn, state)
		}
	}
	return s
}

func (s *Server) count(state http.ConnState) {
	switch state {
	case http.StateNew:
		s.open.Add(1)
	case http.StateClosed, http.StateHijacked:
		if s.open.Add(-1) == 0 {
			select {
			case s.emptied <- struct{}{}:
			default:
			}
		}
	case http.StateActive, http.StateIdle:
	}
}

// Serve serves until Stop; then it returns nil. Call it once.
func (s *Server) Serve() error {
	defer close(s.served)
	err := s.http.Serve(s.listener)
	if s.closing.Load() {
		return nil
	}
	return fmt.Errorf("serve %s: %w", s.listener.Addr(), err)
}

// Stop closes the port, answers what has been asked and what is asked on
// connections that are open, and returns when all have ended. What lasts longer
// than ctx is cut off, with an error. Serve has to have been called.
func (s *Server) Stop(ctx context.Context) error {
	s.closing.Store(true)
	_ = s.listener.Close() // Serve returns, whatever this says
	<-s.served
	s.settle(ctx)
	if err := s.http.Shutdown(ctx); err != nil {
		return fmt.Errorf("requests were cut off: %w", errors.Join(err, s.http.Close()))
	}
	return nil
}

// settle waits until every connection has ended, for a short time at the most.
func (s *Server) settle(ctx context.Context) {
	timer := time.NewTimer(s.Settle)
	defer timer.Stop()
	for s.open.Load() > 0 {
		select {
		case <-s.emptied:
		case <-timer.C:
			return
		case <-ctx.Done():
			return
		}
	}
}
