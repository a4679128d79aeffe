package edge_test

import (
	"compress/gzip"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
)

// TestRepliesAreCompressedOnce: by the api or by nginx, and tokens by neither.
func TestRepliesAreCompressedOnce(t *testing.T) {
	t.Parallel()
	e := start(t, 1)
	client := e.Client()
	ask := func(method, path string) (*http.Response, string) {
		t.Helper()
		request := e.request(method, path, strings.NewReader(`{"email":"`+strings.Repeat("long", 1000)+`","password":""}`))
		request.Header.Set("Content-Type", "application/json")
		request.Header.Set("Accept-Encoding", "gzip")
		reply, _, text := e.fetch(client, request)
		return reply, text
	}
	reply, text := ask(http.MethodGet, "/api/openapi.json")
	unpacked, err := gzip.NewReader(strings.NewReader(text))
	if err != nil {
		t.Fatalf("%v: %v", reply.Header, err)
	}
	var document map[string]any
	if err := json.NewDecoder(unpacked).Decode(&document); err != nil || document["openapi"] == nil {
		t.Errorf("the document is not there after one gzip: %v", err)
	}
	if codings := reply.Header.Values("Content-Encoding"); len(codings) != 1 || codings[0] != "gzip" {
		t.Errorf("Content-Encoding = %v", codings)
	}
	if reply.Header.Get("ETag") == "" || !strings.HasPrefix(reply.Header.Get("ETag"), "W/") {
		t.Errorf("ETag = %s, want a weak one", reply.Header.Get("ETag"))
	}
	// Longer than what is worth compressing, as a reply with tokens is.
	if reply, text = ask(http.MethodPost, "/api/auth/"+strings.Repeat("x", 2000)); reply.Header.Get("Content-Encoding") != "" || len(text) < 2000 {
		t.Errorf("a reply of /api/auth: %v %d bytes", reply.Header, len(text))
	}
}
