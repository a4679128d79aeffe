package pushtest

import (
	"encoding/json"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"os"
	"sync"
	"testing"
)

// server is what both stand-ins have: HTTPS with HTTP/2, faults, and the
// answers that tokens get.
type server struct {
	faults
	deliveries
	http *httptest.Server

	rules   sync.Mutex
	devices map[string]string // error code by token
}

// start serves until the test ends.
func (s *server) start(t testing.TB, handler http.Handler) {
	s.done, s.devices = make(chan struct{}), map[string]string{}
	s.http = httptest.NewUnstartedServer(handler)
	s.http.EnableHTTP2 = true
	s.http.Config.ErrorLog = nil
	s.http.StartTLS()
	t.Cleanup(s.Close)
}

// URL returns where the stand-in is.
func (s *server) URL() string { return s.http.URL }

// Transport trusts the stand-in.
func (s *server) Transport() http.RoundTripper { return s.http.Client().Transport }

// Trust writes the stand-ins' certificate to a file, for processes that are to
// trust them: SSL_CERT_FILE names it.
func (s *server) Trust(t testing.TB, path string) {
	t.Helper()
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.http.Certificate().Raw})
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
}

// Close ends the stand-in; connections to it are refused from then on.
func (s *server) Close() {
	s.rules.Lock()
	defer s.rules.Unlock()
	select {
	case <-s.done:
		return
	default:
		close(s.done)
	}
	s.http.Client().CloseIdleConnections()
	s.http.CloseClientConnections()
	s.http.Close()
}

// Device makes every message for a token fail with one of the service's error
// codes; "" mends it.
func (s *server) Device(token, code string) {
	s.rules.Lock()
	defer s.rules.Unlock()
	s.devices[token] = code
}

func (s *server) codeOf(token string) string {
	s.rules.Lock()
	defer s.rules.Unlock()
	return s.devices[token]
}

func writeJSON(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) //nolint:errchkjson // of plain maps
}
