package drain_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/etrainer/backend/pkg/drain"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// served is a running Server.
type served struct {
	*drain.Server
	address string
	ended   chan error
}

func serve(t *testing.T, handler http.HandlerFunc) served {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := served{drain.New(&http.Server{Handler: handler}, listener), listener.Addr().String(), make(chan error, 1)}
	go func() { s.ended <- s.Serve() }()
	return s
}

// dial opens a connection, which has asked for nothing yet.
func dial(t *testing.T, address string) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

// ask sends a request, and returns the whole answer.
func ask(conn net.Conn) (*http.Response, string, error) {
	if _, err := fmt.Fprint(conn, "GET / HTTP/1.1\r\nHost: here\r\n\r\n"); err != nil {
		return nil, "", err
	}
	reply, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return nil, "", err
	}
	defer reply.Body.Close()
	text, err := io.ReadAll(reply.Body)
	return reply, string(text), err
}

func hello(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "hello") }

// TestRequestDuringTheStop: connections that were open before the stop, a kept
// one and a new one, are answered after it has begun.
func TestRequestDuringTheStop(t *testing.T) {
	t.Parallel()
	s := serve(t, hello)
	kept, fresh := dial(t, s.address), dial(t, s.address)
	if reply, text, err := ask(kept); err != nil || text != "hello" || reply.Close {
		t.Fatalf("before the stop: %q, close %v, %v", text, reply != nil && reply.Close, err)
	}
	// The server has accepted in this order.
	another := dial(t, s.address)
	if _, text, err := ask(another); err != nil || text != "hello" {
		t.Fatalf("another: %q, %v", text, err)
	}
	another.Close()
	s.Settle = time.Minute
	stopped := make(chan error, 1)
	go func() { stopped <- s.Stop(t.Context()) }()
	if err := <-s.ended; err != nil {
		t.Errorf("Serve = %v", err)
	}
	for name, conn := range map[string]net.Conn{"kept": kept, "fresh": fresh} {
		reply, text, err := ask(conn)
		if err != nil || text != "hello" || !reply.Close {
			t.Errorf("%s connection during the stop: %q, %v", name, text, err)
		}
	}
	if err := <-stopped; err != nil {
		t.Errorf("Stop = %v", err)
	}
	if _, err := net.Dial("tcp", s.address); err == nil || !strings.Contains(err.Error(), "refused") {
		t.Errorf("after the stop: %v, want a closed port", err)
	}
}

// TestCutOff: what lasts longer than the context is cut off.
func TestCutOff(t *testing.T) {
	t.Parallel()
	begun, release := make(chan struct{}), make(chan struct{})
	s := serve(t, func(http.ResponseWriter, *http.Request) { close(begun); <-release })
	conn := dial(t, s.address)
	failed := make(chan error, 1)
	go func() { _, _, err := ask(conn); failed <- err }()
	<-begun
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if err := s.Stop(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Stop = %v", err)
	}
	if err := <-failed; err == nil {
		t.Error("the request was answered")
	}
	close(release)
}

// TestListenerFails: an end that nobody asked for is an error.
func TestListenerFails(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := drain.New(&http.Server{Handler: http.HandlerFunc(hello)}, listener)
	listener.Close()
	if err := s.Serve(); err == nil {
		t.Error("Serve = nil")
	}
}
