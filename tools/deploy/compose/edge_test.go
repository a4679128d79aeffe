package compose_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"maps"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/compose-spec/compose-go/v2/types"
)

// mounted returns what a container sees at a path: the file of the repository.
func mounted(t *testing.T, service types.ServiceConfig, path string) string {
	t.Helper()
	for _, volume := range service.Volumes {
		if rest, ok := strings.CutPrefix(path, volume.Target+"/"); ok && volume.Type == types.VolumeTypeBind {
			return filepath.Join(volume.Source, rest)
		}
	}
	t.Fatalf("%s is not in the container", path)
	return ""
}

// TestEdge renders the configuration of nginx with exactly what compose gives it,
// and the certificate that the one-shot makes. Then the nginx of this machine,
// which is older than the image and cannot look up names again, checks the rest.
func TestEdge(t *testing.T) {
	t.Parallel()
	needs(t, "openssl")
	dir := t.TempDir()
	project := load(t, whole, map[string]string{"SERVER_NAME": "api.example.com", "HTTP_PORT": freePort(t), "HTTPS_PORT": freePort(t), "NGINX_CONSOLE_ALLOW": "10.0.0.0/8"})

	// The certificate.
	once := project.Services["certificate"]
	tls := filepath.Join(dir, "tls")
	if once.Entrypoint[2] != "/given" || once.Entrypoint[3] != "/etc/nginx/tls" || once.Entrypoint[4] != project.Services["nginx"].User {
		t.Fatalf("%v", once.Entrypoint)
	}
	said, code := run(t, []string{"SERVER_NAME=" + environment(once)["SERVER_NAME"]}, "sh", mounted(t, once, once.Entrypoint[1]), filepath.Join(dir, "given"), tls)
	if code != 0 {
		t.Fatal(said)
	}

	edge := project.Services["nginx"]
	render := mounted(t, edge, "/opt/nginx/render")
	if !strings.Contains(strings.Join(edge.Entrypoint, " "), "/opt/nginx/render /run/edge && exec nginx -c /run/edge/nginx.conf") {
		t.Fatalf("%v", edge.Entrypoint)
	}
	env := func(change map[string]string) []string {
		all := environment(edge)
		maps.Copy(all, map[string]string{
			"NGINX_CERTIFICATE": tls + "/fullchain.pem", "NGINX_CERTIFICATE_KEY": tls + "/privkey.pem",
			"NGINX_STATUS_ADDRESS": "127.0.0.1:" + freePort(t),
		})
		maps.Copy(all, change)
		var lines []string
		for name, value := range all {
			lines = append(lines, name+"="+value)
		}
		return lines
	}

	// As the image has it.
	version := strings.TrimSuffix(strings.TrimPrefix(edge.Image, "nginx:"), "-trixie")
	pretends := filepath.Join(dir, "nginx")
	if err := os.WriteFile(pretends, []byte("#!/bin/sh\necho 'nginx version: nginx/"+version+"' >&2\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	if said, code := run(t, env(map[string]string{"NGINX_PROGRAM": pretends}), "sh", render, dir+"/image"); code != 0 {
		t.Fatal(said)
	}
	text, err := os.ReadFile(dir + "/image/nginx.conf")
	if err != nil {
		t.Fatal(err)
	}
	ports := environment(edge)
	for _, want := range []string{
		"resolver 127.0.0.11 valid=2s ipv6=off;", "server api:8080 resolve ", "http2 on;", "server_name api.example.com;",
		"listen " + ports["NGINX_HTTP_PORT"] + " ", "listen " + ports["NGINX_HTTPS_PORT"] + " ssl", "allow 10.0.0.0/8;",
	} {
		if !strings.Contains(string(text), want) {
			t.Errorf("the configuration lacks %q", want)
		}
	}

	// As Debian has it.
	needs(t, "nginx")
	if said, code := run(t, env(map[string]string{"NGINX_RESOLVER": "", "NGINX_UPSTREAM": "127.0.0.1:8080"}), "sh", render, dir+"/debian"); code != 0 {
		t.Fatal(said)
	}
	if said, code := run(t, nil, "nginx", "-t", "-c", dir+"/debian/nginx.conf", "-p", dir); code != 0 {
		t.Error(said)
	}
}

// TestCertificate: the given one is taken, the self-made one is kept as long as it
// is good, and what is wrong is said in one sentence.
func TestCertificate(t *testing.T) {
	t.Parallel()
	needs(t, "openssl")
	dir := t.TempDir()
	given, out := filepath.Join(dir, "given"), filepath.Join(dir, "out")
	if err := os.Mkdir(given, 0o700); err != nil {
		t.Fatal(err)
	}
	script := root + "/nginx/certificate"
	certificate := func(names string) (string, int) {
		return run(t, []string{"SERVER_NAME=" + names}, "sh", script, given, out)
	}
	content := func() string {
		text, err := os.ReadFile(filepath.Join(out, "fullchain.pem"))
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	if said, code := certificate("api.example.com 10.1.2.3"); code != 0 || !strings.Contains(said, "made one") {
		t.Fatalf("%d: %s", code, said)
	}
	first := content()
	if said, _ := run(t, nil, "openssl", "x509", "-in", out+"/fullchain.pem", "-noout", "-ext", "subjectAltName"); !strings.Contains(said, "DNS:localhost, IP Address:127.0.0.1, DNS:api.example.com, IP Address:10.1.2.3") {
		t.Errorf("its names are %s", said)
	}
	for _, file := range []string{"fullchain.pem", "privkey.pem"} {
		if info, err := os.Stat(filepath.Join(out, file)); err != nil || info.Mode().Perm() != 0o400 {
			t.Errorf("%s: %v, %v", file, info, err)
		}
	}
	if said, code := certificate("api.example.com 10.1.2.3"); code != 0 || content() != first {
		t.Errorf("a second run made another: %d: %s", code, said)
	}
	if said, code := certificate("other.example.com"); code != 0 || content() == first {
		t.Errorf("other names have the old certificate: %d: %s", code, said)
	}
	if said, code := certificate("a;b"); code != 2 || !strings.Contains(said, `SERVER_NAME "a;b" is no host name`) {
		t.Errorf("%d: %s", code, said)
	}

	issue(t, given, time.Now().Add(time.Hour))
	if said, code := certificate("api.example.com"); code != 0 || !strings.Contains(said, "the one of tls/, valid until ") {
		t.Fatalf("%d: %s", code, said)
	}
	if want, err := os.ReadFile(given + "/fullchain.pem"); err != nil || content() != string(want) {
		t.Errorf("the given one was not taken: %v", err)
	}
	before := content()
	for _, test := range []struct {
		want    string
		mistake func() error
	}{
		{"tls/privkey.pem does not belong to tls/fullchain.pem", func() error {
			key, err := os.ReadFile(given + "/privkey.pem")
			if err != nil {
				return err
			}
			issue(t, given, time.Now().Add(time.Hour))
			return os.WriteFile(given+"/privkey.pem", key, 0o600)
		}},
		{"tls/fullchain.pem is not a certificate in PEM", func() error { return os.WriteFile(given+"/fullchain.pem", []byte("no"), 0o600) }},
		{"tls/fullchain.pem expired on ", func() error { issue(t, given, time.Now().Add(-time.Hour)); return nil }},
		{"privkey.pem is missing beside tls/fullchain.pem", func() error { return os.Remove(given + "/privkey.pem") }},
	} {
		if err := test.mistake(); err != nil {
			t.Fatal(err)
		}
		if said, code := certificate("api.example.com"); code != 2 || !strings.Contains(said, test.want) || strings.Count(said, "\n") != 1 {
			t.Errorf("%s: %d: %s", test.want, code, said)
		}
		if content() != before {
			t.Errorf("%s: the edge lost its certificate", test.want)
		}
	}
}

// issue writes a certificate and its key to the folder of the given ones.
func issue(t *testing.T, folder string, until time.Time) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-48 * time.Hour), NotAfter: until}
	certificate, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	key, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	for file, block := range map[string]*pem.Block{"fullchain.pem": {Type: "CERTIFICATE", Bytes: certificate}, "privkey.pem": {Type: "PRIVATE KEY", Bytes: key}} {
		if err := os.WriteFile(filepath.Join(folder, file), pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}
