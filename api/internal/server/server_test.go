package server_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/jonboulle/clockwork"

	"github.com/etrainer/backend/api/internal/server"
	"github.com/etrainer/backend/pkg/lifecycle"
	"github.com/etrainer/backend/pkg/lifecycle/lifecycletest"
)

// says answers every request with a text.
func says(text string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, text) })
}

func newServer(o server.Options) *server.Server {
	if o.Address == "" {
		o.Address = "127.0.0.1:0"
	}
	o.Log = slog.New(slog.DiscardHandler)
	s := server.New(o)
	s.Use(says("real"))
	return s
}

// ask returns what the server says, or "" when it does not answer.
func ask(t *testing.T, s *server.Server) string {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+s.Address().String(), nil)
	if err != nil {
		t.Fatal(err)
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	reply, err := client.Do(request)
	if err != nil {
		return ""
	}
	defer func() { _ = reply.Body.Close() }()
	text, err := io.ReadAll(reply.Body)
	if err != nil {
		return ""
	}
	return string(text)
}

func TestServerKeepsTheLifecycleContract(t *testing.T) {
	t.Parallel()
	lifecycletest.Stress(t, func() lifecycle.Service { return newServer(server.Options{}) })
}

func TestServerListensBeforeItStarts(t *testing.T) {
	t.Parallel()
	s := newServer(server.Options{})
	if err := s.Listen(t.Context(), says("starting")); err != nil {
		t.Fatalf("Listen: %v", err)
	}
	address := s.Address().String()
	if got := ask(t, s); got != "starting" {
		t.Errorf("before Start it says %q", got)
	}
	if err := s.Start(t.Context()); err != nil {
		t.Fatalf("Start: %v", err)
	}
	if got := ask(t, s); got != "real" || s.Address().String() != address {
		t.Errorf("after Start it says %q at %v, want the same address as before (%s)", got, s.Address(), address)
	}
	if err := s.Stop(t.Context()); err != nil {
		t.Fatalf("Stop: %v", err)
	}
	if got := ask(t, s); got != "" {
		t.Errorf("after Stop it says %q", got)
	}
}

func TestServerDrains(t *testing.T) {
	t.Parallel()
	clock := clockwork.NewFakeClock()
	s := newServer(server.Options{DrainDelay: time.Minute, Clock: clock})
	entered, release := make(chan struct{}), make(chan struct{})
	s.Use(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/slow" {
			close(entered)
			<-release
		}
		_, _ = io.WriteString(w, "real")
	}))
	if err := s.Start(t.Context()); err != nil {
		t.Fatalf("Start: %v", err)
	}
	slow := make(chan error, 1)
	go func() {
		reply, err := http.Get("http://" + s.Address().String() + "/slow")
		if err == nil {
			_, err = io.ReadAll(reply.Body)
			err = errors.Join(err, reply.Body.Close())
		}
		slow <- err
	}()
	<-entered
	stopped := make(chan error, 1)
	go func() { stopped <- s.Stop(t.Context()) }()
	if err := clock.BlockUntilContext(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	if !s.Draining() {
		t.Error("Draining is false while it drains")
	}
	if got := ask(t, s); got != "real" {
		t.Errorf("during the delay it says %q, want it to answer still", got)
	}
	reply, err := http.Get("http://" + s.Address().String())
	if err != nil {
		t.Fatal(err)
	}
	_ = reply.Body.Close()
	if !reply.Close {
		t.Error("during the delay connections are kept, and would be closed under a later request")
	}
	clock.Advance(time.Minute)
	eventually(t, "the port is closed", func() bool { return ask(t, s) == "" })
	select {
	case err := <-stopped:
		t.Errorf("Stop returned %v before the last request had ended", err)
	default:
	}
	close(release)
	if err := <-slow; err != nil {
		t.Errorf("the request that was going on: %v", err)
	}
	if err := <-stopped; err != nil {
		t.Errorf("Stop: %v", err)
	}
	http.DefaultClient.CloseIdleConnections()
}

func TestServerCutsOffWhatOutlastsTheStop(t *testing.T) {
	t.Parallel()
	s := newServer(server.Options{})
	entered, left := make(chan struct{}), make(chan struct{})
	s.Use(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		close(entered)
		<-r.Context().Done()
		close(left)
	}))
	if err := s.Start(t.Context()); err != nil {
		t.Fatalf("Start: %v", err)
	}
	cut := make(chan string, 1)
	go func() { cut <- ask(t, s) }()
	<-entered
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Stop(ended); !errors.Is(err, context.Canceled) {
		t.Errorf("Stop within an ended context = %v, want its end", err)
	}
	<-left
	if got := <-cut; got != "" {
		t.Errorf("the request was answered by %q", got)
	}
	if err := s.Stop(t.Context()); err != nil {
		t.Errorf("second Stop: %v", err)
	}
}

func TestServerCannotListen(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = taken.Close() }()
	s := newServer(server.Options{Address: taken.Addr().String()})
	if err := s.Start(t.Context()); err == nil {
		t.Error("Start on a port that is taken succeeds")
	}
	if err := s.Stop(t.Context()); err != nil {
		t.Errorf("Stop after that: %v", err)
	}
}
