package edge_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/etrainer/backend/pkg/mongodb/mongotest"
)

// patience is how long a test waits for what must come about.
const patience = 60 * time.Second

func TestMain(m *testing.M) { mongotest.Main(m) }

// root is the repository.
const root = "../../.."

// apiProgram builds the api once for all tests.
var apiProgram = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "edge")
	if err != nil {
		return "", err
	}
	program := filepath.Join(dir, "api")
	build := exec.Command("go", "build", "-o", program, "./cmd/api")
	build.Dir = root + "/api"
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build the api: %w\n%s", err, out)
	}
	return program, nil
})

// edge is an nginx and the apis behind it.
type edge struct {
	t    *testing.T
	dir  string
	env  []string // of nginx/render
	base string   // https://127.0.0.1:port
	apis []*process

	httpPort, httpsPort, statusPort string
	database, redis                 string
	roots                           *x509.CertPool
	nginx                           *process
}

// start runs an nginx in front of n apis. settings are variables of
// nginx/render.
func start(t *testing.T, n int, settings ...string) *edge {
	t.Helper()
	needsNginx(t)
	db := mongotest.Database(t)
	e := &edge{
		t: t, dir: t.TempDir(), httpPort: freePort(t), httpsPort: freePort(t), statusPort: freePort(t),
		database: databaseURI(t, db.Name()), redis: mongotest.RedisURL(t),
	}
	e.base = "https://127.0.0.1:" + e.httpsPort
	certificate, key := e.certificate(time.Now().Add(time.Hour))
	e.env = append([]string{
		"NGINX_HTTP_PORT=" + e.httpPort, "NGINX_HTTPS_PORT=" + e.httpsPort, "NGINX_STATUS_ADDRESS=127.0.0.1:" + e.statusPort,
		"NGINX_CERTIFICATE=" + certificate, "NGINX_CERTIFICATE_KEY=" + key, "NGINX_ACME_ROOT=" + e.dir,
		"NGINX_ACCESS_LOG=" + filepath.Join(e.dir, "access.log"), "NGINX_ERROR_LOG=" + filepath.Join(e.dir, "error.log"),
	}, settings...)
	for range n {
		e.addAPI()
	}
	e.render()
	e.nginx = run(t, exec.Command("nginx", "-c", e.config(), "-p", e.dir, "-g", "daemon off;"))
	e.until("nginx answers", func() bool { return e.get(e.client(), "/livez") == http.StatusOK })
	return e
}

// databaseURI is the address of one database of the server.
func databaseURI(t *testing.T, name string) string {
	t.Helper()
	address, err := url.Parse(mongotest.URI(t))
	if err != nil {
		t.Fatal(err)
	}
	address.Path = "/" + name
	return address.String()
}

func needsNginx(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("nginx"); err != nil {
		t.Skip("nginx is not installed (Debian's package nginx)")
	}
}

func (e *edge) config() string { return filepath.Join(e.dir, "conf", "nginx.conf") }

// addAPI starts one more api, and waits until it is ready.
func (e *edge) addAPI() {
	e.t.Helper()
	program, err := apiProgram()
	if err != nil {
		e.t.Fatal(err)
	}
	port := freePort(e.t)
	cmd := exec.Command(program)
	cmd.Env = append(os.Environ(), "PORT="+port, "API_PRIVATE_PORT=0", "MONGODB_URI="+e.database, "REDIS_URL="+e.redis,
		"NODE_ENV=production", "LOG_LEVEL=warn", "JWT_SECRET_KEY=q8Zt2vXw9Lr5Nb7Kd3Hf6Jm1Pc4Gs0YuTe", "BCRYPT_ROUNDS=4",
		"TRUSTED_PROXIES=127.0.0.1", "RATE_LIMIT_MAX_REQUESTS=1000000", "MEDIA_DIR="+filepath.Join(e.dir, "media"))
	p := run(e.t, cmd)
	p.address = "127.0.0.1:" + port
	e.apis = append(e.apis, p)
	e.until("an api is ready", func() bool {
		reply, err := http.Get("http://" + p.address + "/readyz")
		if err != nil {
			return false
		}
		_ = reply.Body.Close()
		return reply.StatusCode == http.StatusOK
	})
}

// render makes the configuration for the apis there are.
func (e *edge) render() {
	e.t.Helper()
	var addresses []string
	for _, api := range e.apis {
		addresses = append(addresses, api.address)
	}
	if out, err := renderWith(e.t, filepath.Join(e.dir, "conf"), append(e.env, "NGINX_UPSTREAM="+strings.Join(addresses, " "))); err != nil {
		e.t.Fatalf("render: %v\n%s", err, out)
	}
}

func renderWith(t *testing.T, dir string, env []string) (string, error) {
	t.Helper()
	cmd := exec.Command(root+"/nginx/render", dir)
	cmd.Env = append(os.Environ(), env...)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// reload makes nginx read its configuration again.
func (e *edge) reload() {
	e.t.Helper()
	if err := e.nginx.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		e.t.Fatal(err)
	}
}

func (e *edge) until(what string, condition func() bool) {
	e.t.Helper()
	deadline := time.Now().Add(patience)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !condition() {
		if time.Now().After(deadline) {
			text, _ := os.ReadFile(filepath.Join(e.dir, "error.log"))
			e.t.Fatalf("it did not come to pass that %s\n%s", what, text)
		}
		<-tick.C
	}
}

// client trusts the certificate, and follows no redirects.
func (e *edge) client(change ...func(*tls.Config)) *http.Client {
	config := &tls.Config{RootCAs: e.roots, MinVersion: tls.VersionTLS12}
	for _, each := range change {
		each(config)
	}
	transport := &http.Transport{TLSClientConfig: config, ForceAttemptHTTP2: true, MaxIdleConnsPerHost: 16}
	e.t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{
		Transport: transport, Timeout: patience,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// get returns the status of a path; 0 = no answer.
func (e *edge) get(client *http.Client, path string) int {
	reply, err := client.Get(e.base + path)
	if err != nil {
		return 0
	}
	defer func() { _ = reply.Body.Close() }()
	_, _ = io.Copy(io.Discard, reply.Body)
	return reply.StatusCode
}

// fetch returns a reply with its body.
func (e *edge) fetch(client *http.Client, request *http.Request) (*http.Response, map[string]any, string) {
	e.t.Helper()
	reply, err := client.Do(request)
	if err != nil {
		e.t.Fatal(err)
	}
	defer func() { _ = reply.Body.Close() }()
	text, err := io.ReadAll(reply.Body)
	if err != nil {
		e.t.Fatal(err)
	}
	var body map[string]any
	_ = json.Unmarshal(text, &body)
	return reply, body, string(text)
}

func (e *edge) request(method, path string, body io.Reader) *http.Request {
	e.t.Helper()
	request, err := http.NewRequestWithContext(context.Background(), method, e.base+path, body)
	if err != nil {
		e.t.Fatal(err)
	}
	return request
}

// line is one line of the access log.
type line struct {
	RequestID string  `json:"request_id"`
	ClientIP  string  `json:"client_ip"`
	Path      string  `json:"path"`
	Status    int     `json:"status"`
	Upstream  string  `json:"upstream"`
	TLS       string  `json:"tls"`
	Duration  float64 `json:"duration_s"`
}

func (e *edge) log() []line {
	e.t.Helper()
	text, err := os.ReadFile(filepath.Join(e.dir, "access.log"))
	if err != nil {
		e.t.Fatal(err)
	}
	var lines []line
	scanner := bufio.NewScanner(bytes.NewReader(text))
	scanner.Buffer(nil, 1<<20)
	for scanner.Scan() {
		var l line
		if err := json.Unmarshal(scanner.Bytes(), &l); err != nil {
			e.t.Fatalf("the access log has a line that is not JSON: %v\n%s", err, scanner.Text())
		}
		lines = append(lines, l)
	}
	return lines
}

// certificate writes a self-made certificate and its key.
func (e *edge) certificate(until time.Time) (certificate, key string) {
	e.t.Helper()
	certificate, key, e.roots = selfMade(e.t, e.dir, until)
	return certificate, key
}

func selfMade(t *testing.T, dir string, until time.Time) (certificate, key string, roots *x509.CertPool) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: "edge"},
		NotBefore: time.Now().Add(-48 * time.Hour), NotAfter: until, IsCA: true, BasicConstraintsValid: true,
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

// process is a child that ends with the test.
type process struct {
	cmd     *exec.Cmd
	address string
	gone    chan struct{}
}

func run(t *testing.T, cmd *exec.Cmd) *process {
	t.Helper()
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p := &process{cmd: cmd, gone: make(chan struct{})}
	go func() {
		_ = cmd.Wait()
		close(p.gone)
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		select {
		case <-p.gone:
		case <-time.After(patience):
			_ = cmd.Process.Kill()
			<-p.gone
		}
	})
	return p
}

func freePort(t *testing.T) string {
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
