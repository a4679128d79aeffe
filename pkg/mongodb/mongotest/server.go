package mongotest

import (
	"net/url"
	"testing"
)

// Server is an embedded database of one test alone, which can be killed and
// started again on the same data. Other tests share an engine that must live.
type Server struct {
	t       testing.TB
	dir     string
	process process
}

// NewServer starts one. It ends with the test.
func NewServer(t testing.TB) *Server {
	t.Helper()

	s := &Server{t: t, dir: t.TempDir()}
	s.start("0")
	t.Cleanup(func() {
		if err := s.process.stop(); err != nil {
			t.Errorf("mongotest: %v", err)
		}
	})

	return s
}

// URI is its address, which stays the same over all its lives.
func (s *Server) URI() string { return s.process.addresses.mongodb }

// Kill is kill -9: what the engine has not written is gone.
func (s *Server) Kill() {
	s.t.Helper()

	if err := s.process.cmd.Process.Kill(); err != nil {
		s.t.Fatalf("mongotest: kill the database: %v", err)
	}

	_ = s.process.cmd.Wait() // the kill is what it tells
	s.process = process{addresses: s.process.addresses}
}

// Start starts a killed one again, at its address.
func (s *Server) Start() {
	s.t.Helper()

	address, err := url.Parse(s.URI())
	if err != nil {
		s.t.Fatalf("mongotest: %v", err)
	}

	s.start(address.Port())

	if got, err := url.Parse(s.URI()); err != nil || got.Host != address.Host {
		s.t.Fatalf("mongotest: the database has come back at %s, and was at %s", s.URI(), address.Host)
	}
}

func (s *Server) start(port string) {
	s.t.Helper()

	var err error
	if s.process, err = start("--dir", s.dir, "--mongodb-port", port); err != nil {
		s.t.Fatalf("mongotest: start a database: %v", err)
	}
}
