// Package edgetest puts a real nginx, made by nginx/render, in front of what a
// test runs. Tests alone import it.
package edgetest

import (
	"bufio"
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Patience is how long a test waits for what must come about.
const Patience = 60 * time.Second

// Root is the repository, from the folder of a package two levels below a
// module.
const Root = "../../.."

// NeedsNginx skips a test where there is no nginx.
func NeedsNginx(t testing.TB) {
	t.Helper()
	if _, err := exec.LookPath("nginx"); err != nil {
		t.Skip("nginx is not installed (Debian's package nginx)")
	}
}

// Nginx is a running nginx.
type Nginx struct {
	URL        string // https://127.0.0.1:port
	HTTPPort   string
	HTTPSPort  string
	StatusPort string
	Dir        string // of its certificate and logs
	Roots      *x509.CertPool

	t        testing.TB
	settings []string
	process  *Process
}

// Start runs an nginx in front of some addresses, until the test ends, with a
// certificate made by itself. settings are variables of nginx/render.
func Start(t testing.TB, upstream []string, settings ...string) *Nginx {
	t.Helper()
	dir := t.TempDir()
	certificate, key, roots := SelfMade(t, dir, time.Now().Add(time.Hour))
	return StartWith(t, dir, certificate, key, roots, upstream, settings...)
}

// StartWith is Start with a folder for its files, and a certificate and its key
// in PEM that roots vouch for.
func StartWith(t testing.TB, dir, certificate, key string, roots *x509.CertPool, upstream []string, settings ...string) *Nginx {
	t.Helper()
	NeedsNginx(t)
	n := &Nginx{t: t, Dir: dir, Roots: roots, HTTPPort: FreePort(t), HTTPSPort: FreePort(t), StatusPort: FreePort(t)}
	n.URL = "https://127.0.0.1:" + n.HTTPSPort
	n.settings = append([]string{
		"NGINX_HTTP_PORT=" + n.HTTPPort, "NGINX_HTTPS_PORT=" + n.HTTPSPort, "NGINX_STATUS_ADDRESS=127.0.0.1:" + n.StatusPort,
		"NGINX_CERTIFICATE=" + certificate, "NGINX_CERTIFICATE_KEY=" + key, "NGINX_ACME_ROOT=" + n.Dir,
		"NGINX_ACCESS_LOG=" + filepath.Join(n.Dir, "access.log"), "NGINX_ERROR_LOG=" + filepath.Join(n.Dir, "error.log"),
	}, settings...)
	n.Render(upstream)
	n.process = Run(t, exec.Command("nginx", "-c", filepath.Join(n.Dir, "conf", "nginx.conf"), "-p", n.Dir, "-g", "daemon off;"))
	client := n.Client()
	n.Until("nginx answers", func() bool { return n.Get(client, "/livez") == http.StatusOK })
	return n
}

// Render writes the configuration for some addresses anew; Reload takes it.
func (n *Nginx) Render(upstream []string) {
	n.t.Helper()
	out, err := Render(n.t, filepath.Join(n.Dir, "conf"), append(n.settings, "NGINX_UPSTREAM="+strings.Join(upstream, " ")))
	if err != nil {
		n.t.Fatalf("render: %v\n%s", err, out)
	}
}

// Reload makes nginx read its configuration again.
func (n *Nginx) Reload() {
	n.t.Helper()
	if err := n.process.Signal(syscall.SIGHUP); err != nil {
		n.t.Fatal(err)
	}
}

// Render runs nginx/render with an environment, and returns what it says.
func Render(t testing.TB, dir string, env []string) (string, error) {
	t.Helper()
	cmd := exec.Command(Root+"/nginx/render", dir)
	cmd.Env = append(os.Environ(), env...)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// Until waits for a condition.
func (n *Nginx) Until(what string, condition func() bool) {
	n.t.Helper()
	Until(n.t, what, condition)
}

// Until waits for a condition, for as long as Patience.
func Until(t testing.TB, what string, condition func() bool) {
	t.Helper()
	deadline := time.Now().Add(Patience)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !condition() {
		if time.Now().After(deadline) {
			t.Fatalf("it did not come to pass that %s", what)
		}
		<-tick.C
	}
}

// Client trusts the certificate, and follows no redirects.
func (n *Nginx) Client(change ...func(*tls.Config)) *http.Client {
	config := &tls.Config{RootCAs: n.Roots, MinVersion: tls.VersionTLS12}
	for _, each := range change {
		each(config)
	}
	transport := &http.Transport{TLSClientConfig: config, ForceAttemptHTTP2: true, MaxIdleConnsPerHost: 16}
	n.t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{
		Transport: transport, Timeout: Patience,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// Get returns the status of a path; 0 = no answer.
func (n *Nginx) Get(client *http.Client, path string) int {
	reply, err := client.Get(n.URL + path)
	if err != nil {
		return 0
	}
	defer func() { _ = reply.Body.Close() }()
	_, _ = io.Copy(io.Discard, reply.Body)
	return reply.StatusCode
}

// Line is one line of the access log.
type Line struct {
	RequestID string `json:"request_id"`
	ClientIP  string `json:"client_ip"`
	Path      string `json:"path"`
	Status    int    `json:"status"`
	Upstream  string `json:"upstream"` // all that were asked, with ", " between
	TLS       string `json:"tls"`

	// Of each that was asked, with ", " between.
	UpstreamStatus   string `json:"upstream_status"`
	UpstreamConnect  string `json:"upstream_connect_s"`
	UpstreamHeader   string `json:"upstream_header_s"`
	UpstreamDuration string `json:"upstream_duration_s"`
}

// Log reads the access log.
func (n *Nginx) Log() []Line {
	n.t.Helper()
	text, err := os.ReadFile(filepath.Join(n.Dir, "access.log"))
	if err != nil {
		n.t.Fatal(err)
	}
	var lines []Line
	text = text[:bytes.LastIndexByte(text, '\n')+1] // the last line may be half written
	scanner := bufio.NewScanner(bytes.NewReader(text))
	scanner.Buffer(nil, 1<<20)
	for scanner.Scan() {
		var l Line
		if err := json.Unmarshal(scanner.Bytes(), &l); err != nil {
			n.t.Fatalf("the access log has a line that is not JSON: %v\n%s", err, scanner.Text())
		}
		lines = append(lines, l)
	}
	return lines
}

// SelfMade writes a self-made certificate for 127.0.0.1 and its key.
func SelfMade(t testing.TB, dir string, until time.Time) (certificate, key string, roots *x509.CertPool) {
	t.Helper()
	return SelfMadeFrom(t, dir, time.Now().Add(-48*time.Hour), until)
}

// SelfMadeFrom is SelfMade with the time from which it is valid.
func SelfMadeFrom(t testing.TB, dir string, from, until time.Time) (certificate, key string, roots *x509.CertPool) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: "edge"},
		NotBefore: from, NotAfter: until, IsCA: true, BasicConstraintsValid: true,
		DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	raw, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	encoded, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	certificate, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	write := func(path, kind string, content []byte) {
		if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: content}), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(certificate, "CERTIFICATE", raw)
	write(key, "PRIVATE KEY", encoded)
	parsed, err := x509.ParseCertificate(raw)
	if err != nil {
		t.Fatal(err)
	}
	roots = x509.NewCertPool()
	roots.AddCert(parsed)
	return certificate, key, roots
}

// Process is a child that ends with the test.
type Process struct {
	*os.Process
	Gone chan struct{} // closed when it has ended
}

// Run starts a child. SIGTERM ends it with the test.
func Run(t testing.TB, cmd *exec.Cmd) *Process {
	t.Helper()
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p := &Process{Process: cmd.Process, Gone: make(chan struct{})}
	go func() {
		_ = cmd.Wait()
		close(p.Gone)
	}()
	t.Cleanup(p.Stop)
	return p
}

// Stop asks the child to end, and waits until it has.
func (p *Process) Stop() {
	_ = p.Signal(syscall.SIGTERM)
	select {
	case <-p.Gone:
	case <-time.After(Patience):
		_ = p.Kill()
		<-p.Gone
	}
}

// FreePort returns a port where nobody listens.
func FreePort(t testing.TB) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	_, port, err := net.SplitHostPort(listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return port
}
