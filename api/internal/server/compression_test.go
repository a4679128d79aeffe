package server_test

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/etrainer/backend/api/internal/apitest"
	"github.com/etrainer/backend/pkg/mongodb/mongotest"
)

// TestWhatIsCompressed asks the whole api over a connection. Short replies,
// tokens and what is packed already stay as they are.
func TestWhatIsCompressed(t *testing.T) {
	t.Parallel()
	api := apitest.Start(t, mongotest.Database(t), apitest.Options{})
	token := api.Token(t, "admin@example.com")
	get := func(path, coding string, header ...string) (*http.Response, []byte) {
		t.Helper()
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, api.URL+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Accept-Encoding", coding)
		request.Header.Set("Authorization", "Bearer "+token)
		for i := 0; i+1 < len(header); i += 2 {
			request.Header.Set(header[i], header[i+1])
		}
		reply, err := http.DefaultTransport.RoundTrip(request)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = reply.Body.Close() }()
		text, err := io.ReadAll(reply.Body)
		if err != nil {
			t.Fatal(err)
		}
		return reply, text
	}
	for path, packed := range map[string]bool{
		"/api/openapi.json": true, "/api/docs/assets/swagger-ui-bundle.js": true, "/api/docs/assets/swagger-ui.css": true,
		"/api/system/jobs/schedules": true,
		"/livez":                     false, "/api/system/jobs/stats": false, "/api/docs/assets/" + strings.Repeat("x", 3000): true,
		"/api/auth/" + strings.Repeat("x", 3000): false,
	} {
		plain, want := get(path, "identity")
		reply, text := get(path, "gzip")
		if isPacked := reply.Header.Get("Content-Encoding") == "gzip"; isPacked != packed || plain.Header.Get("Content-Encoding") != "" {
			t.Errorf("%.40s: packed is %t, want %t", path, isPacked, packed)
			continue
		}
		if packed {
			text = gunzip(t, text)
		}
		if strings.HasPrefix(path, "/api/docs") || path == "/api/openapi.json" {
			if !bytes.Equal(text, want) {
				t.Errorf("%.40s: %d bytes after it was unpacked once, want the %d of the plain reply", path, len(text), len(want))
			}
			if tag := reply.Header.Get("ETag"); tag == "" {
				continue
			} else if again, _ := get(path, "gzip", "If-None-Match", tag); again.StatusCode != http.StatusNotModified {
				t.Errorf("%.40s: asked again with its ETag: %d", path, again.StatusCode)
			}
		}
	}
	http.DefaultClient.CloseIdleConnections()
}

func gunzip(t *testing.T, text []byte) []byte {
	t.Helper()
	reader, err := gzip.NewReader(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	plain, err := io.ReadAll(reader)
	if err != nil {
		t.Fatal(err)
	}
	return plain
}
