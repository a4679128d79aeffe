package edge_test

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/etrainer/backend/pkg/edgetest"
	"github.com/etrainer/backend/pkg/mongodb/mongotest"
	"github.com/etrainer/backend/pkg/programtest"
)

// plainHost is what an operator has who runs "make env", "make run-production"
// and "make run-nginx" on one machine.
type plainHost struct {
	t      *testing.T
	dir    string
	https  string
	http   string
	client *http.Client
	token  string
}

// TestPlainHost goes the way of docs/operating.md, "On a plain host": settings,
// programs, nginx with a certificate that it makes itself; then somebody
// registers over HTTPS, and a job that is scheduled there is completed.
func TestPlainHost(t *testing.T) {
	t.Parallel()
	edgetest.NeedsNginx(t)
	h := newPlainHost(t)
	h.start()

	reply, _ := h.send("GET", h.https+"/health", nil)
	if reply.ProtoMajor != 2 || reply.TLS.Version != tls.VersionTLS13 || !strings.Contains(reply.Header.Get("Strict-Transport-Security"), "max-age=31536000") {
		t.Errorf("%s, TLS %x, headers %v; want HTTP/2, TLS 1.3 and HSTS", reply.Proto, reply.TLS.Version, reply.Header)
	}
	reply, _ = h.send("GET", h.http+"/api/docs?x=1", nil)
	if reply.StatusCode != http.StatusPermanentRedirect || reply.Header.Get("Location") != h.https+"/api/docs?x=1" {
		t.Errorf("port 80 answers %d to %q, want 308 to %s", reply.StatusCode, reply.Header.Get("Location"), h.https)
	}

	account := map[string]any{"name": "Ann", "email": "ann@example.com", "password": "correct-horse-42", "bootstrapSecret": h.setting("BOOTSTRAP_SECRET")}
	if reply, text := h.send("POST", h.https+"/api/auth/register", account); reply.StatusCode != http.StatusCreated {
		t.Fatalf("register: %d %s", reply.StatusCode, text)
	}
	_, text := h.send("POST", h.https+"/api/auth/login", account)
	var login struct{ Token string }
	if err := json.Unmarshal(text, &login); err != nil || login.Token == "" {
		t.Fatalf("login: %v %s", err, text)
	}
	h.token = login.Token
	reply, text = h.send("POST", h.https+"/api/system/jobs/schedule", map[string]any{"name": "read push receipts"})
	var scheduled struct{ Job struct{ ID string } }
	if err := json.Unmarshal(text, &scheduled); err != nil || scheduled.Job.ID == "" {
		t.Fatalf("schedule: %d %v %s", reply.StatusCode, err, text)
	}
	h.awaitCompleted(scheduled.Job.ID)
}

// setting returns a value that "make env" made.
func (h *plainHost) setting(name string) string {
	h.t.Helper()
	text, err := os.ReadFile(filepath.Join(h.dir, ".env.production"))
	if err != nil {
		h.t.Fatal(err)
	}
	_, rest, found := strings.Cut(string(text), "\n"+name+"=")
	if !found {
		h.t.Fatalf("make env does not make %s", name)
	}
	value, _, _ := strings.Cut(rest, "\n")
	return value
}

// awaitCompleted asks more seldom than the limits of production.
func (h *plainHost) awaitCompleted(id string) {
	h.t.Helper()
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for deadline := time.Now().Add(edgetest.Patience); ; <-tick.C {
		reply, text := h.send("GET", h.https+"/api/system/jobs/"+id, nil)
		var seen struct{ Job struct{ State string } }
		if err := json.Unmarshal(text, &seen); err == nil && seen.Job.State == "completed" {
			return
		}
		if time.Now().After(deadline) {
			h.t.Fatalf("the job is not completed: %d %s", reply.StatusCode, text)
		}
	}
}

// newPlainHost makes the settings, and points them at the engines of the test.
func newPlainHost(t *testing.T) *plainHost {
	h := &plainHost{t: t, dir: t.TempDir()}
	h.mustRun(exec.Command(edgetest.Root+"/tools/run/env", h.dir))
	path := filepath.Join(h.dir, ".env.production")
	made, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	h.checkSettings(path, made)

	text := string(made)
	for name, value := range map[string]string{"MONGODB_URI": databaseURI(t, mongotest.Database(t).Name()), "REDIS_URL": mongotest.RedisURL(t)} {
		line := regexp.MustCompile(`(?m)^` + name + `=.*$`)
		if len(line.FindAllString(text, -1)) != 1 {
			t.Fatalf("the settings do not set %s once:\n%s", name, text)
		}
		text = line.ReplaceAllString(text, name+"="+value)
	}
	text += "\nPORT=" + edgetest.FreePort(t) + "\nAPI_PRIVATE_PORT=0\nWORKER_PORT=0\nPUSH_DRIVER=log\n"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return h
}

// checkSettings: for the owner alone, secrets of their own, and never
// overwritten.
func (h *plainHost) checkSettings(path string, made []byte) {
	h.t.Helper()
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		h.t.Errorf("%s has the mode %v, %v; want 600", path, info.Mode(), err)
	}
	secrets := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)^JWT_\w+=([0-9a-f]{96})$`).FindAllStringSubmatch(string(made), -1) {
		secrets[m[1]] = true
	}
	if len(secrets) != 2 {
		h.t.Errorf("%d different secrets of 48 bytes, want 2", len(secrets))
	}
	h.mustRun(exec.Command(edgetest.Root+"/tools/run/env", h.dir))
	again, err := os.ReadFile(path)
	if err != nil || !bytes.Equal(made, again) {
		h.t.Errorf("a second \"make env\" changes the settings: %v", err)
	}
}

// start runs the programs and nginx until the end of the test.
func (h *plainHost) start() {
	t := h.t
	var bin string
	for _, program := range []string{"api", "worker", "migrate"} {
		bin = filepath.Dir(programtest.Path(t, program))
	}
	httpPort, httpsPort := edgetest.FreePort(t), edgetest.FreePort(t)
	h.http, h.https = "http://127.0.0.1:"+httpPort, "https://127.0.0.1:"+httpsPort
	edgeDir := filepath.Join(h.dir, "edge")
	for _, args := range [][]string{{"both", "production"}, {"nginx", edgeDir}} {
		cmd := exec.Command(edgetest.Root+"/tools/run/"+args[0], args[1:]...)
		cmd.Env = append(environment(), "BIN="+bin, "CONFIG_FILE="+filepath.Join(h.dir, ".env.production"), "TLS="+filepath.Join(h.dir, "tls"),
			"NGINX_HTTP_PORT="+httpPort, "NGINX_HTTPS_PORT="+httpsPort, "NGINX_STATUS_ADDRESS=127.0.0.1:"+edgetest.FreePort(t))
		// What the scripts start ends with them.
		cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
		edgetest.Run(t, cmd)
	}
	edgetest.Until(t, "nginx has made a certificate", func() bool {
		text, err := os.ReadFile(filepath.Join(edgeDir, "tls", "fullchain.pem"))
		roots := x509.NewCertPool()
		if err != nil || !roots.AppendCertsFromPEM(text) {
			return false
		}
		transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}, ForceAttemptHTTP2: true}
		t.Cleanup(transport.CloseIdleConnections)
		h.client = &http.Client{
			Transport: transport, Timeout: edgetest.Patience,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		}
		return true
	})
	edgetest.Until(t, "the api is ready", func() bool {
		reply, err := h.client.Get(h.https + "/readyz")
		if err != nil {
			return false
		}
		_ = reply.Body.Close()
		return reply.StatusCode == http.StatusOK
	})
}

// environment is that of the test without what sets up the product.
func environment() []string {
	var kept []string
	for _, variable := range os.Environ() {
		name, _, _ := strings.Cut(variable, "=")
		if name == "PATH" || name == "HOME" || name == "TMPDIR" {
			kept = append(kept, variable)
		}
	}
	return kept
}

func (h *plainHost) mustRun(cmd *exec.Cmd) {
	h.t.Helper()
	if out, err := cmd.CombinedOutput(); err != nil {
		h.t.Fatalf("%s: %v\n%s", cmd, err, out)
	}
}

// send returns a reply and its body. A body is sent as JSON.
func (h *plainHost) send(method, url string, body any) (*http.Response, []byte) {
	h.t.Helper()
	var content io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			h.t.Fatal(err)
		}
		content = bytes.NewReader(text)
	}
	request, err := http.NewRequestWithContext(h.t.Context(), method, url, content)
	if err != nil {
		h.t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	if h.token != "" {
		request.Header.Set("Authorization", "Bearer "+h.token)
	}
	reply, err := h.client.Do(request)
	if err != nil {
		h.t.Fatal(err)
	}
	defer func() { _ = reply.Body.Close() }()
	text, err := io.ReadAll(reply.Body)
	if err != nil {
		h.t.Fatal(err)
	}
	return reply, text
}
