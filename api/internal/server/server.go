package server

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/jonboulle/clockwork"

	"github.com/etrainer/backend/pkg/config"
	"github.com/etrainer/backend/pkg/drain"
)

// The times of the listener unless Options say otherwise. A route that needs
// longer, such as an upload, extends its own through http.ResponseController.
const (
	headerTimeout = 10 * time.Second
	bodyTimeout   = 30 * time.Second
	writeTimeout  = 60 * time.Second
	// idleTimeout is longer than the 60 s for which proxies keep connections, so
	// that we are not the one who closes under a request.
	idleTimeout    = 75 * time.Second
	maxHeaderBytes = 32 << 10
)

// Options are the parts of a Server.
type Options struct {
	// Address is host:port; port 0 = any free one.
	Address string
	// Variable names what sets Address, for errors.
	Variable string
	// DrainDelay is how long Stop waits between Draining and the closing of the
	// port, for balancers to notice.
	DrainDelay time.Duration
	// HeaderTimeout is how long a client may take to send a header, and
	// BodyTimeout to send a whole request; 0 = 10 s and 30 s.
	HeaderTimeout, BodyTimeout time.Duration
	// Clock times the delay. nil = the real one.
	Clock clockwork.Clock
	// Open replaces the opening of Address; it may answer nil, to leave that to
	// the server.
	Open func() (net.Listener, error)
	Log  *slog.Logger
}

// Server is the listener, as a lifecycle.Service. Listen opens the port early;
// Start puts the real handler behind it; Stop lets requests end first. It can
// be started again.
type Server struct {
	options  Options
	failed   chan error
	draining atomic.Bool
	current  atomic.Pointer[http.Handler]

	turn    chan struct{} // held by one Listen, Start or Stop at a time
	real    http.Handler
	serving *drain.Server // nil while the port is closed
	address net.Addr

	inFlight atomic.Int64
}

// New returns a Server that is not listening.
func New(options Options) *Server {
	if options.Clock == nil {
		options.Clock = clockwork.NewRealClock()
	}
	if options.HeaderTimeout == 0 {
		options.HeaderTimeout = headerTimeout
	}
	if options.BodyTimeout == 0 {
		options.BodyTimeout = bodyTimeout
	}
	return &Server{options: options, real: http.NotFoundHandler(), failed: make(chan error, 1), turn: make(chan struct{}, 1)}
}

// Use sets the handler that Start puts in place. Call it before Start.
func (s *Server) Use(handler http.Handler) { s.real = handler }

// Listen opens the port, and answers with a handler for the time until Start,
// while the process waits for what it needs.
func (s *Server) Listen(ctx context.Context, starting http.Handler) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.leave()
	return s.open(ctx, starting)
}

// Start opens the port if Listen has not, and answers with the real handler.
func (s *Server) Start(ctx context.Context) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.leave()
	if err := s.open(ctx, s.real); err != nil {
		return err
	}
	s.current.Store(&s.real)
	return nil
}

func (s *Server) open(ctx context.Context, handler http.Handler) error {
	if s.serving != nil {
		return nil
	}
	listener, err := s.listen(ctx)
	if err != nil {
		return err
	}
	s.draining.Store(false)
	s.current.Store(&handler)
	// Requests outlive the context of the start.
	base := context.WithoutCancel(ctx)
	s.serving = drain.New(&http.Server{
		Handler:           http.HandlerFunc(s.serveHTTP),
		ReadHeaderTimeout: s.options.HeaderTimeout,
		ReadTimeout:       s.options.BodyTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		ErrorLog:          slog.NewLogLogger(s.options.Log.Handler(), slog.LevelWarn),
		BaseContext:       func(net.Listener) context.Context { return base },
	}, listener)
	s.address = listener.Addr()
	go serve(s.serving, s.failed)
	s.options.Log.InfoContext(ctx, "listening", slog.String("address", s.address.String()))
	return nil
}

func (s *Server) listen(ctx context.Context) (net.Listener, error) {
	if s.options.Open != nil {
		if listener, err := s.options.Open(); listener != nil || err != nil {
			return listener, err
		}
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", s.options.Address)
	if err != nil {
		return nil, config.Listening(s.options.Variable, s.options.Address, err)
	}
	return listener, nil
}

func serve(server *drain.Server, failed chan<- error) {
	if err := server.Serve(); err != nil {
		select {
		case failed <- err:
		default: // an older failure is still there
		}
	}
}

func (s *Server) serveHTTP(w http.ResponseWriter, r *http.Request) {
	s.inFlight.Add(1)
	defer s.inFlight.Add(-1)
	if s.Draining() { // let balancers forget the connection before it is closed under a request
		w.Header().Set("Connection", "close")
	}
	(*s.current.Load()).ServeHTTP(w, r)
}

// InFlight is how many requests are being answered.
func (s *Server) InFlight() int { return int(s.inFlight.Load()) }

// Stop makes Draining true, waits for the drain delay, closes the port, and
// waits until the requests that are going on have ended. Those that last longer
// than ctx are cut off.
func (s *Server) Stop(ctx context.Context) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.leave()
	if s.serving == nil {
		return nil
	}
	s.draining.Store(true)
	if s.options.DrainDelay > 0 {
		select {
		case <-s.options.Clock.After(s.options.DrainDelay):
		case <-ctx.Done():
		}
	}
	err := s.serving.Stop(ctx)
	s.serving = nil
	return err
}

// Failed implements lifecycle.Failer.
func (s *Server) Failed() <-chan error { return s.failed }

// Draining reports whether Stop has begun.
func (s *Server) Draining() bool { return s.draining.Load() }

// Address is where the server listens: of use when the port was 0. It is nil
// before Listen.
func (s *Server) Address() net.Addr { return s.address }

// enter waits for the turn. A free one lets even an ended context in, so that
// a Stop that comes late still stops.
func (s *Server) enter(ctx context.Context) error {
	select {
	case s.turn <- struct{}{}:
		return nil
	default:
	}
	select {
	case s.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (s *Server) leave() { <-s.turn }
