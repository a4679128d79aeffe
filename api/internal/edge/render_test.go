package edge_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/etrainer/backend/pkg/edgetest"
)

// TestRenderByVersion: one template serves the nginx of a container, which finds
// new replicas by itself, and Debian's, which cannot.
func TestRenderByVersion(t *testing.T) {
	t.Parallel()
	const recent, debian = "1.29.1", "1.22.1"
	for name, test := range map[string]struct {
		version, upstream, resolver string
		has, lacks                  []string // in nginx.conf
		refuses                     string
	}{
		"a recent one": {
			version: recent, upstream: "api:8080", resolver: "127.0.0.11",
			has:   []string{"resolver 127.0.0.11 valid=2s", "server api:8080 resolve max_fails=3", "zone servers", "least_conn;", "http2 on;", "listen 443 ssl default_server;"},
			lacks: []string{"@{"},
		},
		"a recent one with addresses": {
			version: recent, upstream: "10.0.0.1:8080 10.0.0.2:8080",
			has: []string{"server 10.0.0.1:8080 max_fails=3", "server 10.0.0.2:8080 max_fails=3"}, lacks: []string{"resolve", "@{"},
		},
		"Debian's": {
			version: debian, upstream: "127.0.0.1:8080",
			has: []string{"listen 443 ssl http2 default_server;", "server 127.0.0.1:8080 max_fails=3"}, lacks: []string{"http2 on", "resolve", "@{"},
		},
		"a resolver for stapling alone": {
			version: debian, upstream: "127.0.0.1:8080", resolver: "127.0.0.1",
			has: []string{"resolver 127.0.0.1 valid=2s"}, lacks: []string{" resolve "},
		},
		"names to find again": {
			version: debian, upstream: "api:8080", resolver: "127.0.0.11",
			refuses: "NGINX_RESOLVER with a name in NGINX_UPSTREAM needs nginx 1.27.3 or later and this is 1.22.1; list addresses in NGINX_UPSTREAM",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			program := filepath.Join(dir, "nginx")
			script := "#!/bin/sh\necho 'nginx version: nginx/" + test.version + "' >&2\n"
			if err := os.WriteFile(program, []byte(script), 0o700); err != nil {
				t.Fatal(err)
			}
			certificate, key, _ := edgetest.SelfMade(t, dir, time.Now().Add(time.Hour))
			out, err := edgetest.Render(t, dir, []string{
				"NGINX_PROGRAM=" + program, "NGINX_CERTIFICATE=" + certificate, "NGINX_CERTIFICATE_KEY=" + key,
				"NGINX_UPSTREAM=" + test.upstream, "NGINX_RESOLVER=" + test.resolver,
			})
			if test.refuses != "" {
				if err == nil || !strings.Contains(out, test.refuses) {
					t.Errorf("%v %q, want %q", err, out, test.refuses)
				}
				return
			}
			text, readError := os.ReadFile(filepath.Join(dir, "nginx.conf"))
			if err != nil || readError != nil {
				t.Fatalf("%v %s %v", err, out, readError)
			}
			for _, want := range test.has {
				if !strings.Contains(string(text), want) {
					t.Errorf("nginx.conf lacks %q", want)
				}
			}
			for _, unwanted := range test.lacks {
				if strings.Contains(string(text), unwanted) {
					t.Errorf("nginx.conf has %q", unwanted)
				}
			}
		})
	}
}
