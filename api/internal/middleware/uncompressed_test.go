package middleware_test

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"strings"
	"testing"
)

// TestCompressedBodies: a body that is compressed is refused wherever it is
// sent, before anybody reads it, with what is taken instead.
func TestCompressedBodies(t *testing.T) {
	t.Parallel()
	server, _ := start(t)
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	_, _ = io.WriteString(w, `{"a":1}`)
	_ = w.Close()
	for name, test := range map[string]struct {
		method, path, coding string
		body                 string
		status               int
	}{
		"gzip":                    {http.MethodPost, "/body", "gzip", packed.String(), http.StatusUnsupportedMediaType},
		"gzip that is none":       {http.MethodPost, "/body", "gzip", `{"a":1}`, http.StatusUnsupportedMediaType},
		"in capitals":             {http.MethodPost, "/body", "GZIP", packed.String(), http.StatusUnsupportedMediaType},
		"several":                 {http.MethodPost, "/body", "deflate, br", packed.String(), http.StatusUnsupportedMediaType},
		"to nowhere":              {http.MethodPut, "/nowhere", "zstd", packed.String(), http.StatusUnsupportedMediaType},
		"of a long name":          {http.MethodPatch, "/body", strings.Repeat("x", 500), packed.String(), http.StatusUnsupportedMediaType},
		"identity":                {http.MethodPost, "/body", "identity", `{"a":1}`, http.StatusOK},
		"none":                    {http.MethodPost, "/body", "", `{"a":1}`, http.StatusOK},
		"without a body":          {http.MethodPost, "/nowhere", "gzip", "", http.StatusNotFound},
		"of a method without one": {http.MethodGet, "/nowhere", "gzip", "x", http.StatusNotFound},
	} {
		header := map[string]string{"Content-Type": "application/json", "Origin": "https://app.test"}
		if test.coding != "" {
			header["Content-Encoding"] = test.coding
		}
		got := send(t, test.method, server.URL+test.path, strings.NewReader(test.body), header)
		if got.status != test.status {
			t.Errorf("%s: %d %s", name, got.status, got.text)
		}
		if refused := test.status == http.StatusUnsupportedMediaType; refused != (got.header.Get("Accept-Encoding") == "identity") ||
			refused && (!strings.Contains(got.text, "send it uncompressed") || got.header.Get("Access-Control-Allow-Origin") == "") {
			t.Errorf("%s: %v %s", name, got.header, got.text)
		}
	}
}
